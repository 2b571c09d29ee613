"""What a run does next, by what it knows now. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sync_worker.core.plan import Action
from sync_worker.core.values import Operation
from sync_worker.engine.holds.locks import may_be_locked
from sync_worker.engine.link_plan import SlotWrite, plan_link
from sync_worker.engine.moves.leaving import may_leave
from sync_worker.engine.moves.strays import is_stray
from sync_worker.engine.record_view import EXTERNAL_SLOT, Source
from sync_worker.engine.view import View, shadowed_left
from sync_worker.engine.words.planning import has_untold_words


@dataclass(frozen=True, slots=True)
class RemoveLosers:
    """Remove the records that lost their place to another one of the same person."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Find out where the external record belongs: it names another person or thing."""


@dataclass(frozen=True, slots=True)
class LetGo:
    """Commit that records are another rating's now."""


@dataclass(frozen=True, slots=True)
class Save:
    """Commit the last write."""


@dataclass(frozen=True, slots=True)
class Look:
    """See what this write would change, before it is sent."""

    write: SlotWrite


@dataclass(frozen=True, slots=True)
class Send:
    """Send this write."""

    write: SlotWrite


@dataclass(frozen=True, slots=True)
class RemoveShadowed:
    """Remove the records behind the synced one."""

    remote_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Finish:
    """Commit the end of the run. ``actions``: by attribute, none of which asks for a write."""

    actions: Mapping[str, Action]


Step = RemoveLosers | Trace | LetGo | Save | Look | Send | RemoveShadowed | Finish


def next_step(view: View, *, is_saved: bool) -> Step:
    """What to do next; ``is_saved``: the last write is committed. Raises Held."""
    # Whatever showed them: a delivery, or a write that the remote refused for their sake.
    if view.losers:
        # A removal commits by itself, so the last write goes on file before it.
        return RemoveLosers() if is_saved else Save()
    # Nothing may be planned with a record that is another rating's.
    shown = view.record_views[EXTERNAL_SLOT]
    is_looked_at = shown.source is not Source.LEDGER and shown.remote_id is not None
    if is_looked_at and shown.remote_id not in view.departures.own and is_stray(view):
        return Trace()
    planned = plan_link(view)
    # A commit of its own, so the last write goes on file before it.
    if view.departures.waiting and may_leave(view, planned):
        return LetGo() if is_saved else Save()
    # A privacy request asks for all that the person said of this thing.
    shadowed = shadowed_left(view) if view.erases and planned.write is None else []
    if planned.write is None and not shadowed:
        return Finish(planned.actions)
    # Before the next call; what the commit tells may change the plan.
    if not is_saved:
        return Save()
    # erased on both sides; what stood behind the synced record is left
    if planned.write is None:
        return RemoveShadowed(shadowed)
    if must_look_first(view, planned.write):
        return Look(planned.write)
    return Send(planned.write)


def must_look_first(view: View, write: SlotWrite) -> bool:
    """Whether a write might cover, or double, what this run has not seen."""
    can = view.capabilities[write.slot.side]
    is_read = view.record_views[write.slot].source is Source.READ
    if can.locks_records and may_be_locked(view, write.slot):
        return True
    match write.operation:
        # may double a record, unless the remote refuses that or this run has searched
        case Operation.CREATE:
            return not can.is_unique and write.slot.side not in view.looked_up
        # may cover an edit, unless it names a revision or this run has read
        case Operation.UPDATE:
            if view.carried.words and has_untold_words(view, write.slot):
                return True
            return is_unagreed(view, write) or (not can.update_precondition and not is_read)
        # may remove an edit unseen, unless it names a revision or this run has read
        case Operation.DELETE:
            return not can.delete_precondition and not is_read
        # names no revision at all
        case Operation.WITHDRAW | Operation.APPROVE | Operation.REPLY:
            return not is_read


def is_unagreed(view: View, write: SlotWrite) -> bool:
    """Whether nothing that a record on file shows was ever agreed on: a write of ours came back as
    something else, which may be somebody's edit.
    """
    shown = view.record_views[write.slot]
    return shown.source is Source.LEDGER and not shown.is_hidden and not shown.values
