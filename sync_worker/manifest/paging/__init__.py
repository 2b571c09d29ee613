"""Listings in pages: how they go on, where, and from what time on. Pure."""
