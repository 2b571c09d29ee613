"""What to do about a link as the run knows it by now. Pure.

An action for each attribute, then one write for each remote record that they change. Wix comes
before the external side: when the external record is written, all it had to tell has been told, so
the revision that our write returns may become its seen revision.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from sync_worker.core.errors import Held
from sync_worker.core.plan import NO_SIDE, Action, Delete, Hold, Ignore, Write, erase, plan
from sync_worker.core.values import Operation, Side, Slot, Snapshot, Value
from sync_worker.core.values.texts import REPLY
from sync_worker.engine.deciding.planning import plan_decided
from sync_worker.engine.holds.guests import guarded
from sync_worker.engine.holds.locks import lock_of
from sync_worker.engine.moderation.copies import plan_of_copy
from sync_worker.engine.moderation.visibility import (
    approval_due,
    is_only_hidden,
    seen_with_visibility,
)
from sync_worker.engine.record_view import EXTERNAL_SLOT, RecordView
from sync_worker.engine.view import View
from sync_worker.engine.words.planning import NORMALISED, plan_words, sides_reworded
from sync_worker.engine.words.replies import UNSUPPORTED

MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Told:
    """What a file tells of a new record besides its attributes.

    ``words``: also those that only its side carries; ``name``: of who wrote it;
    ``media``: addresses of pictures.
    """

    words: Mapping[str, str]
    name: str | None
    written_at: datetime | None
    media: tuple[str, ...] = ()


@dataclass(frozen=True)
class SlotWrite:
    """One remote write.

    ``targets``: the attributes that it changes; ``values``: all that the record shall hold;
    ``told``: of an import, what else a new record is given.
    """

    slot: Slot
    operation: Operation
    actions: Mapping[str, Write | Delete]
    values: Mapping[str, Value]
    told: Told | None = None

    @cached_property
    def targets(self) -> dict[str, Value | None]:
        """The wanted value of each attribute; ``None``: it is to go."""
        targets: dict[str, Value | None] = dict.fromkeys(self.actions)
        for name, action in self.actions.items():
            if isinstance(action, Write):
                targets[name] = action.value
        return targets

    @cached_property
    def is_privacy(self) -> bool:
        return any(
            isinstance(action, Delete) and action.privacy for action in self.actions.values()
        )


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """``actions``: by attribute; ``write``: the first one that they ask for, if any."""

    actions: Mapping[str, Action]
    write: SlotWrite | None


def plan_link(view: View) -> LinkPlan:
    """Plan each attribute; actions that no record can carry turn into holds.

    Raises Held: a privacy request asks for what the remote does not offer.
    """
    # A privacy request stands above every policy, and takes all attributes.
    if view.erases:
        return _plan_erasure(view)
    moderates = view.capabilities[Side.WIX].can_moderate
    actions = _plan_attributes(view, moderates=moderates)
    for slot in view.record_views:
        asked = slot_write(view, slot, actions)
        # as nearly always: the actions ask nothing of this record
        if asked is None:
            continue
        write = _taken(view, slot, asked, actions)
        # Only the first write: what comes of it may change the others.
        if write is not None:
            return LinkPlan(actions, write)
    if not moderates:
        return LinkPlan(actions, None)
    # Values agree, or are held: now who may see them.
    return LinkPlan(actions, _approval(view, actions))


def _taken(
    view: View, slot: Slot, asked: SlotWrite | Hold | None, actions: dict[str, Action]
) -> SlotWrite | None:
    """The write that a record takes of what is asked; what it does not take stays at its source."""
    names, moderates = view.carried.in_slot[slot], view.capabilities[Side.WIX].can_moderate
    while isinstance(asked, SlotWrite):
        if moderates and is_only_hidden(view, slot):
            asked = _withdrawn(view, asked)
        refusal, left = refusal_of(view, asked), names
        if refusal is None:
            return asked
        # Not what it says, but it may be answered all the same.
        if asked.operation is Operation.UPDATE:
            left = asked.actions
        _leave_at_source(actions, slot, left, refusal)
        asked = slot_write(view, slot, actions)
    # The record cannot be what the actions ask.
    if asked is not None:
        _leave_at_source(actions, slot, names, asked)
    return None


def _plan_attributes(view: View, *, moderates: bool) -> dict[str, Action]:
    """An action for each; ``moderates``: Wix shows and hides its records itself."""
    policy, main = view.run.site.policy, view.carried.main
    actions: dict[str, Action] = {}
    reworded = sides_reworded(view) if view.carried.words else NO_SIDE
    for name, field in view.fields.items():
        # Written in this run, and not taken as written: once more would end the same.
        if name in view.written.unmatched:
            actions[name] = Hold(NORMALISED)
            continue
        wix, external = _snapshots(view, name)
        edited = reworded if name == main else NO_SIDE
        base = view.bases[name]
        action = plan(field, base, wix, external, policy, edited)
        # One side showed nothing as both last agreed: perhaps a copy that waits for a moderator.
        if (base.wix is None) is not (base.external is None):
            action = plan_of_copy(view, name, field, action, (wix, external), edited)
        if moderates:
            action = seen_with_visibility(view, name, action)
        # Its record was not deleted: it is another rating's now.
        if view.departures.waiting and action == Delete(Side.WIX, "changed"):
            action = Delete(Side.WIX, MOVED)
        # Of most records it is known who gave them, or nothing tells.
        if view.record_views[EXTERNAL_SLOT].is_verified is False:
            action = guarded(view, name, action)
        actions[name] = action
    if view.carried.words:
        actions |= plan_words(view, actions[main or ""])
    if view.holds.decided is not None:
        actions |= plan_decided(view, view.holds.decided)
    return actions


def _approval(view: View, actions: Mapping[str, Action]) -> SlotWrite | None:
    due = approval_due(view, actions)
    if due is None:
        return None
    slot, action = due
    values = view.record_views[slot].values
    write = SlotWrite(slot, Operation.APPROVE, {slot.attribute: action}, values)
    return write if refusal_of(view, write) is None else None


def _withdrawn(view: View, write: SlotWrite) -> SlotWrite:
    """What is only hidden on the other side is kept, and hidden, too."""
    if write.operation is not Operation.DELETE:
        return write
    stars = {
        name: action for name, action in write.actions.items() if name not in view.carried.words
    }
    return replace(write, operation=Operation.WITHDRAW, actions=stars)


def _snapshots(view: View, attribute: str) -> list[Snapshot]:
    """An attribute as Wix shows it now, and as the external side does."""
    snapshots: list[Snapshot] = []
    for slot in (Slot(Side.WIX, attribute), EXTERNAL_SLOT):
        shown = view.record_views[slot]
        value = shown.values.get(attribute)
        may_be_ours = (slot.side, attribute) in view.written.maybe_ours
        snapshots.append(Snapshot(value, shown.heard, shown.privacy, may_be_ours))
    return snapshots


def held_slots(view: View, actions: Mapping[str, Action]) -> Set[Slot]:
    """Slots with a change that is kept back for a person."""
    undecided = [name for name, action in actions.items() if isinstance(action, Hold)]
    return {view.slot_of(name, side) for name in undecided for side in Side}


def refusal_of(view: View, write: SlotWrite) -> Hold | Ignore | None:
    """What becomes of a write that the remote does not offer."""
    can = view.capabilities[write.slot.side]
    # Refused in this run already, and by the state of that record it would be refused again.
    refused = view.holds.refused
    if refused and (write.slot, write.operation) in refused:
        return refused[write.slot, write.operation]
    lock = None
    if can.locks_records:
        lock = lock_of(view, write.slot, write.operation)
    if can.can(write.operation) and lock is None:
        return None
    # Declared as of no interest to a person (Okendo, Trustpilot). A privacy request always is.
    if write.operation in can.ignored_operations and not write.is_privacy:
        return Ignore(UNSUPPORTED)
    # A person has to do it by hand (Judge.me: update; Ecwid: create, update).
    return lock or Hold(UNSUPPORTED)


def _leave_at_source(
    actions: dict[str, Action], target: Slot, names: Collection[str], instead: Hold | Ignore
) -> None:
    """What the target cannot carry stays with its source.

    A ``Hold`` keeps it to be seen again, and with it what it would have covered; an ``Ignore``
    leaves it there, on record.
    """
    for name, action in actions.items():
        # asks for nothing, or for a write to the other side
        if not isinstance(action, Write | Delete) or action.side is not target.side:
            continue
        # a Wix record holds one attribute and its words, an external record all of them
        if name in names:
            actions[name] = instead


def _plan_erasure(view: View) -> LinkPlan:
    """Every record that is left has to go, also one that moderation keeps out of sight."""
    actions = {}
    for name in view.fields:
        actions[name] = erase(*_snapshots(view, name))
    write = _first_removal(view)
    # Held while a record is left that cannot be removed: the request must not pass for done.
    refusal = refusal_of(view, write) if write is not None else None
    if refusal is not None:
        raise Held(refusal.reason)
    return LinkPlan(actions, write)


def _first_removal(view: View) -> SlotWrite | None:
    for slot, record_view in view.record_views.items():
        if record_view.remote_id is not None:
            names = [slot.attribute] if slot.attribute else list(view.fields)
            gone = {name: Delete(slot.side, "privacy", privacy=True) for name in names}
            return SlotWrite(slot, Operation.DELETE, gone, {})
    return None


# -- from the actions for each attribute to one write for each remote record


def slot_write(view: View, slot: Slot, actions: Mapping[str, Action]) -> SlotWrite | Hold | None:
    """The write that the actions ask of this slot; a Hold where the record cannot be what they ask.

    On Wix each attribute is the main value of a record of its own: without it none can exist.
    """
    record_view, names = view.record_views[slot], view.carried.in_slot[slot]
    main_attribute = slot.attribute or view.carried.main
    mine: dict[str, Write | Delete] = {
        name: action
        for name, action in actions.items()
        if isinstance(action, Write | Delete) and action.side is slot.side and name in names
    }
    if not mine:
        return None
    # A write replaces the whole record: what stays as it is goes along.
    kept = {
        name: value
        for name, value in record_view.values.items()
        if not isinstance(mine.get(name), Delete)
    }
    values = kept | {
        name: action.value for name, action in mine.items() if isinstance(action, Write)
    }
    operation = _operation(record_view, values, main_attribute)
    if isinstance(operation, Hold):
        return operation
    write = SlotWrite(slot, operation, mine, values)
    if REPLY in mine and operation is Operation.UPDATE and isinstance(values[REPLY], str):
        return _reply_apart(write, record_view)
    return write


def _reply_apart(write: SlotWrite, record_view: RecordView) -> SlotWrite:
    """The owner's reply is set by a call of its own, after all else that its record is to show."""
    content = {name: action for name, action in write.actions.items() if name != REPLY}
    if not content:
        return replace(write, operation=Operation.REPLY)
    values = dict(write.values)
    del values[REPLY]
    if REPLY in record_view.values:
        values[REPLY] = record_view.values[REPLY]
    return replace(write, actions=content, values=values)


def _operation(
    record_view: RecordView, values: Mapping[str, Value], main_attribute: str | None
) -> Operation | Hold:
    # withdrawn by a moderator: not ours to change
    if record_view.is_withdrawn:
        return Hold("moderated")
    exists = record_view.remote_id is not None
    # nothing is left of it, its main value included
    if exists and not values and main_attribute is not None:
        return Operation.DELETE
    # its main value stays or changes, or is none of ours
    if exists and (main_attribute is None or main_attribute in values):
        return Operation.UPDATE
    # not there yet, and its main value is known
    if not exists and main_attribute in values:
        return Operation.CREATE
    # a sub-rating would stand alone: without its main value no record can exist
    return Hold("main_value_missing")
