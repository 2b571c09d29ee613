"""What every ledger does, a class for each port: memory, SQLite and PostgreSQL pass the same."""
