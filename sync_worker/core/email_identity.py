"""The one form in which addresses are stored and compared."""

from __future__ import annotations


def normalise_email(email: str) -> str:
    """The address trimmed and case-folded."""
    return email.strip().casefold()
