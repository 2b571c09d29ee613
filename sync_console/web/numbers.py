"""Numbers that a browser sends, within what a database keeps; whatever else it sends is none."""

from __future__ import annotations

MAX_ID = 999_999_999_999  # as the addresses of pages have it
MAX_NUMBER = 2**63 - 1


def number_in(text: str, most: int = MAX_ID) -> int | None:
    """A whole number from 0 to ``most``, in plain digits; ``None``: it is none."""
    digits = text.strip()
    # Python refuses thousands of digits with an error of its own.
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > len(str(MAX_NUMBER)):
        return None
    number = int(digits)
    return number if number <= most else None
