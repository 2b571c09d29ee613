"""The first migrations: a folder stays small enough to be read."""
