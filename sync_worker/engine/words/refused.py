"""Words that a remote refuses, and with them the stars beside them: those cross alone. Pure.

Why a write is refused is rarely said in a form that a program can rely on. So what carried words is
planned once more without them: refused again, it was not for the words.

Some systems fail over such words with a 500, as in an outage. What did not land in a few tries goes
once without its words; they follow, and if they alone fail still, it is for them.
"""

from __future__ import annotations

from collections.abc import Sequence

from sync_worker.core.errors import UnknownOutcome
from sync_worker.core.values import Delivery, Intent, Operation, Side
from sync_worker.engine.history_lines import line_for_refusal
from sync_worker.engine.link_plan import SlotWrite
from sync_worker.engine.moderation.refusals import REFUSED
from sync_worker.engine.view import View
from sync_worker.engine.words.planning import WORDS_REFUSED

INTERNAL_ERROR = 500  # what a gateway answers for a system that is away is another one
TRIES = 2  # that failed, before a write goes without its words
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
    if _can_be_left_out(view, write.slot.side, write.operation, words):
        view.written.note_refused(write.slot.side, words)


def note_not_landed(view: View, intent: Intent) -> None:
    """A write of an earlier run did not land: after a few tries its words go behind the rest."""
    side, words = intent.slot.side, [name for name in intent.targets if name in view.carried.words]
    # What a person has decided is written as it is; and words alone have nothing to go before them.
    if view.holds.decided is not None or len(words) in (0, len(intent.targets)):
        return
    tried = max((delivery.attempts for delivery in view.run.deliveries), default=0)
    if tried >= TRIES and _can_be_left_out(view, side, intent.operation, words):
        view.written.put_words_behind(side, words)


def fails_for_words(view: View, write: SlotWrite, failure: UnknownOutcome) -> bool:
    """Whether a write, if it has not landed, failed for what it says, and is no outage.

    Earlier ones with this text failed, the same without it was just taken, and it alone fails.
    """
    side = write.slot.side
    if failure.facts.status != INTERNAL_ERROR or view.holds.decided is not None:
        return False
    if any(name not in view.carried.words for name in write.targets):
        return False
    alone = view.written.goes_alone
    if side in view.written.taken_without and alone is not None:
        return set(write.targets) == {alone[1]} and alone[0] is side
    return _was_found_before(view, side)


def _was_found_before(view: View, target: Side) -> bool:
    """Whether words were held for that, and nothing in hand may tell of others."""
    hand = view.run.deliveries
    held = {_state_told(one) for one in hand if one.was_held and one.reason == WORDS_REFUSED}
    news = [one for one in hand if not one.was_held and one.new.side is not target]
    is_known = all(one.new.revision is not None and _state_told(one) in held for one in news)
    return bool(held) and is_known


def _state_told(delivery: Delivery) -> tuple[Side, str, int | None]:
    new = delivery.new
    return new.side, new.remote_id, new.revision


def hold_words(view: View, write: SlotWrite, intent: Intent, failure: UnknownOutcome) -> None:
    """The write has not landed: its words wait for a person, who sees what was answered."""
    newest = max((delivery.id for delivery in view.run.deliveries), default=None)
    view.note([line_for_refusal(intent, failure.facts, newest)])
    view.written.refused_words |= {(write.slot.side, name) for name in write.targets}


def _can_be_left_out(view: View, side: Side, operation: Operation, words: Sequence[str]) -> bool:
    rules = [view.carried.words[name].rule_on(side) for name in words]
    # A new record would say something of ours in the person's name.
    return operation is not Operation.CREATE or not any(rule.required for rule in rules)
