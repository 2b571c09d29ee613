"""Records that say themselves that nobody may change them, or delete them. Pure."""

from __future__ import annotations

from sync_worker.core.plan import Hold
from sync_worker.core.values import Operation, Slot
from sync_worker.engine.record_view import Source
from sync_worker.engine.view import View

RECORD_LOCKED = "record_locked"


def lock_of(view: View, slot: Slot, operation: Operation) -> Hold | None:
    """What becomes of a write that the record, as this run has seen it, does not allow."""
    if operation in view.record_views[slot].locked:
        return Hold(RECORD_LOCKED)
    return None


def may_be_locked(view: View, slot: Slot) -> bool:
    """Whether a record is on file, and nobody has seen in this run whether it may be written."""
    shown = view.record_views[slot]
    return shown.remote_id is not None and shown.source is Source.LEDGER
