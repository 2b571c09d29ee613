"""Live systems behind the port ``Remote``.

In: records and drafts. Out: HTTP calls, and errors by what to do next.
"""
