"""Brings one link in step, under its lease.

In: an inbox id with its key, or a link id. Out: remote writes, committed results, an outcome.
"""
