"""The owner's reply: one more text of a record, set by a call of its own that names no revision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from sync_worker.core.plan import Action, Ignore, InStep, Write, plan
from sync_worker.core.ports.remote import Remote, Replies
from sync_worker.core.values import (
    Delivery,
    HistoryEntry,
    HistoryKind,
    Intent,
    Record,
    Side,
    Slot,
    Snapshot,
)
from sync_worker.core.values.links import COVERED_UNSEEN, Value
from sync_worker.core.values.texts import REPLY, WordsField
from sync_worker.engine.view import View

UNSUPPORTED = "unsupported"


def plan_reply(view: View, field: WordsField, wix: Snapshot, external: Snapshot) -> Action:
    """What to do about the reply to a review that both sides have."""
    policy = view.run.site.policy.of_replies()
    if policy is None:
        return InStep()
    action = plan(field, view.bases[REPLY], wix, external, policy)
    if not isinstance(action, Write):
        return action
    rule = field.rule_on(action.side)
    # The target shows replies and lets nobody set them, or has no way to take one away.
    if not rule.can_update or (not action.value and not rule.can_clear):
        return Ignore(UNSUPPORTED)
    # What nobody is to see on Wix is not answered outside: its time comes when it is published.
    if action.side is Side.EXTERNAL and view.record_views[view.slot_of(REPLY, Side.WIX)].is_hidden:
        return InStep()
    return action


def send_reply(remote: Remote, intent: Intent) -> Record:
    """Set the reply that a write wants. Raises as ``Replies``."""
    text = intent.targets[REPLY]
    return cast(Replies, remote).reply(intent.remote_id or "", str(text or ""))


def tells_other_reply(view: View, slot: Slot, told: Record | None) -> bool:
    """Whether an event of the revision on file shows another reply: that need not raise it."""
    # Its policy is off, as nearly always.
    if REPLY not in view.carried.words:
        return False
    if told is None or REPLY not in told.words or not told.is_visible:
        return False
    shown = view.record_views[slot]
    if told.revision is None or told.revision != shown.revision:
        return False
    now = view.value_on(slot.side, REPLY)
    return not view.carried.says_same(REPLY, slot.side, now, told.words[REPLY])


def lines_for_covered_reply(
    view: View, slot: Slot, delivery: Delivery, told: Record | None
) -> list[HistoryEntry]:
    """For a reply that a delivery tells of, and that ours has covered unseen.

    The ledger leaves out what an earlier line names: old news, and echoes of ours.
    """
    if told is None or not told.words.get(REPLY) or not told.is_visible:
        return []
    shown, side = view.record_views[slot], slot.side
    if told.revision is None or shown.revision is None or told.revision > shown.revision:
        return []
    # Where replies raise the revision, the gap between two of them tells.
    if told.revision < shown.revision and view.capabilities[side].revision_covers_state:
        return []
    was, now = told.words[REPLY], view.value_on(side, REPLY)
    is_agreed = view.carried.says_same(REPLY, side, now, view.bases[REPLY].on(side))
    # It stands, or what stands is news itself.
    if not is_agreed or view.carried.says_same(REPLY, side, now, was):
        return []
    return [_covered(side, told, was, delivery)]


def lines_for_deleted_reply(
    view: View, delivery: Delivery, told: Record | None, deleted: Mapping[str, Value | None]
) -> list[HistoryEntry]:
    """For a reply that went unseen with our delete; ``deleted``: what this took, as we knew it.

    What an earlier line names is left out, as above.
    """
    if told is None or not told.words.get(REPLY) or not told.is_visible:
        return []
    side, was = delivery.new.side, told.words[REPLY]
    if view.carried.says_same(REPLY, side, deleted.get(REPLY), was):
        return []
    return [_covered(side, told, was, delivery)]


def _covered(side: Side, told: Record, was: str, delivery: Delivery) -> HistoryEntry:
    return HistoryEntry(
        HistoryKind.GAP,
        side,
        REPLY,
        before=was,
        loser=was,
        loser_side=side,
        reason=COVERED_UNSEEN,
        remote_id=told.remote_id,
        inbox_id=delivery.id,
    )


def without_reply(words: Mapping[str, WordsField]) -> list[str]:
    """The names of what the person says."""
    return [name for name in words if name != REPLY]
