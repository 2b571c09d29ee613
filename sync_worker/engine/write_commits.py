"""What a write that succeeded puts on file. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from sync_worker.core.ports.links import Commit
from sync_worker.core.values import (
    Base,
    Buried,
    Intent,
    IntentState,
    Known,
    LinkState,
    Side,
    Slot,
)
from sync_worker.engine.history_lines import lines_for_removal, lines_for_write
from sync_worker.engine.view import View


def commit_of_write(
    view: View, intent: Intent, known: Known | None, values: Mapping[str, Decimal | None]
) -> Commit:
    """``known``: the record after the write, ``values``: what it shows of each attribute."""
    newest = max((delivery.id for delivery in view.run.deliveries), default=None)
    history = lines_for_write(intent, known, values, view.bases, newest)
    if intent.is_imported and known is not None and known.revision is not None:
        # The sides have not agreed on it yet: until this run has brought it across, its echo is
        # news.
        known = replace(known, revision=0)
    records = {intent.slot: known, **source_records(view, intent)}
    on_file = {
        (slot.side, record.remote_id) for slot, record in records.items() if record is not None
    }
    tombstones = view.tombstones
    return Commit(
        records=records,
        bases=_bases(view, intent, values),
        link_state=LinkState.LIVE,
        new_generation=view.begins_generation,
        buried=[
            tombstone
            for tombstone in tombstones.buried.values()
            if tombstone.remote_id == intent.remote_id
        ],
        revived=[tombstone for key, tombstone in tombstones.revived.items() if key in on_file],
        shadowed=view.shadowed,
        seen=view.seen_revisions(),
        intent_state=IntentState.CONFIRMED,
        writes=view.recent_writes(1),
        history=history,
    )


def commit_of_removal(view: View, intent: Intent) -> Commit:
    """Of a record beside the one on file; after a merge it may be that one, too."""
    slot = intent.slot
    tombstone = Buried(slot.side, intent.remote_id or "", intent.base_revision)
    on_file = view.memory.get(slot)
    was_on_file = on_file is not None and on_file.remote_id == tombstone.remote_id
    return Commit(
        # Another record has its place; if it was the one on file, that place is free now.
        records={slot: None} if was_on_file else {},
        buried=[tombstone],
        intent_state=IntentState.CONFIRMED,
        writes=view.recent_writes(1),
        history=lines_for_removal(intent),
    )


def source_records(view: View, intent: Intent) -> dict[Slot, Known | None]:
    """Put the records that were carried over on file: their absence later means a delete.

    Their seen revision does not move before the end of the run: they may have more to tell.
    """
    records: dict[Slot, Known | None] = {}
    for attribute, remote_id in intent.source_ids.items():
        slot = Slot(intent.slot.side.other, attribute)
        on_file = view.memory.get(slot)
        is_on_file = on_file is not None and on_file.remote_id == remote_id
        if slot in view.record_views and not is_on_file:
            has_revision = view.capabilities[slot.side].has_revision
            records[slot] = Known(remote_id, 0 if has_revision else None)
    return records


def _bases(view: View, intent: Intent, values: Mapping[str, Decimal | None]) -> dict[str, Base]:
    """What both sides show of the attributes that were written."""
    # A value from a file: the sides have not agreed on it yet.
    if intent.is_imported:
        return {name: view.bases[name] for name in intent.targets}
    bases = {}
    for name in intent.targets:
        shown, source = values.get(name), intent.sources.get(name)
        version = view.version_of(name)
        if intent.slot.side is Side.WIX:
            bases[name] = Base(shown, source, version)
        else:
            bases[name] = Base(source, shown, version)
    return bases
