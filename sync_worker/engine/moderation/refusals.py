"""What it means that a remote will not let us change a record, whatever we name."""

from __future__ import annotations

from sync_worker.core.errors import Permanent, SyncError
from sync_worker.core.plan import Hold
from sync_worker.core.values import Intent, Operation
from sync_worker.engine.history_lines import line_for_refusal
from sync_worker.engine.view import View

ORGANIC_REVIEW = "organic_review"
CONFLICT_UNEXPLAINED = "conflict_unexplained"
REFUSED = "refused"
# Of one record, as far as the remote says: not of what was sent, nor of the account.
OF_RECORD = (REFUSED, "unauthorized")
UNAUTHENTICATED = 401


def note_conflict(view: View, intent: Intent, conflict: SyncError, inbox_id: int | None) -> None:
    """Both sides were read after a write that met another record than it named.

    One that is as it was named will not let itself be changed: another try would end the same.
    """
    # Perhaps it is only hidden from us, and that is held by its own name.
    if view.record_views[intent.slot].is_missed:
        return
    if not _is_as_named(view, intent):
        view.holds.conflicts.add(intent.slot)
        return
    hold = Hold(ORGANIC_REVIEW) if _changes_anothers(view, intent) else Hold(CONFLICT_UNEXPLAINED)
    view.holds.refused[intent.slot, intent.operation] = hold
    view.note([line_for_refusal(intent, conflict.facts, inbox_id)])


def reason_of_refusal(view: View, intent: Intent, refusal: Permanent) -> str:
    """Why a write is held that is refused for good.

    Wix may let no app change what a visitor wrote; which words it has for that is not documented.
    """
    is_of_record = refusal.reason in OF_RECORD and refusal.facts.status != UNAUTHENTICATED
    if is_of_record and _changes_anothers(view, intent):
        return ORGANIC_REVIEW
    return refusal.reason


def _is_as_named(view: View, intent: Intent) -> bool:
    """Whether a record that is said to have changed, or to be gone, is as the write had named it.

    Where records have no revision nothing tells: there the second such answer in a run counts.
    """
    shown = view.record_views[intent.slot]
    if shown.remote_id is None or shown.remote_id != intent.remote_id:
        return False
    if intent.base_revision is None:
        return intent.slot in view.holds.conflicts
    return shown.revision == intent.base_revision


def _changes_anothers(view: View, intent: Intent) -> bool:
    slot = intent.slot
    is_update = intent.operation is Operation.UPDATE
    moderates = view.capabilities[slot.side].can_moderate
    return is_update and moderates and not view.record_views[slot].standing.is_ours
