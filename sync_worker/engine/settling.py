"""Brings the open intent of an earlier run to its end, before anything new is planned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sync_worker.core.errors import Held, Unconfirmed
from sync_worker.core.ports.inbox import CREATE_ACCEPTED, Closing, Inbox
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import (
    Change,
    Delivery,
    InboxState,
    Intent,
    IntentState,
    LinkState,
    Operation,
)
from sync_worker.engine.history_lines import line_for_held_link
from sync_worker.engine.lease_keeper import LeaseKeeper
from sync_worker.engine.placing import Placing
from sync_worker.engine.reading import Reading
from sync_worker.engine.settlement import Settlement
from sync_worker.engine.view import View
from sync_worker.engine.words.refused import note_not_landed
from sync_worker.engine.writes.removals import is_beside, remember_removal
from sync_worker.engine.writing import Writing

AWAITING = "awaiting_confirmation"
CREATE_FAILED = "create_failed"
NO_CLOSINGS: Mapping[int, Closing] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Settling:
    """Settles an open intent by looking, or waits for a create that shows late."""

    view: View
    reading: Reading
    placing: Placing
    writing: Writing
    inbox: Inbox
    keeper: LeaseKeeper

    def settle(self, intent: Intent) -> bool:
        """Find out what became of the write, and commit that. Returns whether it landed.

        Raises as ``Reading``; Unconfirmed, Held: it may show yet, and nothing is sent again.
        """
        look = Settlement(self.view, self.reading, self.placing, self.inbox, intent)
        settled = look.settle()
        # it did not land, or nothing proves it
        if settled is None:
            self._wait_for(intent)
            if intent.operation is Operation.CREATE:
                self.writing.lost_creates.add(intent.slot)
            # What it may have covered goes on file with it: nothing looks again.
            self.writing.abandon(self.view.take_history())
            note_not_landed(self.view, intent)
        # a record beside the one on file is removed: the slot itself is as before
        elif is_beside(intent):
            remember_removal(self.writing, intent)
        # it landed, as a write of this run would have
        else:
            self.writing.remember(intent, settled.landed, settled.values)
            self.writing.save()
            # Saved as it landed, and only then lost: the delete is news of its own.
            if settled.is_gone:
                self.view.miss(intent.slot)
            self._read_sources(intent)
        return settled is not None

    def _read_sources(self, intent: Intent) -> None:
        """The run that wrote had seen more of the sources than it could put on file.

        So older news of them must not pass for new.
        """
        other = intent.slot.side.other
        for slot in dict.fromkeys(self.view.slot_of(name, other) for name in intent.targets):
            if slot in self.view.record_views:
                self.reading.read(slot)

    # -- a create that shows late, or never

    def _wait_for(self, intent: Intent) -> None:
        """Raises Unconfirmed while the record may show, then Held once.

        Nothing is sent again before a person has released it.
        """
        if self._may_show(intent):
            # It was not carried out, says the remote.
            failures = self._failures_of(intent)
            # Nor does anybody ask for it any more.
            if failures and self._is_source_gone(intent):
                return
            if failures:
                closings = self._closings(failures)
                self._hold_link(intent, CREATE_FAILED, IntentState.ABANDONED, closings)
                raise Held(CREATE_FAILED)
            # It may still show.
            can = self.view.capabilities[intent.slot.side]
            if self.view.run.now - intent.opened_at < can.confirm_seconds:
                raise Unconfirmed
            # It has not shown in all that time.
            if any(delivery.reason == CREATE_ACCEPTED for delivery in self.view.run.deliveries):
                self._hold_link(intent, AWAITING)
                raise Held(AWAITING)
        # It has not shown, and no person has released it yet.
        if self.view.run.link.state is LinkState.HELD:
            raise Held(AWAITING)

    def _may_show(self, intent: Intent) -> bool:
        # Updates and deletes show at once; an attribute may be unmapped since.
        if intent.operation is not Operation.CREATE or intent.slot not in self.view.record_views:
            return False
        # Only a slot that is still empty waits for its record.
        is_missing = self.view.record_views[intent.slot].remote_id is None
        return is_missing and self.view.capabilities[intent.slot.side].create_is_async

    def _failures_of(self, intent: Intent) -> list[Delivery]:
        """Deliveries that tell that the create was not carried out, not an older one."""
        return [
            delivery
            for delivery in self.view.run.deliveries
            if delivery.new.change == Change.CREATE_FAILED
            and delivery.received_at is not None
            and delivery.received_at.timestamp() >= intent.opened_at
        ]

    def _is_source_gone(self, intent: Intent) -> bool:
        side = intent.slot.side.other
        tombstones = [self.reading.tombstone_of(side, one) for one in intent.source_ids.values()]
        return bool(tombstones) and None not in tombstones

    def _closings(self, failures: list[Delivery]) -> dict[int, Closing]:
        """They end here if another delivery waits; else they are held."""
        if len(failures) == len(self.view.run.deliveries):
            return {}
        done = Closing(InboxState.DONE, CREATE_FAILED)
        return {delivery.id: done for delivery in failures}

    def _hold_link(
        self,
        intent: Intent,
        reason: str,
        intent_state: IntentState | None = None,
        closings: Mapping[int, Closing] = NO_CLOSINGS,
    ) -> None:
        """The link rests until a person decides."""
        self.keeper.commit(
            Commit(
                link_state=LinkState.HELD,
                intent_state=intent_state,
                history=[line_for_held_link(intent, reason)],
                closings=closings,
            )
        )
