"""I26: the newest edit of a person wins, or is in the history as the loser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from sync_worker.core.scale import FieldMap, OffScale
from sync_worker.core.values import HistoryEntry, HistoryKind, Person, Side
from tests.simulation.world import World
from tests.twins.memory_remote import JournalEntry


def edits_of(
    world: World, number: int, person: Person, field: FieldMap
) -> list[tuple[Side, JournalEntry]]:
    """What a person did to one attribute of one thing, on both sides, in its order."""
    pair = world.entities[number]
    return [
        (side, entry)
        for side, entry in world.people_did
        if entry.entity in pair
        and (entry.person.contact_id == person.contact_id or entry.person.email == person.email)
        and value_in(entry.before, field, side) != value_in(entry.after, field, side)
    ]


def value_in(values: object, field: FieldMap, side: Side) -> Decimal | None:
    name = field.attribute if side is Side.WIX else field.external_field
    return values.get(name) if isinstance(values, dict) else None


def is_kept(field: FieldMap, side: Side, value: Decimal, now: Decimal | None) -> bool:
    """Whether a side still shows a value, or another one of its class."""
    if now is None:
        return False
    class_of = field.wix_class if side is Side.WIX else field.external_class
    try:
        return class_of(value) == class_of(now)
    except OffScale:
        return value == now


def is_true_winner(
    field: FieldMap, line: HistoryEntry, edits: Sequence[tuple[Side, JournalEntry]]
) -> bool:
    """Whether what a line says was written in place of the loser was given by a person."""
    # Nothing was written: a gap, or a delete.
    if line.after is None or line.side is None:
        return True
    other = line.side.other
    given = [value_in(entry.after, field, other) for side, entry in edits if side is other]
    convert = field.to_wix if line.side is Side.WIX else field.to_external
    return any(
        is_kept(field, line.side, convert(value), line.after)
        for value in given
        if value is not None
    )


def lines_about(world: World, entry: JournalEntry, value: Decimal) -> Iterator[HistoryEntry]:
    """Lines of the history that name this value of this record as lost, or a gap in what we saw."""
    for line in world.ledger.history_entries():
        is_lost = value in (line.loser, line.before) or line.what == HistoryKind.GAP
        if line.remote_id == entry.remote_id and is_lost:
            yield line
