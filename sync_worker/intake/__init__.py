"""Takes one delivery to its rating key and to its end.

In: an inbox id. Out: a closed, held or deferred row; the engine does the rest.
"""
