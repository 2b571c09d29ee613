"""Records of our writes that counted as gone, and are only out of sight."""

from __future__ import annotations

from sync_worker.core.ports.links import Commit
from sync_worker.core.values import RecordState, Slot
from sync_worker.engine.lease_keeper import LeaseKeeper
from sync_worker.engine.placing import Placing
from sync_worker.engine.view import View


def look_for_hidden(view: View, placing: Placing, keeper: LeaseKeeper, change: Commit) -> None:
    """What waits for a moderator counted as gone too, when an event told of it before us.

    ``change``: the commit that found its tombstone.
    """
    for slot, known in change.records.items():
        if known is None or known.state is RecordState.PUBLISHED:
            continue
        if view.record_views[slot].remote_id is None:
            tombstone = placing.reading.tombstone_of(slot.side, known.remote_id)
            if tombstone is None or not tombstone.privacy:
                placing.meet(slot, known.remote_id)
        if view.record_views[slot].remote_id == known.remote_id:
            _agree_again(view, keeper, slot, change)


def _agree_again(view: View, keeper: LeaseKeeper, slot: Slot, change: Commit) -> None:
    """It is there after all, and only out of sight: as our write made it."""
    if slot in change.if_gone:
        bases = {name: change.bases[name] for name in change.if_gone[slot].bases}
        keeper.commit(Commit(bases=bases))
        view.learn({}, bases)
