"""The workers of ratings-sync: engine, ledger, connectors and the command line."""
