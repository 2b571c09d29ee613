"""A person's decision about one rating as an input of a run.

In comes a delivery with a ``Decision``; out go actions for the plan, and how the delivery ends.
"""
