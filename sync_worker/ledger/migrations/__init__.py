"""Alembic migrations of the ledger, from the first schema on."""
