"""Removes a record beside the one on file, for which another one of the same person stands."""

from __future__ import annotations

from sync_worker.core.errors import Conflict, Held, Permanent, Transient, UnknownOutcome
from sync_worker.core.plan import Delete
from sync_worker.core.values import Intent, Operation, Record, Slot
from sync_worker.engine.holds.locks import RECORD_LOCKED
from sync_worker.engine.link_plan import SlotWrite
from sync_worker.engine.writes.values import commit_of_removal, intent_beside
from sync_worker.engine.writing import Writing

MERGED, SHADOWED = "merged", "shadowed"  # why it is removed


def remove_beside(writing: Writing, slot: Slot, record: Record, action: Delete) -> None:
    """Remove it: by intent, with a line in the history. Nothing else may be unsaved.

    Raises as ``Writing.perform``.
    """
    view = writing.view
    if Operation.DELETE in record.locked:
        raise Held(RECORD_LOCKED)
    names = view.carried.in_slot[slot]
    write = SlotWrite(slot, Operation.DELETE, dict.fromkeys(names, action), {})
    writing.limits.check(write)
    intent = intent_beside(view, write, record, writing.new_id())
    writing.announce(intent)
    try:
        writing.reading.remotes[slot.side].delete(record.remote_id, record.revision)
    # sent, and perhaps done: the intent stays open
    except UnknownOutcome:
        raise
    except Conflict as conflict:
        # changed there just now: the next run looks at both again
        writing.abandon()
        raise Transient("the record changed just now", retry_after=1.0) from conflict
    except (Transient, Permanent):
        # not done, for sure
        writing.abandon()
        raise
    remember_removal(writing, intent)


def remember_removal(writing: Writing, intent: Intent) -> None:
    """A record beside the one on file is gone: commit that."""
    change = commit_of_removal(writing.view, intent)
    writing.keeper.commit(change)
    writing.view.written.add()
    writing.view.learn(change.records, {})


def is_beside(intent: Intent) -> bool:
    """Whether it removes a record for which another one of the same person stands."""
    reasons = set(intent.reasons.values())
    return intent.operation is Operation.DELETE and reasons <= {MERGED, SHADOWED}
