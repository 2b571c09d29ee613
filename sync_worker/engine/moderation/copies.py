"""Copies of ours that wait for a moderator, or that one hides and shows again. Pure.

Out of sight they show no values, so neither does the base of their side. What one shows when it
becomes visible is no edit if it is what the other side said when we wrote it.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from sync_worker.core.plan import Action, Agree, Field, InStep, plan
from sync_worker.core.scale import OffScale
from sync_worker.core.values import Base, RecordState, Side, Snapshot
from sync_worker.engine.view import View


def plan_of_copy(
    view: View,
    name: str,
    field: Field,
    action: Action,
    now: tuple[Snapshot, Snapshot],
    edited: Set[Side],
) -> Action:
    """What to do about an attribute that both sides last agreed on, with one of them out of sight.

    ``action``: as planned by the base on file. ``now``: as Wix shows it, and as the external side
    does.
    """
    wix, external = now
    base, policy = view.bases[name], view.run.site.policy
    hidden = Side.WIX if base.wix is None else Side.EXTERNAL
    if not _was_hidden(view, name, hidden):
        return action
    # deleted, or hidden, where it came from, while its copy waits: remembered until that is shown
    if wix.value is external.value is None and _is_hidden(view, name, hidden):
        return InStep()
    # changed where it came from, while its copy waited
    copy = wix if hidden is Side.WIX else external
    as_written = _base_as_shown(field, base, copy)
    if action == Agree() or as_written is None:
        return action
    return plan(field, as_written, wix, external, policy, edited)


def _was_hidden(view: View, name: str, side: Side) -> bool:
    """Whether its record was out of sight when it was last on file."""
    slot = view.slot_of(name, side)
    known, shown = view.memory.get(slot), view.record_views[slot]
    if known is None or known.remote_id != shown.remote_id:
        return False
    return known.state is not RecordState.PUBLISHED


def _is_hidden(view: View, name: str, side: Side) -> bool:
    return view.record_views[view.slot_of(name, side)].is_withdrawn


def _base_as_shown(field: Field, base: Base, shown: Snapshot) -> Base | None:
    """With what a copy shows by now; ``None``: that is not what we wrote."""
    said = base.external if base.wix is None else base.wix
    if said is None or shown.value is None:
        return None
    if base.wix is None:
        as_shown = replace(base, wix=shown.value)
    else:
        as_shown = replace(base, external=shown.value)
    try:
        is_as_written = field.agree(as_shown.wix, as_shown.external)
    # no value of its scale: nothing tells
    except OffScale:
        return None
    return as_shown if is_as_written else None
