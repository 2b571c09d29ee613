"""The ``ratings-sync`` command: a file for each command.

In: words of a person. Out: words or JSON, and an exit status.
"""
