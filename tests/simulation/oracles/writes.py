"""Whether we wrote no more than people made us write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from sync_worker.core.values import Side
from sync_worker.core.values.texts import normal_form
from tests.simulation.oracles.explained import asked_to_the_digit, lines_decided
from tests.simulation.oracles.reading import fields_of, has_moves, key_of, name_on, untold_creates
from tests.simulation.world import Shop
from tests.twins.remote_values import JournalEntry


def too_many_writes(shop: Shop) -> Iterator[str]:
    """I3, I4: no more effective writes of ours than changes that people made, key by key.

    A create whose answer was lost and that no look could find again counts as a person's: nobody
    can tell it apart, so what people do with it crosses like a rating of theirs.
    """
    people: Counter[tuple[str, str]] = Counter()
    ours: Counter[tuple[str, str]] = Counter()
    untold = untold_creates(shop)
    for side, remote in shop.remotes.items():
        for entry in remote.journal:
            key = key_of(shop, side, entry)
            counts_as_theirs = entry.operation == "create" and entry.remote_id in untold
            if counts_as_theirs or not entry.by_us:
                people[key] += weight(entry)
            else:
                ours[key] += changes(entry)
    decided = Counter((act.key, act.number, line.attribute) for line, act in lines_decided(shop))
    for ((number, contact), _, _), count in decided.items():
        person = next(one for one in shop.persons if one.contact_id == contact)
        # Both sides; one that it did not come to, as it was stopped, is an edit's that crosses.
        people[str(number), str(shop.crowd.lives_as(person).contact_id)] += max(count, 2)
    for (
        source,
        _,
    ) in shop.crowd.merged:  # the loser goes on both sides, and may have crossed before
        for number in range(len(shop.entities)):
            people[str(number), str(shop.crowd.lives_as(source).contact_id)] += 4 * len(
                shop.options.fields
            )
    for key, count in ours.items():
        if count > people[key]:
            yield f"I3 {key}: {count} writes of ours for {people[key]} changes by people"


def weight(entry: JournalEntry) -> int:
    """How many writes of ours a person's act may cause: one for each attribute that it may change.

    A privacy delete may have to undo, besides, what an edit had brought back before we heard of the
    request. Of a record that moves, what a write of ours has just put there may have to be undone.
    """
    if entry.operation == "vote":
        return 0
    return (
        2 * entry.privacy
        + (entry.operation == "move")
        + max(len(entry.before or {}), len(entry.after or {}), 1)
    )


def changes(entry: JournalEntry) -> int:
    return 0 if entry.before == entry.after else 1


def idle_rewrites(shop: Shop) -> Iterator[str]:
    """I16, I30: an existing value is never rewritten inside its class, nor a text in other bytes,
    unless a lost answer made us repeat ourselves.
    """
    for side, remote in shop.remotes.items():
        for entry in remote.journal:
            if not entry.by_us or entry.operation != "update":
                continue
            assert entry.before is not None
            assert entry.after is not None
            for field in fields_of(shop):
                name = name_on(field, side)
                before: Any = entry.before.get(name)
                after: Any = entry.after.get(name)
                if before is None or after is None or before == after:
                    continue
                # A person asked for it to the digit.
                if asked_to_the_digit(shop, side, entry, field):
                    continue
                if field.is_alike(side, before, after):
                    yield (
                        f"I16 {entry.remote_id}: {name} rewritten from {before} to {after} in one"
                        " class"
                    )


def invented_words(shop: Shop) -> Iterator[str]:
    """I2: we write no word that nobody said there: neither a shortened text nor somebody else's."""
    said: dict[tuple[str, str], set[str]] = {}
    anywhere = ("", "") if has_moves(shop) else None
    for side, entry, _, text in _texts_written(shop):
        key = anywhere or key_of(shop, side, entry)
        if not entry.by_us:
            said.setdefault(key, set()).add(text)
    for side, entry, name, text in _texts_written(shop):
        key = anywhere or key_of(shop, side, entry)
        if entry.by_us and text not in said.get(key, set()):
            yield f"I2 {entry.remote_id}: we wrote {text!r} as {name}, which nobody said"


def _texts_written(shop: Shop) -> Iterator[tuple[Side, JournalEntry, str, str]]:
    """Each text that a write left in a record, as a person reads it."""
    for side, remote in shop.remotes.items():
        for entry in remote.journal:
            for name, rule in remote.capabilities.words.items():
                text = normal_form(str((entry.after or {}).get(name, "")), rule)
                if text:
                    yield side, entry, name, text
