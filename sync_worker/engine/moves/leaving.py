"""What goes on file of records that leave a link for another rating. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from sync_worker.core.plan import Action, Hold
from sync_worker.core.ports.links import Commit
from sync_worker.core.sweep_values import delivery_source
from sync_worker.core.values import (
    Change,
    HistoryEntry,
    HistoryKind,
    Known,
    NewDelivery,
    Side,
    Slot,
)
from sync_worker.engine.link_plan import LinkPlan
from sync_worker.engine.record_view import EXTERNAL_SLOT
from sync_worker.engine.view import View

ANOTHERS = "it names another person or thing now"


def may_leave(view: View, planned: LinkPlan) -> bool:
    """Whether what the records that wait to leave had brought to Wix is withdrawn."""
    # First Wix: were it withdrawn after the record shows there elsewhere, a crash might double it.
    if planned.write is not None and planned.write.slot.side is Side.WIX:
        return False
    on_file = view.memory.get(EXTERNAL_SLOT)
    is_on_file = on_file is not None and on_file.remote_id in view.departures.waiting
    return not (is_on_file and _is_kept_back(view, planned.actions))


def _is_kept_back(view: View, actions: Mapping[str, Action]) -> bool:
    """Whether what it brought to Wix, and nobody changed there, cannot be withdrawn yet."""
    held = [name for name, action in actions.items() if isinstance(action, Hold)]
    bases = {name: view.bases[name] for name in held if view.bases[name].external is not None}
    return any(view.value_on(Side.WIX, name) == base.wix for name, base in bases.items())


def commit_of_leaving(view: View) -> Commit:
    """The records are none of this link's any more; a delivery tells of each."""
    on_file = view.memory.get(EXTERNAL_SLOT)
    records: dict[Slot, Known | None] = {}
    history = []
    if on_file is not None and on_file.remote_id in view.departures.waiting:
        records[EXTERNAL_SLOT] = None
        line = HistoryEntry(
            HistoryKind.MOVE, Side.EXTERNAL, "", reason=ANOTHERS, remote_id=on_file.remote_id
        )
        history.append(line)
    # Until it is on file elsewhere, older news must not bring it back here. An erasure would take
    # the tombstone for one of its own.
    departures = view.departures.waiting.values()
    before = [one.before for one in departures if one.before is not None]
    if view.erases:
        before = []
    return Commit(
        records=records,
        buried=before,
        history=history,
        leaving=list(view.departures.waiting),
        passed_on=_hints_of(view),
    )


def _hints_of(view: View) -> list[NewDelivery]:
    """A delivery for each record that may cross to somebody, as ``Departures`` counts them."""
    site, lease = view.run.site, view.run.lease
    return [
        NewDelivery(
            Side.EXTERNAL,
            delivery_source(site, Side.EXTERNAL),
            # The fence is in the name: a record may come back, and leave again. Counted through the
            # whole run: one name twice would be one delivery.
            f"moved:{lease.link_id}:{lease.fence}:{number}",
            Change.UPSERT,
            remote_id,
            {},
        )
        for number, (remote_id, departure) in enumerate(
            view.departures.waiting.items(), view.departures.left_count
        )
        if departure.key is not None
    ]
