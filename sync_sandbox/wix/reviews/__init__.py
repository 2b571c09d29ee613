"""Wix Reviews as the stand-in speaks it: what a review is, moderation, queries, events, calls."""
