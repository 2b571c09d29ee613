"""What decisions of support people explain, and nothing beside it."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any

from sync_worker.core.scale import OffScale
from sync_worker.core.values import HistoryEntry, HistoryKind, Side
from sync_worker.core.values.decisions import Asked
from sync_worker.core.values.texts import TooLong, WordsField
from tests.simulation.oracles.reading import AnyField, key_of, name_on
from tests.simulation.world import Shop
from tests.simulation.world.act_log import Key
from tests.simulation.world.decider import DecidedAct
from tests.twins.remote_values import JournalEntry

GIVES = (HistoryKind.CREATE, HistoryKind.UPDATE)
WRITES = (*GIVES, HistoryKind.DELETE)


def lines_decided(shop: Shop, after: int = 0) -> Iterator[tuple[HistoryEntry, DecidedAct]]:
    """Writes on file for a decision; ``after``: without so many of the first lines."""
    if not shop.decider.decided:
        return
    acts = {act.number: act for act in shop.decider.decided}
    for line in shop.ledger.history_entries()[after:]:
        act = acts.get(line.inbox_id or 0)
        if line.actor and line.side is not None and line.what in WRITES and act is not None:
            yield line, act


def was_given_anew(shop: Shop, key: Key, attributes: Set[str], lines_before: int) -> bool:
    """Whether a decision that was made before a deletion was written after it: an edit, which wins
    by policy over the deletion that it did not see.

    ``attributes``: those that the deletion took along; ``lines_before``: so many lines were on file
    then.
    """
    return any(
        act.key == key and line.what in GIVES and line.attribute in attributes
        for line, act in lines_decided(shop, lines_before)
    )


def asked_to_the_digit(shop: Shop, side: Side, entry: JournalEntry, field: AnyField) -> bool:
    """Whether a decision asked for the very value that an update of ours left in a record."""
    name = attribute_of(field)
    number, contact = key_of(shop, side, entry)
    after = (entry.after or {}).get(name_on(field, side))
    return any(
        _is_about(shop, act, number, contact)
        and act.decision.side is side
        and act.decision.values.get(name) == after
        for act in shop.decider.decided
    )


def _is_about(shop: Shop, act: DecidedAct, number: str, contact: str) -> bool:
    person = next(one for one in shop.persons if one.contact_id == act.key[1])
    lives_as = str(shop.crowd.lives_as(person).contact_id)
    return (str(act.key[0]), lives_as) == (number, contact)


def is_decided(shop: Shop, field: AnyField, line: HistoryEntry) -> bool:
    """Whether a line tells of a write that gave a side what its decision asked for."""
    acts = (act for act in shop.decider.decided if act.number == line.inbox_id)
    act = next(acts, None)
    if act is None or line.side is None or act.decision.actor != line.actor:
        return False
    if line.after is None:
        return True
    decision, name = act.decision, attribute_of(field)
    # What one of the sides showed by then: no more of it is known here.
    if decision.asked is Asked.CHOOSE:
        return line.side is not decision.side
    if name not in decision.values:
        return False
    given: Any = decision.values[name]
    try:
        if line.side is not decision.side:
            given = field.carried(decision.side.other, given, None)
    except (OffScale, TooLong):
        return False
    after: Any = line.after
    return field.is_alike(line.side, given, after)


def attribute_of(field: AnyField) -> str:
    return field.name if isinstance(field, WordsField) else field.attribute
