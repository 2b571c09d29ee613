"""The truth, in SQL: SQLite for one machine, PostgreSQL for a fleet.

In: what the engine decides. Out: what it needs to know. Each port is a small class that opens one
transaction a method; the SQL itself is in ``statements``.
"""
