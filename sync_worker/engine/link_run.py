"""One run over one link, under its lease: settle an open intent → see both sides → plan → write,
and plan again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sync_worker.core.errors import Held, LeaseLost, SyncError, Transient
from sync_worker.core.outcome import Outcome, OutcomeKind
from sync_worker.core.plan import Action, Agree, Delete, Hold, Ignore, erase, plan
from sync_worker.core.ports.inbox import Closing
from sync_worker.core.ports.links import Commit, LeasedLink
from sync_worker.core.scale import FieldMap
from sync_worker.core.values import (
    Base,
    Buried,
    InboxState,
    Known,
    LinkState,
    Operation,
    Side,
    Slot,
)
from sync_worker.engine.history_lines import lines_of_rest
from sync_worker.engine.slot_write import MAIN_FIELD, SlotWrite, slot_write
from sync_worker.engine.view import SUPERSEDED, View
from sync_worker.engine.writing import MERGED, SHADOWED, Writing

UNSUPPORTED = "unsupported"
ROUNDS = 48  # far above what any policy needs; a run that has not settled by then starts anew later


@dataclass(slots=True)
class LinkRun:
    """Brings one link in step. ``fresh``: deliveries that came in meanwhile, known when the run is
    over.

    ``stuck``: slots whose change is kept back.
    """

    run: LeasedLink
    view: View
    writing: Writing
    stuck: set[Slot] = field(default_factory=set)
    fresh: list[int] = field(default_factory=list)

    def work(self) -> Outcome:
        """Bring the link in step. Raises SyncError; what was written is on file also then."""
        self.begin()
        return self.come_to_rest()

    def begin(self) -> None:
        """Settle what is open and take in the deliveries in hand."""
        self._refuse_if_stopped()
        if self.run.intent is not None:
            self.writing.settle(self.run.intent)
        for delivery in self.run.deliveries:
            self.view.hear(delivery)

    def come_to_rest(self) -> Outcome:
        """Plan and write until nothing is left to do."""
        try:
            return self._come_to_rest()
        except LeaseLost:
            raise
        except SyncError:
            self.writing.save()
            raise

    def _come_to_rest(self) -> Outcome:
        for _ in range(ROUNDS):
            self._remove_losers()
            actions = self.plan()
            write = self.next_write(actions)
            behind = self.view.shadowed_left() if self.view.erases and write is None else []
            if (write is not None or behind) and self.writing.written is not None:
                self.writing.save()  # before the next call; what that tells may change the plan
            elif write is not None:
                self.writing.perform(write)
            elif behind:
                self._remove_shadowed(behind)
            elif (outcome := self.finish(actions)) is not None:
                return outcome
        raise Transient("the link did not settle in one run")

    def _remove_losers(self) -> None:
        """Whatever showed them: a delivery, or a write that the remote refused for their sake."""
        if self.view.losers:
            self.writing.save()
        while self.view.losers:
            _, (slot, record) = self.view.losers.popitem()
            self.writing.remove_beside(slot, record, Delete(slot.side, MERGED))

    def _refuse_if_stopped(self) -> None:
        if not self.run.site.is_at_work:
            raise Held(f"site_{self.run.site.state}")
        # A held link whose write may yet show is looked at again.
        asks_to_erase = any(delivery.new.privacy for delivery in self.run.deliveries)
        if self.run.link.state is LinkState.HELD and self.run.intent is None and not asks_to_erase:
            raise Held("link_held")

    # -- planning

    def plan(self) -> dict[str, Action]:
        """One action for each mapped attribute."""
        actions = {name: self._plan(name, field) for name, field in self.view.fields.items()}
        undecided = [name for name, action in actions.items() if isinstance(action, Hold)]
        self.stuck = {self.view.slot_of(name, side) for name in undecided for side in Side}
        return actions

    def _plan(self, name: str, field: FieldMap) -> Action:
        wix, external = (
            self.view.record_views[self.view.slot_of(name, side)].snapshot(name) for side in Side
        )
        if self.view.erases:
            return erase(wix, external)
        return plan(field, self.writing.bases[name], wix, external, self.run.site.policy)

    def next_write(self, actions: dict[str, Action]) -> SlotWrite | None:
        """The first remote write that the actions ask for; actions that no record can carry turn
        into holds.
        """
        if self.view.erases:
            erasure = self._next_erasure()
            if erasure is not None and self._refusal_of(erasure) is not None:
                raise Held(UNSUPPORTED)
            return erasure
        for slot, record_view in self.view.record_views.items():
            write = slot_write(slot, record_view, actions, slot.attribute or self._main_attribute)
            refusal = self._refusal_of(write) if isinstance(write, SlotWrite) else write
            if isinstance(write, SlotWrite) and refusal is None:
                return write
            if isinstance(refusal, Hold):
                self._keep_back(slot, actions, refusal)
            elif isinstance(refusal, Ignore):
                self._let_be(slot, actions, refusal)
        return None

    def _refusal_of(self, write: SlotWrite) -> Hold | Ignore | None:
        """What becomes of a write that the remote does not offer; a privacy request is never just
        noted.
        """
        can = self.view.remote(write.slot.side).capabilities
        if can.can(write.operation):
            return None
        is_ignored = write.operation in can.ignored_operations and not write.is_privacy
        return Ignore(UNSUPPORTED) if is_ignored else Hold(UNSUPPORTED)

    def _let_be(self, target: Slot, actions: dict[str, Action], ignore: Ignore) -> None:
        """The change stays on its side, on record."""
        for name, action in actions.items():
            if getattr(action, "side", None) is target.side and target.attribute in ("", name):
                actions[name] = ignore

    def _next_erasure(self) -> SlotWrite | None:
        """Every record that is left has to go, also one that moderation keeps out of sight."""
        for slot, record_view in self.view.record_views.items():
            if record_view.remote_id is not None:
                names = [slot.attribute] if slot.attribute else list(self.view.fields)
                gone = {name: Delete(slot.side, "privacy", privacy=True) for name in names}
                return SlotWrite(slot, Operation.DELETE, gone, {})
        return None

    def _remove_shadowed(self, remote_ids: Sequence[str]) -> None:
        """A privacy request asks for all that the person said of this thing, also behind the synced
        record.
        """
        slot = Slot(Side.EXTERNAL)
        for remote_id in remote_ids:
            record = self.view.get(slot.side, remote_id)
            if record is not None and not self.view.remote(slot.side).capabilities.can_delete:
                raise Held(UNSUPPORTED)
            if record is not None:
                self.writing.remove_beside(slot, record, Delete(slot.side, SHADOWED, privacy=True))
            self.view.buried[slot.side, remote_id] = Buried(slot.side, remote_id)

    def _keep_back(self, target: Slot, actions: dict[str, Action], hold: Hold) -> None:
        """What the target cannot carry stays with its source, to be seen again; so does what it
        would have covered.
        """
        for name, action in actions.items():
            if getattr(action, "side", None) is target.side and target.attribute in ("", name):
                actions[name] = hold
                self.stuck.update(self.view.slot_of(name, side) for side in Side)

    @property
    def _main_attribute(self) -> str | None:
        fields = self.view.fields.items()
        return next((name for name, field in fields if field.external_field == MAIN_FIELD), None)

    # -- the end of a run

    def finish(self, actions: Mapping[str, Action]) -> Outcome | None:
        """Commit what was written and seen, close the deliveries and end the lease, in one
        transaction.

        ``None``, and the lease goes on, if a record that is new on file was deleted before anybody
        knew its link.
        """
        writing, view = self.writing, self.view
        reason = writing.held or next(
            (action.reason for action in actions.values() if isinstance(action, Hold)), ""
        )
        writing.history += view.take_history() + lines_of_rest(actions, view)
        exists = any(
            record_view.remote_id is not None for record_view in view.record_views.values()
        )
        if view.erases:
            self._forget_guarded()
        fresh = writing.save(
            Commit(
                records=self._new_records(),
                bases={
                    name: self._current(name)
                    for name, act in actions.items()
                    if isinstance(act, Agree | Ignore)
                },
                link_state=LinkState.LIVE if exists or reason else LinkState.BURIED,
                new_generation=exists and writing.begins_generation,
                buried=list(view.buried.values()),
                revived=list(view.revived.values()),
                shadowed=view.shadowed,
                seen=view.seen_revisions(),
                history=writing.take_history(),
                closings=self._closings(reason),
                release=True,
                erases=view.erases,
            )
        )
        if fresh is None:
            return None
        self.fresh = fresh
        if reason:
            return Outcome(OutcomeKind.HELD, reason)
        return Outcome(OutcomeKind.SYNCED if writing.count else OutcomeKind.IN_STEP)

    def _forget_guarded(self) -> None:
        """Before the commit: forgotten too early the guard only costs a look, forgotten never it
        tells of a person.
        """
        graves = {(one.side, one.remote_id) for one in self.view.buried.values()}
        graves.update(self.writing.ledger.merges.buried_with(self.run.link.id))
        told = {(one.new.side, one.new.remote_id) for one in self.run.deliveries}
        on_file = {(slot.side, known.remote_id) for slot, known in self.run.link.records.items()}
        for side, remote_id in sorted(graves | told | on_file):
            self.writing.guard.forget(self.run.site.id, side, remote_id)

    def _current(self, name: str) -> Base:
        wix, external = (self.view.value_on(side, name) for side in Side)
        return Base(wix, external, self.view.version_of(name))

    def _new_records(self) -> dict[Slot, Known | None]:
        """What to remember of the slots that this run saw.

        A slot with a change that is kept back keeps its seen revision: a later write under it will
        be refused by the remote, and so cannot cover that change. A record that is gone is
        forgotten in any case.
        """
        return {
            slot: known
            for slot, record_view in self.view.record_views.items()
            if (known := record_view.known()) != self.view.memory.get(slot)
            and (known is None or slot not in self.stuck)
        }

    def _closings(self, hold_reason: str) -> dict[int, Closing]:
        done = Closing(InboxState.DONE, "synced" if self.writing.count else "in_step")
        open_ids = {delivery.id for delivery in self.run.deliveries} - self.view.closings.keys()
        # What a read had shown already is kept back with the delivery that tells it, or nothing
        # would look again.
        tells = open_ids | {
            one for one, closing in self.view.closings.items() if closing == SUPERSEDED
        }
        # A hold must be visible: if no delivery in hand is open for it, the newest one carries it.
        newest = (
            {max(delivery.id for delivery in self.run.deliveries)} if self.run.deliveries else set()
        )
        held_ids = (
            {one for one in tells if self.view.told.get(one) in self.stuck} or open_ids or newest
        )
        closings = dict(self.view.closings) | dict.fromkeys(open_ids, done)
        return closings | dict.fromkeys(
            held_ids if hold_reason else (), Closing(InboxState.HELD, hold_reason)
        )
