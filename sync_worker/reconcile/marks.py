"""Whether the ledger knows a listed record as it is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from sync_worker.core.ports.remote import NO_WORDS
from sync_worker.core.record_codec import mapped_values
from sync_worker.core.sweep_values import Mark, OnFile
from sync_worker.core.values import Record, RecordState, Side, Site
from sync_worker.core.values.record_identity import (
    changed,
    identity_shown,
    is_of_another,
    rates_another,
)
from sync_worker.core.values.texts import REPLY, WordsField


def mark_of(
    record: Record,
    side: Side,
    known: OnFile,
    site: Site,
    words: Mapping[str, WordsField] = NO_WORDS,
) -> Mark:
    """What becomes of a listed record, by what the ledger knows of its id.

    ``words``: those that both sides carry.
    """
    values = mapped_values(record, side, site.fields)
    # What is held of its rating may have outlived its cause: a run looks.
    if known.is_linked and known.is_held:
        return Mark.OPEN
    # Somebody outside changed whose it is, or what it rates.
    if has_moved(record, known):
        return Mark.OPEN
    if known.is_linked and says_something_new(record, side, known, words):
        return Mark.OPEN
    if known.is_linked:
        return _mark_of_linked(record, known, values)
    # No attribute of it is mapped, or a newer record of the same person stands for it.
    if not values or known.is_shadowed:
        return Mark.IN_STEP
    # Some listings show what was deleted: of interest only to older news of it on its way.
    if record.state is RecordState.DELETED:
        return Mark.OPEN if known.is_awaited else Mark.IN_STEP
    if known.is_buried:
        return _mark_of_buried(record, known)
    # Never seen before: to be brought across, unless it is unpublished. What is held of it may have
    # ended with that.
    return Mark.OPEN if record.is_visible or known.is_held else Mark.HIDDEN


def has_moved(record: Record, known: OnFile) -> bool:
    """Whether a record names another person or thing than it is on file for."""
    if known.whose is None or record.state is RecordState.DELETED:
        return False
    names_another = is_of_another(record.person.email, known.whose.addresses)
    if not names_another and not rates_another(record.entity, known.whose.entity):
        return False
    return shows_another(record, known)


def shows_another(record: Record, known: OnFile) -> bool:
    """Whether it shows another identity than before, as far as anybody has seen it before."""
    # A record behind the synced one is its person's by its address.
    if not known.is_linked:
        return True
    now = identity_shown(record.entity, record.person.email, known.identity)
    return bool(changed(now, known.identity))


def says_something_new(
    record: Record, side: Side, known: OnFile, words: Mapping[str, WordsField]
) -> bool:
    """Whether a record says something else than is on file, and no number of its state tells."""
    if not record.is_visible:
        return False
    # What a listing leaves out is as it was.
    there = {name: field for name, field in words.items() if name in record.words}
    if record.revision is not None:
        # Numbered: of one state only the owner's reply may differ.
        is_seen = record.revision == known.revision
        there = {name: field for name, field in there.items() if name == REPLY and is_seen}
    return any(
        not field.is_unchanged(side, known.words.get(name), record.words[name])
        for name, field in there.items()
    )


def _mark_of_linked(record: Record, known: OnFile, values: Mapping[str, Decimal]) -> Mark:
    """A record on file with a link."""
    # A revision counts only above the seen one: listings lag behind.
    if record.revision is not None and known.revision is not None:
        if record.revision != known.revision:
            return Mark.OPEN if record.revision > known.revision else Mark.IN_STEP
        # Moderation need not raise it.
        return Mark.IN_STEP if record.state is known.state else Mark.OPEN
    # Withdrawn or published since.
    if record.state is not known.state:
        return Mark.OPEN
    # Of a withdrawn record the values do not matter.
    if not record.is_visible or values == known.values:
        return Mark.IN_STEP
    return Mark.OPEN


def is_of_seen_revision(record: Record, known: OnFile) -> bool:
    """Whether only a look tells which of two states of one revision is the newer."""
    return known.is_linked and record.revision is not None and record.revision == known.revision


def _mark_of_buried(record: Record, known: OnFile) -> Mark:
    """A record with a tombstone: open if it was restored, or its delete was never carried out."""
    # What is held of it may have ended as it was hidden.
    if not record.is_visible:
        return Mark.OPEN if known.is_held else Mark.IN_STEP
    return Mark.IN_STEP if _is_below(record.revision, known.revision) else Mark.OPEN


def _is_below(revision: int | None, buried: int | None) -> bool:
    """Unknown revisions are never below."""
    return revision is not None and buried is not None and revision < buried
