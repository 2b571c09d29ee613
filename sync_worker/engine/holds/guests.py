"""A member's rating, and a guest who may know no more of the member than the address. Pure.

Where a system takes ratings of guests, an address proves nothing: under ``guest_may_change=hold``
a record that the system does not verify neither changes what Wix shows nor takes the place of the
record on file, until a person lets it in. What is on file already may change: it was let in.
"""

from __future__ import annotations

from sync_worker.core.plan import Action, Delete, Hold, Write
from sync_worker.core.ports.inbox import Closing
from sync_worker.core.scale import OffScale
from sync_worker.core.values import Delivery, GuestMayChange, InboxState, Record, Side, Slot
from sync_worker.engine.view import View

GUEST_CHANGE = Closing(InboxState.HELD, "guest_change")


def may_be_anybodys(view: View, remote_id: str | None, is_verified: bool | None) -> bool:
    """Whether a record may have been given by anybody, and no person has let it in."""
    # Most systems do not say: then there is nothing to go by.
    if is_verified is not False or remote_id in view.let_in:
        return False
    return view.run.site.policy.guest_may_change is GuestMayChange.HOLD


def would_change_wix(view: View, slot: Slot, record: Record) -> bool:
    """Whether a record that is not on file tells another opinion than Wix shows."""
    told = view.seen_as(slot, record).values
    for name, value in told.items():
        shown = view.value_on(Side.WIX, name)
        if shown is None:
            continue
        try:
            if not view.carried.field_of(name).agree(shown, value):
                return True
        except OffScale:
            # It has no class on its scale: surely not the same.
            return True
    return False


def is_overtaken(view: View, delivery: Delivery) -> bool:
    """Whether the member has said something newer since, which is in hand."""
    for other in view.run.deliveries:
        slot = view.slot_on_file(Side.WIX, other.new.remote_id)
        is_later = other.new.side is Side.WIX and other.id > delivery.id
        if is_later and slot is not None and view.is_news(other, slot):
            return True
    return False


def guarded(view: View, name: str, action: Action) -> Action:
    """The planned action; a change of what Wix shows by a record that may be anybody's is held."""
    if not isinstance(action, Write | Delete) or action.side is not Side.WIX:
        return action
    slot = Slot(Side.EXTERNAL)
    record_view, on_file = view.record_views[slot], view.memory.get(slot)
    is_on_file = on_file is not None and on_file.remote_id == record_view.remote_id
    if is_on_file or view.value_on(Side.WIX, name) is None:
        return action
    if may_be_anybodys(view, record_view.remote_id, record_view.is_verified):
        return Hold(GUEST_CHANGE.reason)
    return action
