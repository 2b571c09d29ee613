"""Ratings as people look for them and at them: search, one of them, and what happened.

In: a word, filters, and the one site of somebody who has no other. Out: rows, at most a page of
them, found by the indexes of ``ledger/console/tables.py``.
"""
