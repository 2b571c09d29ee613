"""Records that belong to another rating now: somebody outside changed whose they are, or of what.

In: a record just read. Out: whether it stays with its link, and where it goes.
"""
