"""The calls to a remote that shows and hides records, and what became of them."""

from __future__ import annotations

from typing import cast

from sync_worker.core.ports.remote import Capabilities, Moderation, Remote
from sync_worker.core.values import (
    MODERATES,
    Intent,
    Operation,
    Record,
    RecordState,
    Slot,
    Standing,
    Value,
)
from sync_worker.engine.moderation.standing import is_as_asked, standing_after
from sync_worker.engine.reading import Reading
from sync_worker.engine.view import View


def moderate(remote: Remote, intent: Intent) -> Record:
    """Show or hide a record. Raises as ``Moderation``."""
    moderation = cast(Moderation, remote)
    if intent.operation is Operation.APPROVE:
        return moderation.approve(intent.remote_id or "")
    return moderation.withdraw(intent.remote_id or "")


def note_moderated(view: View, slot: Slot, operation: Operation, record: Record) -> None:
    """Note what a write of this run made of a record on a side that moderates."""
    before = view.record_views[slot].standing
    view.note_standing(slot, standing_written(view, operation, before, record))
    # Taken, and not carried out: a person looks, and nothing of it is sent again. What was to be
    # approved once has been, whatever the rules of the site made of that.
    is_done = is_as_asked(operation, record) or before is Standing.TO_APPROVE
    if operation in MODERATES and not is_done:
        view.written.note_unmatched(slot, slot.attribute, is_ours=True)


def standing_written(
    view: View, operation: Operation, before: Standing, record: Record
) -> Standing:
    """The standing of a record, as a write of ours returned or left it."""
    policy, is_visible = view.run.site.policy, record.is_visible
    return standing_after(operation, before, is_visible=is_visible, policy=policy)


def state_written(can: Capabilities, intent: Intent, record: Record) -> RecordState:
    """In which state a record was as a write of ours left it.

    One that showed what we were to change is hidden since our look: that is news.
    """
    was_shown = any(value is not None for value in intent.befores.values())
    return RecordState.PUBLISHED if was_shown and not can.can_moderate else record.state


def claim_if_made(view: View, reading: Reading, intent: Intent) -> None:
    """The record that refuses our second create as a duplicate may be what the first one made.

    Ours, unless it says that somebody else made it, or shows something else than we wanted.
    """
    slot = intent.slot
    record = reading.get(slot.side, view.record_views[slot].remote_id or "")
    if record is None or record.is_ours is False:
        return
    shown = view.seen_as(slot, record).hidden
    names = [name for name in intent.targets if name in view.bases]
    if all(_is_alike(view, intent, name, shown.get(name)) for name in names):
        before = view.record_views[slot].standing
        view.note_standing(slot, standing_written(view, intent.operation, before, record))


def _is_alike(view: View, intent: Intent, name: str, shown: Value | None) -> bool:
    wanted = intent.targets[name]
    if wanted is None or shown is None:
        return wanted == shown
    return view.carried.field_of(name).is_alike(intent.slot.side, wanted, shown)


def look_at_moderated(view: View, reading: Reading, intent: Intent) -> Record | None:
    """The record, if a call of unknown outcome was carried out: it shows that itself.

    Else it is planned again, if it is still asked for.
    """
    slot, remote_id = intent.slot, intent.remote_id or ""
    # Another record has its place by now.
    if view.record_views[slot].remote_id != remote_id:
        return None
    record = reading.get(slot.side, remote_id)
    if record is None:
        view.lose(slot)
        return None
    view.take(slot, record)
    return record if is_as_asked(intent.operation, record) else None
