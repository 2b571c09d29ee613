"""The truth, in SQL: SQLite for one machine, PostgreSQL for a fleet.

In: what the engine decides. Out: what it needs to know. Every method is one transaction.
"""
