"""Ratings from files and to files.

In: CSV or JSONL, or a side's listing. Out: engine runs with progress, or rows of a file.
"""
