"""Addresses of people, for who may not see them."""

from __future__ import annotations


def masked(address: str) -> str:
    """So much that two of them can be told apart: ``a…@example.com``."""
    name, at, domain = address.rpartition("@")
    if not at:
        return f"{address[:1]}…" if address else ""
    return f"{name[:1]}…@{domain}"
