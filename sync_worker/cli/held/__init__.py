"""Held deliveries: list, look at, release, drop; and replay.

What each reason means: docs/held.md.
"""
