"""What people look at and look for: read models over SQL, each for one page or command.

In: filters, and the one site of somebody who has no other. Out: rows of values, never more than a
page of them, found by an index.
"""
