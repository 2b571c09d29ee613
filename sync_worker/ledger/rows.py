"""Rows of the ledger's tables to values and back."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from sqlalchemy import Column, Table

from sync_worker.core.outside_words import for_people, shortened
from sync_worker.core.values import (
    Base,
    Buried,
    Change,
    Contact,
    Delivery,
    Entity,
    EntityRef,
    HistoryEntry,
    HistoryKind,
    InboxState,
    Intent,
    IntentState,
    Known,
    Link,
    LinkState,
    NewDelivery,
    Operation,
    RatingKey,
    RecordState,
    Side,
    Slot,
    Standing,
    Value,
)
from sync_worker.core.values.texts import storable
from sync_worker.ledger.statements.words import NOTHING_SAID, stored, words_of
from sync_worker.ledger.tables import history

NO_WORDS: dict[str, str | None] = dict.fromkeys(("words_before", "words_after", "words_loser"))
WORDS = "words"  # the name of the object that holds them within an intent
Row = Any  # SQLAlchemy rows are typed by their select only


def parts_of(row: Row, *tables: Table) -> list[Row | None]:
    """The row of each table, from a row that has their columns one after the other.

    ``None`` for a table that an outer join left out.
    """
    parts: list[Row | None] = []
    start = 0
    for table in tables:
        values = row[start : start + len(table.c)]
        start += len(table.c)
        # The first column of every table is a key, so it has a value if the table has a row.
        part = None
        if values[0] is not None:
            part = _row_of(table)._make(values)
        parts.append(part)
    return parts


@cache
def _row_of(table: Table) -> Any:
    return namedtuple(table.name, table.c.keys())


def fitting(text: str, column: Column[str]) -> str:
    """Words of others as a column holds them on every database.

    What no database holds is written as its number, and what is too long is shortened.
    """
    most: int | None = getattr(column.type, "length", None)
    words = for_people(text)
    return words if most is None else shortened(words, most)


def to_entity(row: Row) -> Entity:
    wix = EntityRef(row.wix_entity_id, row.wix_group, row.wix_namespace)
    return Entity(row.id, wix, EntityRef(row.external_entity_id, row.external_group))


def to_contact(row: Row) -> Contact:
    return Contact(row.wix_contact_id, row.email, row.name, row.external_author_id)


def to_delivery(row: Row) -> Delivery:
    event_time = None
    if row.event_time:
        event_time = datetime.fromisoformat(row.event_time)
    new = NewDelivery(
        side=Side(row.side),
        source=row.source,
        dedupe_id=row.dedupe_id,
        change=Change(row.change),
        remote_id=row.remote_id,
        payload=row.payload,
        revision=row.revision,
        sequence=row.sequence,
        is_restore=row.is_restore,
        is_ours=row.is_ours,
        privacy=row.privacy,
        event_time=event_time,
    )
    return Delivery(
        row.id,
        new,
        InboxState(row.state),
        row.site_id,
        row.link_id,
        row.attempts,
        row.must_read,
        row.reason,
        datetime.fromtimestamp(row.received_at, UTC),
        row.unended,
    )


def from_delivery(new: NewDelivery) -> dict[str, Any]:
    return {
        "side": str(new.side),
        "source": new.source,
        "dedupe_id": new.dedupe_id,
        "change": str(new.change),
        "remote_id": new.remote_id,
        "payload": dict(new.payload),
        "revision": new.revision,
        "sequence": new.sequence,
        "is_restore": new.is_restore,
        "is_ours": new.is_ours,
        "privacy": new.privacy,
        "event_time": new.event_time.isoformat() if new.event_time else None,
    }


def to_link(row: Row, values: Iterable[Row]) -> Link:
    records: dict[Slot, Known] = {}
    bases: dict[str, Base] = {}
    if row.external_id is not None:
        records[Slot(Side.EXTERNAL)] = to_external(row)
    titles, replies = (row.title_wix, row.title_external), (row.reply_wix, row.reply_external)
    # Most links have none.
    if (*titles, row.body_wix, row.body_external, *replies) != NOTHING_SAID:
        bases |= words_of(row)
    for value in values:
        version = value.base_version or 1
        bases[value.attribute] = Base(
            _decimal(value.base_wix), _decimal(value.base_external), version
        )
        if value.wix_id is not None:
            state, raw = RecordState(value.wix_state), value.wix_record or {}
            known = Known(value.wix_id, value.wix_revision, value.wix_sequence, state, raw)
            # As nearly always nothing is noted: somebody else made it.
            if value.wix_standing is not None:
                known = replace(known, standing=Standing(value.wix_standing))
            records[Slot(Side.WIX, value.attribute)] = known
    key = RatingKey(row.site_id, row.entity_id, row.contact_id)
    writes, shadowed = tuple(map(float, row.writes)), frozenset(row.shadowed)
    return Link(row.id, key, row.generation, LinkState(row.state), records, bases, writes, shadowed)


def to_external(row: Row) -> Known:
    state, raw = RecordState(row.external_state), row.external_record or {}
    revision, sequence = row.external_revision, row.external_sequence
    return Known(row.external_id, revision, sequence, state, raw, row.external_identity)


EXTERNAL_COLUMNS = (
    "external_id",
    "external_revision",
    "external_sequence",
    "external_state",
    "external_record",
    "external_identity",
)
WIX_COLUMNS = (
    "wix_id",
    "wix_revision",
    "wix_sequence",
    "wix_state",
    "wix_record",
    "wix_standing",
)


def from_external(known: Known | None) -> dict[str, Any]:
    """``None``: the slot is forgotten."""
    if known is None:
        return dict.fromkeys(EXTERNAL_COLUMNS)
    state, raw = str(known.state), dict(known.raw)
    values = (known.remote_id, known.revision, known.sequence, state, raw, known.identity)
    return dict(zip(EXTERNAL_COLUMNS, values, strict=True))


def from_wix(known: Known | None) -> dict[str, Any]:
    """``None``: the slot is forgotten."""
    if known is None:
        return dict.fromkeys(WIX_COLUMNS)
    # Ratings of Wix need not be kept.
    raw = dict(known.raw) or None
    standing = None
    if known.standing is not Standing.THEIRS:
        standing = str(known.standing)
    values = (known.remote_id, known.revision, known.sequence, str(known.state), raw, standing)
    return dict(zip(WIX_COLUMNS, values, strict=True))


def from_base(base: Base) -> dict[str, Any]:
    numbers = _json({"base_wix": base.wix, "base_external": base.external})
    return {**numbers, "base_version": base.version}


def to_buried(side: Side, remote_id: str, row: Row) -> Buried:
    """``remote_id`` is the id that was asked for: the row may have it hashed only."""
    return Buried(side, remote_id, row.revision, row.sequence, row.privacy)


def to_intent(row: Row) -> Intent:
    return Intent(
        id=row.id,
        slot=Slot(Side(row.side), row.attribute),
        operation=Operation(row.operation),
        targets=_values(row.targets),
        sources=_values(row.sources),
        befores=_values(row.befores),
        reasons=row.reasons,
        is_privacy=row.is_privacy,
        remote_id=row.remote_id,
        base_revision=row.base_revision,
        source_ids=row.source_ids,
        state=IntentState(row.state),
        opened_at=row.created_at,
    )


def from_intent(intent: Intent) -> dict[str, Any]:
    return {
        "id": intent.id,
        "side": str(intent.slot.side),
        "attribute": intent.slot.attribute,
        "operation": str(intent.operation),
        "targets": _json(intent.targets),
        "sources": _json(intent.sources),
        "befores": _json(intent.befores),
        "reasons": dict(intent.reasons),
        "is_privacy": intent.is_privacy,
        "remote_id": intent.remote_id,
        "base_revision": intent.base_revision,
        "source_ids": dict(intent.source_ids),
        "state": str(intent.state),
    }


def to_history(row: Row) -> HistoryEntry:
    return HistoryEntry(
        what=HistoryKind.kept(row.what),
        side=_side(row.side),
        attribute=row.attribute,
        before=_told(row.before, row.words_before),
        after=_told(row.after, row.words_after),
        loser=_told(row.loser, row.words_loser),
        loser_side=_side(row.loser_side),
        reason=row.reason,
        remote_id=row.remote_id,
        intent_id=row.intent_id,
        inbox_id=row.inbox_id,
        actor=row.actor,
    )


def from_history(entry: HistoryEntry) -> dict[str, Any]:
    values: dict[str, Any] = {
        "before": entry.before,
        "after": entry.after,
        "loser": entry.loser,
    }
    words = NO_WORDS
    if any(isinstance(value, str) for value in values.values()):
        words = {f"words_{name}": stored(value) for name, value in values.items()}
        values = dict.fromkeys(values)
    reason = entry.reason
    # Nearly all are words of ours.
    if not reason.isprintable():
        reason = fitting(reason, history.c.reason)
    return {
        "what": str(entry.what),
        "attribute": entry.attribute,
        **_texts({"side": entry.side, "loser_side": entry.loser_side, **values}),
        **words,
        "reason": reason,
        "remote_id": entry.remote_id,
        "intent_id": entry.intent_id,
        "inbox_id": entry.inbox_id,
        "actor": entry.actor,
    }


def _side(value: str | None) -> Side | None:
    return Side(value) if value else None


def _decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _values(values: Mapping[str, Any]) -> dict[str, Value | None]:
    """Of an intent: numbers as text, words in an object of their own."""
    found = dict[str, Value | None]()
    for name, value in values.items():
        found[name] = value[WORDS] if isinstance(value, dict) else _decimal(value)
    return found


def _json(values: Mapping[str, Value | None]) -> dict[str, Any]:
    """What ``_values`` reads."""
    found: dict[str, Any] = dict.fromkeys(values)
    for name, value in values.items():
        if isinstance(value, str):
            found[name] = {WORDS: storable(value)}
        elif value is not None:
            found[name] = str(value)
    return found


def _told(number: str | None, words: str | None) -> Value | None:
    return words if number is None else Decimal(number)


def _texts(values: Mapping[str, Decimal | Side | None]) -> dict[str, str | None]:
    texts = {name: str(value) for name, value in values.items() if value is not None}
    return dict.fromkeys(values) | texts
