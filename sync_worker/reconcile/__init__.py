"""Compares both sides whole: baseline, sweep, poll and dry run.

In: a site and its listings. Out: differing keys as deliveries, counts, a plan to look at.
"""
