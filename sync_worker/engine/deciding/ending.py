"""How a run ends a person's decision. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from sync_worker.core.plan import Action, Hold, Write
from sync_worker.core.ports.inbox import ERASED, Closing
from sync_worker.core.values import InboxState, Intent
from sync_worker.engine.deciding.decided import Decided
from sync_worker.engine.deciding.planning import DecidedPlan, Verdict
from sync_worker.engine.history_lines import line_for_decision
from sync_worker.engine.link_plan import SlotWrite
from sync_worker.engine.view import View
from sync_worker.engine.words.replies import UNSUPPORTED

OUTDATED = Closing(InboxState.HELD, "decision_outdated")
RATING_GONE = Closing(InboxState.DONE, "rating_gone")


def end_decision(view: View, decided: Decided, actions: Mapping[str, Action]) -> None:
    """Say what became of the decision; without a closing here it is done."""
    plan, delivery = DecidedPlan(view, decided), decided.delivery
    names = plan.names
    asked = [actions[name] for name in names if name in actions]
    held = [action.reason for action in asked if isinstance(action, Hold)]
    verdict = plan.verdict
    # its person asked to be forgotten
    if view.erases:
        view.close(delivery, ERASED)
    # deleted since, on both sides
    elif verdict is Verdict.GONE:
        view.close(delivery, RATING_GONE)
        view.note([line_for_decision(decided, "", None, "the rating is gone")])
    # edited since: what is there now stands, and a person looks again
    elif verdict is Verdict.OUTDATED:
        view.close(delivery, OUTDATED)
        side = decided.decision.side
        now = {name: view.value_on(side, name) for name in names} or {"": None}
        view.note(line_for_decision(decided, *one, "edited since") for one in now.items())
    # a side cannot be as decided
    elif plan.is_unsupported:
        view.close(delivery, Closing(InboxState.HELD, UNSUPPORTED))
    elif held:
        view.close(delivery, Closing(InboxState.HELD, held[0]))
    # both sides were so already
    elif not decided.is_written and delivery.id not in view.holds.settled:
        view.note([line_for_decision(decided, "", None, "nothing to change")])


def note_written(decided: Decided, intent: Intent) -> None:
    """A write succeeded: the history names who decided it."""
    if decided.reason in intent.reasons.values():
        decided.is_written = True


def note_tried(decided: Decided, write: SlotWrite) -> None:
    """This write is for the decision, whatever comes of it."""
    for name, action in write.actions.items():
        if isinstance(action, Write) and action.reason == decided.reason:
            decided.tried.add((write.slot.side, name))
