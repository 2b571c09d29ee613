"""One run over one link, under its lease.

Settle an open intent → see both sides → plan → write, and plan again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from sync_worker.core.errors import (
    Held,
    LeaseLost,
    OfNewerVersion,
    Permanent,
    SyncError,
    Transient,
    UnknownOutcome,
)
from sync_worker.core.hold_reasons import STOPPED
from sync_worker.core.outcome import Outcome, OutcomeKind
from sync_worker.core.plan import Action, Delete
from sync_worker.core.ports.loop_guard import Guard
from sync_worker.core.ports.merges import Merges
from sync_worker.core.values import (
    Buried,
    Change,
    Delivery,
    LinkState,
    Operation,
    RatingKey,
    Side,
    Slot,
)
from sync_worker.core.values.records import NEWER_SECONDS
from sync_worker.engine.deciding.ending import end_decision
from sync_worker.engine.deciding.planning import note_verdict
from sync_worker.engine.deciding.taking import decision_in_hand, lets_go_on
from sync_worker.engine.deliveries import Deliveries
from sync_worker.engine.holds.looking_again import (
    in_order,
    is_of_its_record,
    is_only_a_hint,
    left_for_later,
    record_of,
)
from sync_worker.engine.link_plan import SlotWrite
from sync_worker.engine.next_step import (
    Finish,
    LetGo,
    Look,
    RemoveLosers,
    RemoveShadowed,
    Save,
    Send,
    Step,
    Trace,
    next_step,
)
from sync_worker.engine.placing import Placing
from sync_worker.engine.reading import Reading
from sync_worker.engine.run_end import end_of_run, ids_to_forget, outcome_of_run, reported
from sync_worker.engine.settling import Settling
from sync_worker.engine.view import View
from sync_worker.engine.words.refused import fails_for_words, hold_words
from sync_worker.engine.words.replies import UNSUPPORTED
from sync_worker.engine.writes.removals import MERGED, SHADOWED, remove_beside
from sync_worker.engine.writing import Writing

# far above what any policy needs; a run that has not settled by then starts anew later
MAX_STEPS = 96


@dataclass(frozen=True, slots=True)
class Finished:
    """A run is over. ``fresh``: deliveries that came in meanwhile.

    ``passed_on``: deliveries of records that are another rating's now, with the key of that.
    """

    outcome: Outcome
    fresh: Sequence[int]
    passed_on: Mapping[int, RatingKey]


@dataclass(frozen=True, slots=True)
class LinkRun:
    """Brings one link in step."""

    view: View
    reading: Reading
    placing: Placing
    deliveries: Deliveries
    writing: Writing
    settling: Settling
    merges: Merges
    guard: Guard

    def begin(self) -> None:
        """Settle what is open and take in the deliveries in hand. Raises SyncError."""
        self._refuse_if_stopped()
        run = self.view.run
        # First the open intent: what became of it decides what the deliveries still tell.
        if run.intent is not None and run.site.is_out_of_reach(run.intent.slot.side):
            self.writing.abandon()
        elif run.intent is not None:
            # It may have been for a person's decision, which is still in hand.
            decided = decision_in_hand(run.deliveries)
            self.view.holds.decide(decided)
            self.settling.settle(run.intent)
            self.view.holds.decide(None)
            if decided is not None and decided.is_written:
                self.view.holds.settled.add(decided.delivery.id)
        deliveries, later = run.deliveries, set[int]()
        # Nearly always there is one, and its order is plain.
        if len(deliveries) > 1:
            deliveries, later = in_order(deliveries), left_for_later(deliveries)
        looked_for = dict[tuple[Side, str], Delivery]()
        for delivery in deliveries:
            if delivery.id in later:
                self.deliveries.leave(delivery)
                continue
            self.reading.keeper.refuse_if_costly()
            first = delivery
            if len(deliveries) > 1 and is_only_a_hint(delivery):
                first = looked_for.setdefault(record_of(delivery), delivery)
            if first is delivery:
                self._take_in(delivery)
            else:
                self._take_in_as(delivery, first)
        if self.view.erases and not run.site.is_out_of_reach(Side.EXTERNAL):
            self.placing.shadow_hidden(Slot(Side.EXTERNAL))
            self.placing.shadow_silent(Slot(Side.EXTERNAL))
        # Nothing is written for it, but both sides may have come in step meanwhile.
        if self.view.holds.is_frozen:
            self.reading.read_all()

    def _take_in(self, delivery: Delivery) -> None:
        """Apply a delivery; what was held before, and cannot be looked at, stops nothing else."""
        try:
            self.deliveries.apply(delivery)
        except SyncError as error:
            is_again = delivery.was_held or delivery.stands_by
            if not is_again or not is_of_its_record(error):
                raise
            self.deliveries.leave(delivery)

    def _take_in_as(self, delivery: Delivery, first: Delivery) -> None:
        """What came of the look at its record for another one that was held comes of it, too."""
        view = self.view
        if first.id in view.holds.left:
            self.deliveries.leave(delivery)
            return
        self.deliveries.note_erased(delivery)
        view.holds.note(delivery, view.run.link)
        if first.id in view.slot_by_delivery:
            view.note_slot(delivery, view.slot_by_delivery[first.id])
        if first.id in view.closings:
            view.close(delivery, view.closings[first.id])

    def run_until_settled(self) -> Finished:
        """Plan and write until nothing is left to do.

        Raises SyncError; what was written is on file also then, unless the lease is lost.
        """
        try:
            for _ in range(MAX_STEPS):
                step = next_step(self.view, is_saved=self.writing.unsaved is None)
                if self.view.holds.decided is not None:
                    note_verdict(self.view, self.view.holds.decided)
                if self.view.holds.is_frozen:
                    _refuse_write(step)
                match step:
                    case RemoveLosers():
                        self._remove_losers()
                    case Trace():
                        self.placing.moves.trace()
                    case LetGo():
                        self.placing.moves.let_go()
                    case Save():
                        self.writing.save()
                    case Look(write):
                        self.look(write)
                    case Send(write):
                        try:
                            self.writing.perform(write)
                        except (Permanent, UnknownOutcome) as failure:
                            # Perhaps for its words: the next step plans without them.
                            if not self._goes_without_words(write, failure):
                                raise
                    case RemoveShadowed(remote_ids):
                        self._remove_shadowed(remote_ids)
                    # Words that were put behind have their turn.
                    case Finish() if self.view.written.takes_up_words():
                        pass
                    case Finish(actions):
                        finished = self._finish(actions)
                        if finished is not None:
                            return finished
                    case never:
                        assert_never(never)
            raise Transient("the link did not settle in one run")
        # another worker has the link: nothing of ours may go on file
        except LeaseLost:
            raise
        # the run stops, but its last write succeeded: on file before the error goes up
        except SyncError:
            self.writing.save()
            raise

    def _goes_without_words(self, write: SlotWrite, failure: SyncError) -> bool:
        """Whether the run goes on after a write that failed, perhaps for its words."""
        if not isinstance(failure, UnknownOutcome):
            return self.view.written.takes_another_try()
        intent = self.writing.announced
        if intent is None or not fails_for_words(self.view, write, failure):
            return False
        # Seen not to have landed, or it is in step.
        if not self.settling.settle(intent):
            hold_words(self.view, write, intent, failure)
        return True

    def look(self, write: SlotWrite) -> None:
        """See what a write would change: the record on file, or those that may be there."""
        if write.operation is Operation.CREATE:
            # nothing on file: a create might double what a search shows
            self.placing.look_up(write.slot.side)
        else:
            self.reading.read(write.slot)

    def _refuse_if_stopped(self) -> None:
        run = self.view.run
        # as nearly always
        is_stopped = False
        for one in run.deliveries:
            # A merge of contacts lets go what was held of a link, but for that.
            if one.reason == STOPPED and one.stands_by:
                is_stopped = True
        if run.site.is_at_work and run.link.state is not LinkState.HELD and not is_stopped:
            return
        # What waits for a person asks for nothing yet.
        asks_to_erase = any(one.new.privacy for one in run.deliveries if not one.stands_by)
        if not run.site.is_at_work and not asks_to_erase:
            # since the delivery was opened
            if run.site.is_of_newer_version:
                raise OfNewerVersion(retry_after=NEWER_SECONDS)
            raise Held(run.site.why_at_rest)
        # A held link whose write may yet show is looked at again.
        is_held = run.link.state is LinkState.HELD or is_stopped
        if is_held and run.intent is None and not asks_to_erase and not lets_go_on(run.deliveries):
            self.view.holds.is_frozen = True

    def _remove_losers(self) -> None:
        while self.view.losers:
            slot, record = self.view.pop_loser()
            remove_beside(self.writing, slot, record, Delete(slot.side, MERGED))

    def _remove_shadowed(self, remote_ids: Sequence[str]) -> None:
        slot, moves = Slot(Side.EXTERNAL), self.placing.moves
        for remote_id in remote_ids:
            # It stands behind this rating no more: another one has it on file.
            if moves.is_elsewhere(slot.side, remote_id):
                continue
            record = self.reading.get(slot.side, remote_id)
            # It names another person or thing by now: not this person's to take along.
            if record is not None and not moves.stays(slot.side, record):
                self.view.part_with(slot, remote_id)
                continue
            if record is not None:
                # There, and the remote offers no delete: a person has to do it by hand.
                if not self.view.capabilities[slot.side].can_delete:
                    raise Held(UNSUPPORTED)
                action = Delete(slot.side, SHADOWED, privacy=True)
                remove_beside(self.writing, slot, record, action)
            # Removed now, or gone before: late news of it must find a tombstone.
            self.view.bury(Buried(slot.side, remote_id))

    def _finish(self, actions: Mapping[str, Action]) -> Finished | None:
        """Commit the last write, what was seen, the deliveries and the lease's end in one step.

        ``None``, and the lease goes on, if a record that is new on file was deleted before anybody
        knew its link.
        """
        if self.view.erases:
            self._forget_guarded()
        if self.view.holds.decided is not None:
            end_decision(self.view, self.view.holds.decided, actions)
        outcome = outcome_of_run(self.view, actions)
        holds = self.view.holds
        holds.of_new_records = {one.id for one in holds.standing_by if self._is_of_new_record(one)}
        # They do not agree, or a person has something to put back: the link stands as before.
        if holds.is_frozen and (outcome.kind is OutcomeKind.HELD or holds.is_for_a_person):
            raise Held("link_held")
        end = end_of_run(self.view, actions, outcome, self.view.take_history())
        committed = self.writing.save(end)
        if committed is None:
            return None
        fresh, passed_on = committed.fresh, self.view.departures.passed_on
        return Finished(reported(self.view, outcome), fresh, passed_on)

    def _is_of_new_record(self, held: Delivery) -> bool:
        """Whether it tells of a record that is on file nowhere, and not known to be gone."""
        side, remote_id = held.new.side, held.new.remote_id
        if held.new.change != Change.UPSERT or self.view.slot_on_file(side, remote_id) is not None:
            return False
        located = self.reading.directory.locate(self.view.run.site.id, side, remote_id)
        return not located.is_on_file and not self.reading.is_out(side, remote_id)

    def _forget_guarded(self) -> None:
        """Make the loop guard forget the person, before the commit.

        Forgotten too early the guard only costs a look; forgotten never it tells of a person.
        """
        run = self.view.run
        for side, remote_id in ids_to_forget(self.view, self.merges.buried_with(run.link.id)):
            self.guard.forget(run.site.id, side, remote_id)


def _refuse_write(step: Step) -> None:
    """A held link may look, and end if both sides are in step. Raises Held."""
    if isinstance(step, RemoveLosers | Send | RemoveShadowed):
        raise Held("link_held")
