"""The outside world behind the ports: HTTP remotes, SQL ledger, Redis."""
