"""Who made a record on a side that moderates, and who keeps it out of sight. Pure.

What we made, and what we withdrew ourselves, counts as there with its values while it is out of
sight: its absence would delete its source. What anybody else keeps out of sight counts as gone.
"""

from __future__ import annotations

from dataclasses import replace

from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values import Known, Operation, Policy, Record, RecordState, Standing
from sync_worker.core.values.sites import RejectedImport, WixApproveOurs
from sync_worker.engine.record_view import RecordView

SHOWN_AGAIN = {
    Standing.TO_APPROVE: Standing.OURS,
    Standing.REJECTED: Standing.OURS,
    Standing.OURS_WITHDRAWN: Standing.OURS,
    Standing.WITHDRAWN: Standing.THEIRS,
}


def standing_after(
    operation: Operation, before: Standing, *, is_visible: bool, policy: Policy
) -> Standing:
    """Of a record after a write of ours; ``is_visible``: whether it is published then."""
    is_awaited = policy.wix_approve_ours is WixApproveOurs.APPROVE and not is_visible
    match operation:
        # made by us; its approval is asked for once
        case Operation.CREATE:
            return Standing.TO_APPROVE if is_awaited else Standing.OURS
        # not withdrawn, though the remote took the call
        case Operation.WITHDRAW if is_visible:
            return before
        case Operation.WITHDRAW:
            return Standing.OURS_WITHDRAWN if before.is_ours else Standing.WITHDRAWN
        # asked for once, whatever came of it; or shown again
        case Operation.APPROVE if is_visible or before is Standing.TO_APPROVE:
            return SHOWN_AGAIN.get(before, before)
        case _:
            return before


def is_rejected_now(shown: RecordView, known: Known | None) -> bool:
    """Whether its owner took what we had brought out of sight since it was last on file."""
    if known is None or known.remote_id != shown.remote_id or shown.standing is not Standing.OURS:
        return False
    return shown.is_hidden and known.state is RecordState.PUBLISHED


def may_be_hidden(
    shown: RecordView, known: Known | None, can: Capabilities, policy: Policy
) -> bool:
    """Whether a record that no look finds may only be out of sight, and its source is to stay.

    Of anybody else's, and of one that nobody had seen, both end the same.
    """
    if can.shows_hidden or policy.rejected_import is not RejectedImport.KEEP:
        return False
    if known is None or known.remote_id != shown.remote_id:
        return False
    return known.standing is Standing.OURS and known.state is RecordState.PUBLISHED


def hidden_by_owner(shown: RecordView, known: Known | None, policy: Policy) -> RecordView:
    """A record out of sight, as policy counts it."""
    crosses = policy.rejected_import is RejectedImport.DELETE
    if crosses and is_rejected_now(shown, known):
        return shown.under(Standing.REJECTED)
    return shown


def known_at_end(known: Known, external: RecordView) -> Known:
    """What goes on file of a record that we withdrew: until both sides show it again."""
    is_shown = known.state is RecordState.PUBLISHED and external.remote_id is not None
    if is_shown and known.standing.is_withdrawn and not external.is_withdrawn:
        return replace(known, standing=SHOWN_AGAIN[known.standing])
    return known


def is_as_asked(operation: Operation, record: Record) -> bool:
    """Whether a record shows what a call to moderate it asked for."""
    return record.is_visible is (operation is Operation.APPROVE)
