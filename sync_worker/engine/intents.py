"""From a planned write to what is sent and put on file about it. Pure."""

from __future__ import annotations

from dataclasses import replace

from sync_worker.core.values import Draft, Intent, Record, Side
from sync_worker.engine.record_view import to_fields
from sync_worker.engine.slot_write import SlotWrite
from sync_worker.engine.view import View


def intent_for(view: View, write: SlotWrite, intent_id: str) -> Intent:
    """The intent of a write to the record on file."""
    record_view = view.record_views[write.slot]
    other = write.slot.side.other
    return Intent(
        id=intent_id,
        slot=write.slot,
        operation=write.operation,
        targets=write.targets,
        sources={name: view.value_on(other, name) for name in write.targets},
        befores={name: record_view.values.get(name) for name in write.targets},
        reasons={name: action.reason for name, action in write.actions.items()},
        is_privacy=write.is_privacy,
        remote_id=record_view.remote_id,
        base_revision=record_view.revision,
        source_ids=_source_ids(view, write),
    )


def intent_beside(view: View, write: SlotWrite, record: Record, intent_id: str) -> Intent:
    """The intent of a removal of a record that is not the one on file."""
    shown = view.seen_as(write.slot, record).values
    return replace(
        intent_for(view, write, intent_id),
        befores={name: shown.get(name) for name in write.targets},
        remote_id=record.remote_id,
        base_revision=record.revision,
    )


def draft_for(view: View, write: SlotWrite, intent: Intent) -> Draft:
    """All that the record shall hold, in the remote's own fields and units."""
    slot, fields = write.slot, view.fields.values()
    values = write.values
    if slot.side is Side.WIX:
        # there each attribute has a record of its own
        values = {slot.attribute: write.values[slot.attribute]}
    return Draft(
        values=to_fields(values, fields, slot.side),
        entity=view.run.entity.on(slot.side),
        person=view.person,
        last=view.record_views[slot].raw,
        mapped=frozenset(field.external_field for field in fields),
        source_id=next(iter(intent.source_ids.values()), ""),
    )


def _source_ids(view: View, write: SlotWrite) -> dict[str, str]:
    """Ids of the records that are carried over, by the attribute of their slot."""
    other = write.slot.side.other
    slots = {view.slot_of(name, other) for name in write.targets}
    record_views = {slot.attribute: view.record_views[slot] for slot in slots}
    return {
        name: record_view.remote_id
        for name, record_view in sorted(record_views.items())
        if record_view.remote_id is not None
    }
