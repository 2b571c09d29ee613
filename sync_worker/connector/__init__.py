"""The declarative REST connector."""
