"""A manifest as its author sees it: a file with lines and columns.

In: a file, a place in it, what pydantic says. Out: words that name the place, its line, its column.
"""
