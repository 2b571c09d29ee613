"""Words (title, body) in a run: they travel with the stars of their record, never without them.

In: what both sides show. Out: what to do about each of the words.
"""
