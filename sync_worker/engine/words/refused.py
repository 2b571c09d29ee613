"""Words that a remote refuses, and with them the stars beside them: those cross alone. Pure.

Why a write is refused is rarely said in a form that a program can rely on. So what carried words is
planned once more without them: refused again, it was not for the words.
"""

from __future__ import annotations

from sync_worker.core.values import Operation
from sync_worker.engine.link_plan import SlotWrite
from sync_worker.engine.moderation.refusals import REFUSED
from sync_worker.engine.view import View

CARRIES_WORDS = (Operation.CREATE, Operation.UPDATE, Operation.REPLY)


def note_refused_words(view: View, write: SlotWrite, reason: str) -> None:
    """The words of a write that was refused wait, if it can be planned without them."""
    # What a person has decided is written as it is, or not at all.
    if view.holds.decided is not None or write.operation not in CARRIES_WORDS:
        return
    # Not for what it says.
    if reason != REFUSED:
        return
    words = [name for name in write.targets if name in view.carried.words]
    rules = [view.carried.words[name].rule_on(write.slot.side) for name in words]
    # A new record would say something of ours in the person's name.
    if write.operation is Operation.CREATE and any(rule.required for rule in rules):
        return
    view.written.note_refused(write.slot.side, words)
