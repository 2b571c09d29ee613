"""What is hidden on one side and shown on the other: who follows whom. Pure.

Values are planned first, as if everything were in sight; then who may see them. Only where the Wix
side moderates: elsewhere what is hidden is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sync_worker.core.plan import Action, Delete, Hold, Ignore, InStep, Write
from sync_worker.core.ports.links import IfGone
from sync_worker.core.values import (
    Base,
    HistoryEntry,
    HistoryKind,
    Known,
    RecordState,
    Side,
    Slot,
    Standing,
)
from sync_worker.core.values.sites import RejectedImport
from sync_worker.engine.record_view import RecordView
from sync_worker.engine.view import View

EXTERNAL_SLOT = Slot(Side.EXTERNAL)
HIDDEN_OUTSIDE = "hidden_outside"
SHOWN_OUTSIDE = "shown_outside"
REJECTED_IMPORT = "rejected_import"
APPROVE_OURS = "wix_approve_ours"
MODERATED = "moderated"
MAYBE_UNPUBLISHED = "maybe_unpublished"


def seen_with_visibility(view: View, attribute: str, action: Action) -> Action:
    """The planned action, where a side hides what the other one shows. Raises TooLong."""
    wix = view.record_views[view.slot_of(attribute, Side.WIX)]
    # A source that goes takes along what nobody may see.
    if wix.is_missed and not (isinstance(action, Delete) and action.side is Side.WIX):
        return Hold(MAYBE_UNPUBLISHED)
    if isinstance(action, Write) and action.side is Side.EXTERNAL and wix.is_hidden:
        return _kept_out_of_sight(view, attribute)
    if not isinstance(action, Delete) or action.privacy:
        return action
    # deleted on Wix, where nobody saw it: its owner did not want what we had brought
    if action.side is Side.EXTERNAL and _is_unwanted_import(view, attribute):
        # a visitor's own stands in its place, and waits
        return Hold(MODERATED) if wix.is_hidden else Ignore(REJECTED_IMPORT)
    # its owner rejected what we had brought, and by policy its source goes, too
    if action.side is Side.EXTERNAL and wix.standing is Standing.REJECTED:
        return replace(action, reason=REJECTED_IMPORT)
    # deleted outside, or another rating's by now: it goes on Wix, too
    if action.side is Side.EXTERNAL or not view.record_views[EXTERNAL_SLOT].is_withdrawn:
        return action
    # hidden on both sides; or the owner shows what we have withdrawn once
    if wix.is_hidden or wix.standing.is_withdrawn:
        return InStep()
    return replace(action, reason=HIDDEN_OUTSIDE)


def _is_unwanted_import(view: View, attribute: str) -> bool:
    """Whether what we brought waited, or was rejected, when it went: by policy its source stays."""
    slot = view.slot_of(attribute, Side.WIX)
    known = view.memory.get(slot)
    if known is None or view.record_views[slot].remote_id == known.remote_id:
        return False
    # Its publication may have been told in the same run.
    went_as = view.tombstones.last_states.get((Side.WIX, known.remote_id), known.state)
    return _is_unwanted(view, replace(known, state=went_as))


def _is_unwanted(view: View, gone: Known) -> bool:
    """Whether a record that is gone was ours, out of sight, and by policy its source stays."""
    keeps = view.run.site.policy.rejected_import is RejectedImport.KEEP
    is_ours = gone.standing in (Standing.OURS, Standing.TO_APPROVE)
    return keeps and is_ours and gone.state is not RecordState.PUBLISHED


def left_if_gone(
    view: View, slot: Slot, known: Known | None, bases: Mapping[str, Base]
) -> dict[Slot, IfGone]:
    """What stays of an import, should its owner have deleted it before we knew its link.

    ``known``, ``bases``: as our write made it. On file with the commit that finds it gone: a run
    that dies after that must not take it for a visitor's own, whose source goes, too.
    """
    # It was on file before, or it goes with its source.
    if known is None or slot in view.memory or not _is_unwanted(view, known):
        return {}
    alone = {name: replace(base, wix=None) for name, base in bases.items()}
    lines = [
        HistoryEntry(HistoryKind.IGNORE, None, name, after=base.external, reason=REJECTED_IMPORT)
        for name, base in bases.items()
        if name == slot.attribute
    ]
    return {slot: IfGone(alone, lines)}


def _kept_out_of_sight(view: View, attribute: str) -> Action:
    """Instead of bringing outside what nobody is to see on Wix. Raises TooLong."""
    base, outside = view.bases[attribute], view.value_on(Side.EXTERNAL, attribute)
    # it has never been outside, as far as we know: its time comes when it is published
    if outside is None and base.external is None:
        return InStep()
    # edited on Wix: the edit waits with it
    is_as_before = view.carried.says_same(attribute, Side.EXTERNAL, base.external, outside)
    if outside is None or is_as_before or not view.run.site.policy.may_write(Side.WIX):
        return Hold(MODERATED)
    # edited outside, too, where everybody sees it
    value = view.carried.field_of(attribute).carried(Side.WIX, outside, base.wix)
    return Write(Side.WIX, value, "changed")


def is_only_hidden(view: View, slot: Slot) -> bool:
    """Whether what is to go on Wix is only hidden outside: it is kept, and hidden, too."""
    return slot.side is Side.WIX and view.record_views[EXTERNAL_SLOT].is_withdrawn


def approval_due(view: View, actions: Mapping[str, Action]) -> tuple[Slot, Write] | None:
    """The first record that we are to publish, once both sides show the same values."""
    if not view.run.site.policy.may_write(Side.WIX):
        return None
    for slot, shown in view.record_views.items():
        is_ours_to_show = slot.side is Side.WIX and shown.is_hidden
        if not is_ours_to_show or isinstance(actions.get(slot.attribute), Hold):
            continue
        reason = _reason_to_approve(shown, view.record_views[EXTERNAL_SLOT])
        value = shown.values.get(slot.attribute)
        if reason and value is not None:
            return slot, Write(Side.WIX, value, reason)
    return None


def _reason_to_approve(shown: RecordView, external: RecordView) -> str:
    # not before it is shown outside (again)
    if external.is_withdrawn:
        return ""
    if shown.standing is Standing.TO_APPROVE:
        return APPROVE_OURS
    if shown.standing.is_withdrawn and external.remote_id is not None:
        return SHOWN_OUTSIDE
    return ""
