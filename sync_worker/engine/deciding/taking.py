"""Takes a person's decision into a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sync_worker.core.errors import Held
from sync_worker.core.hold_reasons import CONTENT_REPLACED, DECISION_OUTDATED, LINK_HELD, STOPPED
from sync_worker.core.ports.inbox import Closing, Inbox
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import Change, Delivery, HistoryEntry, InboxState, LinkState, Side
from sync_worker.core.values.decisions import Asked, Decision, decision_in
from sync_worker.engine.deciding.decided import Decided
from sync_worker.engine.history_lines import line_for_decision, line_for_stop
from sync_worker.engine.placing import Placing
from sync_worker.engine.reading import Reading
from sync_worker.engine.record_view import Source
from sync_worker.engine.view import View

FORGOTTEN = Closing(InboxState.DONE, "decision_forgotten")
STOPPED_HERE = Closing(InboxState.HELD, "stopped")
HELD_BESIDE = Closing(InboxState.HELD, LINK_HELD)
AT_STOP = Closing(InboxState.DONE, "rating_stopped")
STANDS_STILL = "the rating stands still"
DECIDED_ANEW = Closing(InboxState.SUPERSEDED, "decided anew")


@dataclass(frozen=True, slots=True)
class DecisionsInHand:
    """Applies deliveries of what a person decided. Raises as ``Reading``, and Held."""

    view: View
    reading: Reading
    placing: Placing
    inbox: Inbox

    def apply(self, delivery: Delivery) -> None:
        """Take in one decision."""
        decision = decision_in(delivery.new.payload)
        # Replayed so late that the retention has emptied it.
        if decision is None:
            self.view.close(delivery, FORGOTTEN)
            return
        is_stop = decision.asked is Asked.STOP and not self._may_go_on(delivery)
        # A person's word already: nothing comes before the release.
        if self.view.holds.is_frozen and (self.view.holds.is_for_a_person or not is_stop):
            self._end_at_stop(delivery)
            return
        if is_stop:
            self._stop(delivery, decision)
        elif decision.asked.writes:
            self._note(decision, delivery)
        self._look_at_both()

    def _may_go_on(self, delivery: Delivery) -> bool:
        """Whether a person has released what was stopped."""
        return delivery.must_read and self.inbox.was_released(delivery, STOPPED)

    def _stop(self, delivery: Delivery, decision: Decision) -> None:
        """The link rests until a person lets it go on. Raises Held.

        What else is in hand waits for that, but for a request to erase: that goes on.
        """
        in_hand = [one for one in self.view.run.deliveries if not one.stands_by]
        others = [one for one in in_hand if one.id != delivery.id]
        is_asked_to_erase = any(one.new.privacy for one in others)
        closings = {delivery.id: STOPPED_HERE}
        lines = [line_for_stop(decision, delivery.id)]
        if not is_asked_to_erase:
            decided = [one for one in others if one.new.change is Change.DECIDE]
            closings |= dict.fromkeys([one.id for one in others], HELD_BESIDE)
            closings |= dict.fromkeys([one.id for one in decided], AT_STOP)
            lines += _lines_at_stop(decided)
        self._end_now(closings, Commit(link_state=LinkState.HELD, history=lines))
        if not is_asked_to_erase:
            raise Held(LINK_HELD)

    def _end_at_stop(self, delivery: Delivery) -> None:
        """What was decided about a rating that stands still ends, on record."""
        self._end_now({delivery.id: AT_STOP}, Commit(history=_lines_at_stop([delivery])))

    def _end_now(self, closings: Mapping[int, Closing], change: Commit) -> None:
        """Before the end of the run: a person may release it in the next moment."""
        self.reading.keeper.commit(replace(change, closings=closings))
        self.view.holds.left.update(closings)

    def _note(self, decision: Decision, delivery: Delivery) -> None:
        """Of several decisions the newest counts."""
        is_forced = delivery.must_read and self.inbox.was_released(delivery, DECISION_OUTDATED)
        newest, older = Decided(decision, delivery, is_forced), self.view.holds.decided
        if older is not None and older.delivery.id != delivery.id:
            if older.delivery.id > delivery.id:
                newest, older = older, newest
            self.view.close(older.delivery, DECIDED_ANEW)
            self.view.note([line_for_decision(older, "", None, DECIDED_ANEW.reason)])
        self.view.holds.decide(newest)

    def _look_at_both(self) -> None:
        """Read what is on file; where nothing is, search."""
        for side in Side:
            slots = [slot for slot in self.view.record_views if slot.side is side]
            for slot in slots:
                if self.view.record_views[slot].source is not Source.READ:
                    self.reading.read(slot)
            is_missing = all(self.view.record_views[slot].remote_id is None for slot in slots)
            if is_missing and side not in self.view.looked_up:
                self.placing.look_up(side)


def _lines_at_stop(deliveries: Sequence[Delivery]) -> list[HistoryEntry]:
    found = [(decision_in(one.new.payload), one) for one in deliveries]
    return [
        line_for_decision(Decided(decision, one), "", None, STANDS_STILL)
        for decision, one in found
        if decision is not None
    ]


def decision_in_hand(deliveries: Sequence[Delivery]) -> Decided | None:
    """The newest decision that asks for writes, before any delivery is taken in."""
    found: Decided | None = None
    for delivery in deliveries:
        if delivery.new.change is not Change.DECIDE or delivery.stands_by:
            continue
        decision = decision_in(delivery.new.payload)
        if decision is not None and decision.asked.writes:
            found = Decided(decision, delivery)
    return found


def lets_go_on(deliveries: Sequence[Delivery]) -> bool:
    """Whether a person's decision is as good as the release of a link that is held.

    Not where a person stopped it, or has to put something back first.
    """
    is_stopped = any(one.reason in (STOPPED, CONTENT_REPLACED) for one in deliveries)
    return not is_stopped and decision_in_hand(deliveries) is not None
