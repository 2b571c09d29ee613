"""I26: the newest edit of a person wins, or is in the history as the loser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import Any

from sync_worker.core.scale import OffScale
from sync_worker.core.values import HistoryEntry, HistoryKind, Person, Side, Value
from sync_worker.core.values.texts import TooLong
from tests.simulation.oracles.explained import is_decided
from tests.simulation.oracles.reading import (
    AnyField,
    erased_keys,
    fields_of,
    has_moves,
    is_held,
    live_records,
    moderated,
    name_on,
    on_record,
    our_writes,
    shadowed,
    shown,
    untold_creates,
    value_in,
)
from tests.simulation.world import Shop
from tests.twins.remote_values import JournalEntry

WRITES = (HistoryKind.CREATE, HistoryKind.UPDATE)


def edits_of(
    shop: Shop, number: int, person: Person, field: AnyField
) -> list[tuple[Side, JournalEntry]]:
    """What a person did to one attribute of one thing, on both sides, in its order."""
    pair = shop.entities[number]
    return [
        (side, entry)
        for side, entry in shop.act_log.acts
        if entry.entity in pair
        and (entry.person.contact_id == person.contact_id or entry.person.email == person.email)
        and value_in(entry.before, field, side) != value_in(entry.after, field, side)
    ]


def is_kept(field: AnyField, side: Side, value: Any, now: Any) -> bool:
    """Whether a side still shows a value, or another one of its class; words, in any bytes."""
    return now is not None and field.is_alike(side, value, now)


def is_true_winner(
    shop: Shop,
    field: AnyField,
    line: HistoryEntry,
    edits: Sequence[tuple[Side, JournalEntry]],
    decided: Sequence[HistoryEntry],
) -> bool:
    """Whether what a line says was written in place of the loser was given by a person.

    ``decided``: lines of what support people decided.
    """
    if line.actor:
        return is_decided(shop, field, line)
    # Nothing was written: a gap, or a delete.
    if line.after is None or line.side is None:
        return True
    other = line.side.other
    given = [value_in(entry.after, field, other) for side, entry in edits if side is other]
    given += [
        one.after
        for one in decided
        if one.side is other and one.attribute == line.attribute and one.what in WRITES
    ]
    return any(
        is_written_as(field, line.side, value, line.after) for value in given if value is not None
    )


def is_written_as(field: AnyField, side: Side, given: Any, after: Any) -> bool:
    """Whether what a write left is what somebody gave on the other side."""
    try:
        carried = field.carried(side, given, None)
        return is_kept(field, side, on_record(carried), on_record(after))
    except (TooLong, OffScale):
        return False


def lines_about(shop: Shop, entry: JournalEntry, value: Value) -> Iterator[HistoryEntry]:
    """Lines of the history that name this value of this record as lost, or a gap in what we saw."""
    for line in shop.ledger.history_entries():
        covered = on_record(line.loser), on_record(line.before)
        is_lost = on_record(value) in covered or line.what == HistoryKind.GAP
        if line.remote_id == entry.remote_id and is_lost:
            yield line


def newest_edit_lost(shop: Shop) -> Iterator[str]:
    """I26: the newest edit of a person stands on both sides, or is in the history as the loser,
    and then what won is a person's, too.
    """
    if (
        has_moves(shop)
        or shop.crowd.merged
        or shop.crowd.erased
        or shop.options.moderation
        or shop.options.normalises
    ):
        return
    decided = [line for line in shop.ledger.history_entries() if line.actor]
    for number, (wix_ref, external_ref) in enumerate(shop.entities):
        behind = shadowed(shop, external_ref)
        for person in shop.persons:
            if is_held(shop, wix_ref, person) or has_untold_create(shop, number, person):
                continue
            for field in fields_of(shop):
                edits = edits_of(shop, number, person, field)
                # A privacy request beats every edit, and takes what it named out of the history.
                if (str(number), str(person.contact_id)) in erased_keys(shop):
                    continue
                if not edits or edits[-1][1].remote_id in behind:
                    continue
                side, newest = edits[-1]
                value = value_in(newest.after, field, side)
                ref = wix_ref if side is Side.WIX else external_ref
                name = name_on(field, side)
                now = shown(shop, side, ref, person, name, behind)
                if value is None or is_kept(field, side, value, now):
                    continue
                if newest.remote_id in covered_unseen(shop, side, name, value):
                    continue
                # Withdrawn by a moderator: policy says that nobody sees it.
                if newest.remote_id in moderated(shop, side):
                    continue
                if not any(
                    is_true_winner(shop, field, line, edits, decided)
                    for line in lines_about(shop, newest, value)
                ):
                    yield (
                        f"I26 {wix_ref.entity_id} {person.contact_id} {name}: {value}"
                        f" on {side} was the newest edit, {now} stands, the history names no winner"
                    )


def has_untold_create(shop: Shop, number: int, person: Person) -> bool:
    """Whether a create of ours stands there whose answer was lost, and that no look found again: it
    counts as a person's, since nobody can tell it apart.
    """
    key = (number, str(person.contact_id))
    standing = {record.remote_id for record in live_records(shop, key)}
    return bool(standing & untold_creates(shop))


def covered_unseen(shop: Shop, side: Side, name: str, value: Value) -> Set[str]:
    """Records whose value a write of ours covered in one of the windows that docs/promises.md
    names: without revisions, and before a delete.
    """
    unseen = shop.post.dropped | set(shop.ledger.closed_with("buried_with_unseen_edit"))
    return {
        write.remote_id
        for on, write in our_writes(shop)
        if on is side
        and (write.before or {}).get(name) == value
        and (
            write.revision is None
            or (write.operation == "delete" and (write.remote_id, write.revision) in unseen)
        )
    }
