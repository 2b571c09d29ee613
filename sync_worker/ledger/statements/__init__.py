"""The SQL of the ledger, one file a table group.

In: a connection within a transaction that a port has opened. Out: rows as values, or their number.
Texts of the hot path begin with their name and why they are as they are; the rest is SQLAlchemy's.
"""
