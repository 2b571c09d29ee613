"""How long a remote asks us to wait, in whatever header and unit it says so.

Pure but for the clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

MOST_SECONDS = 86_400.0
EPOCH_FROM, EPOCH_MS_FROM = 1e9, 1e12  # numbers from here on are moments, not lengths


@dataclass(frozen=True, slots=True)
class Waits:
    """Where a remote says when to come back. ``statuses``: answers that mean "too fast"."""

    statuses: frozenset[int] = frozenset({429})
    header: str = "Retry-After"
    unit: Literal["s", "ms", "epoch_s", "epoch_ms", "auto"] = "auto"
    most_seconds: float = MOST_SECONDS
    tries: int = 3

    def seconds(self, headers: Mapping[str, str]) -> float | None:
        """The wait that an answer asks for, ``None`` if it names none."""
        value = headers.get(self.header)
        if value is None:
            return None
        found = _seconds(value.strip(), self.unit)
        return None if found is None else max(0.0, min(found, self.most_seconds))


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Retry-After as seconds, from either of its forms (RFC 9110, section 10.2.3)."""
    return Waits().seconds(headers)


def _seconds(value: str, unit: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        # No number: perhaps a date, the other form of Retry-After.
        return _until(value) if unit == "auto" else None
    if not abs(number) < 1e15:  # also NaN
        return None
    now = datetime.now(UTC).timestamp()
    match _unit_of(number) if unit == "auto" else unit:
        case "ms":
            return number / 1000
        case "epoch_s":
            return number - now
        case "epoch_ms":
            return number / 1000 - now
        case _:
            return number


def _unit_of(number: float) -> str:
    """A length is small, a moment large."""
    if number >= EPOCH_MS_FROM:
        return "epoch_ms"
    return "epoch_s" if number >= EPOCH_FROM else "s"


def _until(value: str) -> float | None:
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    # HTTP dates are UTC, also where they do not say so.
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (at - datetime.now(UTC)).total_seconds()
