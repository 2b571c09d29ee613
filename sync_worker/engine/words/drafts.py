"""The words of a write, and what else a new record takes along of its person. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from sync_worker.core.values import Draft, Person, Pictures, Side, Slot, Value
from sync_worker.engine.link_plan import Told
from sync_worker.engine.record_view import RecordView
from sync_worker.engine.view import View
from sync_worker.engine.words.replies import without_reply


def with_words(
    view: View,
    draft: Draft,
    values: Mapping[str, Value],
    targets: Mapping[str, Value | None],
    slot: Slot,
) -> Draft:
    """The draft with all words that its record shall hold, and with what this write changes.

    ``values``, ``targets``: of the write, by attribute.
    """
    names = without_reply(view.carried.words)
    words = {name: str(values[name]) for name in names if name in values}
    # an update: what stays goes along in the bytes in which its side showed it
    if view.record_views[slot].remote_id is not None:
        return replace(draft, words=words, changed=_changed(view, targets, slot))
    source = view.record_views[view.slot_of(view.carried.main or "", slot.side.other)]
    # a create: nobody sees it wait, so it is as old as what its person wrote
    written_at = _not_later(source.written_at, view.run.now)
    person = _named_as(source, draft.person)
    return replace(draft, words=words, person=person, written_at=written_at)


def _changed(view: View, targets: Collection[str], slot: Slot) -> frozenset[str]:
    """The names in a draft of what a write changes."""
    there = set[str]()
    for name, field in view.fields.items():
        if name in targets:
            own_name = name if slot.side is Side.WIX else field.external_field
            there.add(own_name)
    there.update(name for name in targets if name in view.carried.words)
    return frozenset(there)


def _named_as(source: RecordView, person: Person) -> Person:
    """As the record shows its person, if it does; never by an address."""
    name = source.person.name
    if name is None or "@" in name:
        name = person.name
    return replace(person, name=name)


def _not_later(at: datetime | None, now: float) -> datetime | None:
    """Clocks differ: some systems refuse a time to come."""
    if at is None:
        return None
    return min(at, datetime.fromtimestamp(now, UTC))


def pictures_for(view: View, told: Told | None) -> tuple[str, ...]:
    """Those that a new record on Wix is given by policy; ``told``: by a file, if it has some."""
    takes_them = view.capabilities[Side.WIX].media
    if not takes_them or view.run.site.policy.pictures is Pictures.OFF:
        return ()
    if told is not None and told.media:
        return told.media
    return view.record_views[view.slot_of(view.carried.main or "", Side.EXTERNAL)].media
