"""What the undo of a line of the history restores."""

from __future__ import annotations

from decimal import Decimal

from sync_worker.core.ports.decisions import PastLine, RatingOnFile
from sync_worker.core.said import said
from sync_worker.core.values import HistoryKind, LinkState, Side, Value
from sync_worker.core.values.texts import BODY, REPLY, TITLE
from sync_worker.services.deciding.choice import check_direction, check_value
from sync_worker.services.deciding.refusals import NotPossible, RatingChanged, RatingGone

# They took something away that was there.
WROTE = (HistoryKind.UPDATE, HistoryKind.DELETE, HistoryKind.REPLY)
LOST = (HistoryKind.GAP, HistoryKind.UNKNOWN)
TEXTS = (TITLE, BODY, REPLY)


def side_of(line: PastLine) -> Side:
    """Where something was overwritten. Raises NotPossible."""
    entry = line.entry
    if entry.what is HistoryKind.PRIVACY_DELETE:
        raise NotPossible(said("its person asked for that delete: it is not undone"))
    if entry.what not in (*WROTE, *LOST) or entry.side is None or line.link_id is None:
        raise NotPossible(
            said(
                "h%(number)s (%(kind)s) has overwritten nothing",
                number=line.number,
                kind=entry.what,
            )
        )
    return entry.side


def restored(line: PastLine, rating: RatingOnFile) -> dict[str, Value]:
    """What was there before, by attribute; of a delete all that the record showed.

    Raises NotPossible, RatingChanged, RatingGone, BadChoice.
    """
    if line.is_forgotten:
        raise NotPossible(
            said(
                "the history keeps the words that people wrote for RETENTION_WORDS_DAYS, and these"
                " are older: only a hash of them is left"
            )
        )
    if line.later is not None:
        raise RatingChanged(
            rating,
            said(
                "h%(number)s was followed by another change, h%(later)s",
                number=line.number,
                later=line.later,
            ),
        )
    side, values = side_of(line), _values_before(line)
    if not values:
        raise NotPossible(said("h%(number)s has overwritten nothing", number=line.number))
    fields = {one.attribute: one for one in rating.site.fields}
    for name, value in values.items():
        if isinstance(value, Decimal):
            check_value(fields, name, side, value)
    _refuse_half(line, rating, values)
    check_direction(rating, fields, side, values)
    return values


def _values_before(line: PastLine) -> dict[str, Value]:
    entries = [line.entry]
    if line.entry.what is HistoryKind.DELETE:
        entries = [one for one in line.beside if one.what is HistoryKind.DELETE]
    values = dict[str, Value]()
    for entry in entries:
        value = entry.before if entry.before is not None else entry.loser
        if value is not None and entry.attribute:
            values[entry.attribute] = value
    return values


def _refuse_half(line: PastLine, rating: RatingOnFile, values: dict[str, Value]) -> None:
    """Of a rating that is gone its stars have to come back first."""
    is_of_words = all(name in TEXTS for name in values)
    if rating.state is not LinkState.BURIED:
        return
    if line.entry.what is not HistoryKind.DELETE or is_of_words:
        raise RatingGone(said("the rating is gone on both sides; undo its delete instead"))
