"""One write: what stops it, what is sent, and what goes on file of it.

In: a planned write. Out: its draft, its intent, and the commit of what came of it.
"""
