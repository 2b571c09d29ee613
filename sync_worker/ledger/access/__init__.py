"""Who may come in, in SQL: people, one-time links, sessions, forms that were sent, tokens.

In: names, and hashes of what only its holder has. Out: rows. No secret is kept in clear.
"""
