"""A time in a person's file. What has two readings is refused instead of guessed."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sync_worker.files.cells import SHOWN, BadCell

EPOCHS = {"epoch_s": 1, "epoch_ms": 1000}
_ZONE_IN_WORDS = re.compile(r"\s*(?:UTC|GMT|Z)$")
_OFFSET = re.compile(r"\s+([+-]\d\d:?\d\d)$")
EARLIEST = 1990  # of any review on the web
MAX_LENGTH = 100  # characters of a time, written out with its day and zone


def moment_in(text: str, form: str | None = None) -> datetime | None:
    """A time with its zone, UTC where none is named; ``None`` for an empty cell.

    ``form``: how the file writes it (``epoch_s``, ``epoch_ms``, or as ``strptime`` takes it). By
    default ISO 8601, also with ``UTC`` or an offset behind a blank. Raises BadCell.
    """
    if not text:
        return None
    try:
        moment = _read(text, form)
    except (ValueError, OverflowError, OSError):
        example = f"as {form!r} says" if form else "such as 2026-11-20 or 2026-11-20T09:15:00Z"
        raise BadCell(
            f"{text[:SHOWN]!r} is no date {example}; write it so, or name date_format in a preset"
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment.year < EARLIEST:
        raise BadCell(f"{text[:SHOWN]!r} is before any review was written on the web")
    return moment.astimezone(UTC)


def _read(text: str, form: str | None) -> datetime:
    """Raises ValueError, OverflowError, OSError."""
    if len(text) > MAX_LENGTH:
        raise ValueError(text[:MAX_LENGTH])
    if form in EPOCHS:
        return datetime.fromtimestamp(int(text) / EPOCHS[form], UTC)
    if form is not None:
        return datetime.strptime(text, form)  # noqa: DTZ007 - the caller adds the zone
    if text.isdigit():  # a year, or days as spreadsheets count them
        raise ValueError(text)
    bare = _ZONE_IN_WORDS.sub("+00:00", text)
    return datetime.fromisoformat(_OFFSET.sub(r"\1", bare))
