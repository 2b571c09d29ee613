"""Numbers from outside, within bounds: what one costs does not depend on who wrote it.

Exact arithmetic with ``1e20000000`` holds a process for minutes. So a number is checked as text,
and by its exponent, before anything is worked out with it.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

MAX_CHARACTERS = 32  # what the ledger's columns hold
MAX_EXPONENT = 32  # no scale of ratings needs more; the arithmetic stays cheap far beyond
MAX_WHOLE = 2**63 - 1  # what the ledger's columns hold
SHOWN = 40  # characters of a bad number in a message

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,9})?", re.ASCII)
_DIGITS = re.compile(r"-?\d{1,19}", re.ASCII)


class BadNumber(ValueError):
    """A text is no number, or none within the bounds."""


def exact_number(text: str) -> Decimal:
    """The number that a text says, exactly. Raises BadNumber.

    Plain digits of ASCII: no NaN, no infinity, no underscores, which Decimal takes.
    """
    bare = text.strip()
    if len(bare) > MAX_CHARACTERS:
        raise BadNumber(f"{bare[:SHOWN]!r} is longer than a number of {MAX_CHARACTERS} characters")
    if _NUMBER.fullmatch(bare) is None:
        raise BadNumber(f"{bare!r} is not a number")
    number = Decimal(bare)
    if abs(number.adjusted()) > MAX_EXPONENT:
        raise BadNumber(f"{bare!r} is larger or finer than any scale")
    # -0 is 0: two spellings of one value would look like a change.
    return number or abs(number)


def is_within_bounds(number: Decimal) -> bool:
    """Whether exact arithmetic with a number is cheap, and its text fits the ledger's columns."""
    return (
        number.is_finite()
        and abs(number.adjusted()) <= MAX_EXPONENT
        and len(str(number)) <= MAX_CHARACTERS
    )


def whole_number(value: Any) -> int | None:
    """A whole number of at most 64 bits, also as digits in a text; else ``None``.

    To Python True is the number 1; here it is none.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, Decimal):
        # The exponent first: to make an int of 1e20000000 takes minutes.
        is_small = value.is_finite() and value.adjusted() < len(str(MAX_WHOLE))
        value = int(value) if is_small and value == value.to_integral_value() else None
    elif isinstance(value, str):
        value = int(value) if _DIGITS.fullmatch(value) else None
    return value if isinstance(value, int) and abs(value) <= MAX_WHOLE else None
