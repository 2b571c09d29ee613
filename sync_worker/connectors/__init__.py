"""Connector manifests that ship with ratings-sync."""
