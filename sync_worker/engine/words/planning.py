"""What to do about the words of a rating, by the action of its main value. Pure.

Where both sides have the record, words go by the decision table like any attribute. They never make
or remove one: they come with its creation and go with its deletion.
"""

from __future__ import annotations

from collections.abc import Set

from sync_worker.core.plan import (
    TOO_LONG,
    Action,
    Agree,
    Delete,
    Hold,
    Ignore,
    InStep,
    Write,
    plan,
)
from sync_worker.core.values import Side, Slot, Snapshot
from sync_worker.core.values.texts import REPLY, TooLong, WordsField
from sync_worker.engine.holds.guests import guarded
from sync_worker.engine.moderation.visibility import MODERATED, seen_with_visibility
from sync_worker.engine.record_view import Source
from sync_worker.engine.view import View
from sync_worker.engine.words.replies import UNSUPPORTED, plan_reply, without_reply

NORMALISED = "normalised_by_remote"
WORDS_REFUSED = "words_refused"


def sides_reworded(view: View) -> Set[Side]:
    """Sides where the person says something else than when both last agreed."""
    return {
        side
        for side in _sides_with_record(view)
        for name in without_reply(view.carried.words)
        # What never crossed is no edit since both agreed.
        if view.bases[name].on(side) is not None
        and not view.carried.says_same(
            name, side, view.bases[name].on(side), view.value_on(side, name)
        )
    }


def _sides_with_record(view: View) -> Set[Side]:
    main = view.carried.main or ""
    return {side for side in Side if view.value_on(side, main) is not None}


def plan_words(view: View, main: Action) -> dict[str, Action]:
    """An action for each of the words; ``main``: that of their record's main value."""
    there = _sides_with_record(view)
    actions: dict[str, Action] = {}
    for name, field in view.carried.words.items():
        # Written in this run, and not taken as written: once more would end the same.
        if name in view.written.unmatched:
            actions[name] = Hold(NORMALISED)
        elif len(there) == len(Side):
            actions[name] = _plan_text(view, field)
        else:
            actions[name] = _go_along(view, field, main)
    for side, name in (*view.written.refused_words, *view.written.put_behind):
        action = actions.get(name)
        # Refused in this run, perhaps for what it says, or put behind: the stars go without it.
        if isinstance(action, Write) and action.side is side:
            actions[name] = Hold(WORDS_REFUSED)
    return actions


def _plan_text(view: View, field: WordsField) -> Action:
    """Both sides have the record."""
    name = field.name
    wix, external = (
        Snapshot(
            view.value_on(side, name),
            view.record_views[view.slot_of(name, side)].heard,
            may_be_ours=(side, name) in view.written.maybe_ours,
        )
        for side in Side
    )
    # not the person's, and only where policy lets it travel
    if name == REPLY:
        return plan_reply(view, field, wix, external)
    action = plan(field, view.bases[name], wix, external, view.run.site.policy)
    if view.capabilities[Side.WIX].can_moderate:
        action = _seen(view, name, action)
    # The target shows such a text, and lets nobody change it.
    if isinstance(action, Write) and not field.rule_on(action.side).can_update:
        return Ignore(UNSUPPORTED)
    # Of most records it is known who gave them, or nothing tells.
    if view.record_views[view.slot_of(name, Side.EXTERNAL)].is_verified is False:
        return guarded(view, name, action)
    return action


def _seen(view: View, name: str, action: Action) -> Action:
    try:
        return seen_with_visibility(view, name, action)
    except TooLong:
        return Hold(TOO_LONG)


def _go_along(view: View, field: WordsField, main: Action) -> Action:
    """One side, or none, has the record."""
    name = field.name
    match main:
        # made anew: with what was said, where that may be given
        case Write(target):
            text = view.value_on(target.other, name)
            if not text or not field.rule_on(target).can_create:
                return InStep()
            try:
                return Write(target, str(field.carried(target, str(text), None)), main.reason)
            except TooLong:
                return Hold(TOO_LONG)
        # removed: what it said goes, and the history keeps it
        case Delete(target) if view.value_on(target, name) is not None:
            return Delete(target, main.reason, main.privacy)
        # nobody has decided yet, or it is hidden on a side: an edit waits with it
        case Hold() | InStep():
            return _kept_back(view, field)
        case _:
            pass
    now = tuple(view.value_on(side, name) for side in (Side.WIX, Side.EXTERNAL))
    base = view.bases[name]
    # it stays as it is with its record, or is gone with it
    return InStep() if now == (base.wix, base.external) else Agree()


def _kept_back(view: View, field: WordsField) -> Action:
    name, policy = field.name, view.run.site.policy
    # not the person's: its time comes when both sides show the record
    if name == REPLY:
        return InStep()
    for side in _sides_with_record(view):
        base, target = view.bases[name].on(side), side.other
        # It crossed, and was edited since.
        is_edit = base is not None and not view.carried.says_same(
            name, side, base, view.value_on(side, name)
        )
        is_hidden = view.record_views[view.slot_of(name, target)].is_hidden
        may_cross = policy.may_write(target) and field.rule_on(target).can_update
        if is_edit and is_hidden and may_cross:
            return Hold(MODERATED)
    return InStep()


def has_untold_words(view: View, slot: Slot) -> bool:
    """Whether nobody has seen what words a record has that the ledger remembers.

    It came on file before its words were kept in step: to be read before it is written.
    """
    shown = view.record_views[slot]
    if shown.source is not Source.LEDGER:
        return False
    words, names = view.carried.words, view.carried.in_slot[slot]
    return any(name in words and name not in shown.values for name in names)
