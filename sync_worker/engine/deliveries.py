"""Takes the deliveries in hand into the view of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sync_worker.core.ports.inbox import ERASED, Inbox
from sync_worker.core.values import Buried, Delivery, Record, Side, Slot
from sync_worker.core.values.texts import REPLY
from sync_worker.engine.deciding.taking import DecisionsInHand
from sync_worker.engine.erased import forgets_erased
from sync_worker.engine.history_lines import line_for_shadowed, lines_for_unseen_edit
from sync_worker.engine.holds.guests import (
    GUEST_CHANGE,
    is_overtaken,
    may_be_anybodys,
    would_change_wix,
)
from sync_worker.engine.moves.strays import addresses_of
from sync_worker.engine.news import (
    BEHIND_ANOTHER,
    BURIED,
    MOVED_ON,
    NOT_CREATED,
    NOT_DELETED,
    NOT_MAPPED,
    STALE,
    SUPERSEDED,
    UNSEEN,
    NewsOfDelete,
    NewsOfKnown,
    NewsOfUnknown,
    classify_delete,
    classify_known,
    classify_unknown,
    may_tell_reply,
    was_unseen,
)
from sync_worker.engine.placing import Placing
from sync_worker.engine.reading import Reading
from sync_worker.engine.record_view import Source
from sync_worker.engine.undeleted import is_undeleted
from sync_worker.engine.view import View, is_shadowed
from sync_worker.engine.words.replies import (
    lines_for_covered_reply,
    lines_for_deleted_reply,
    tells_other_reply,
)


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Applies deliveries: as the view of a side, as a reason to read, or as nothing new."""

    view: View
    reading: Reading
    placing: Placing
    inbox: Inbox

    def apply(self, delivery: Delivery) -> None:
        """Take in one delivery. Raises what remotes raise, LeaseLost, and Held."""
        new = delivery.new
        self.note_erased(delivery)
        slot = self.view.slot_on_file(new.side, new.remote_id)
        # Noted for every kind of event: a hold keeps the deliveries that speak of its slot.
        if slot is not None:
            self.view.note_slot(delivery, slot)
        # Held before, or held still: then what it asks for is a person's to release.
        if delivery.reason and self.view.holds.note(delivery, self.view.run.link):
            return
        match new.change:
            case "erase":
                self._erase()
            # deleted on request, where no look can confirm it
            case "delete" if new.privacy and self.view.run.site.is_out_of_reach(new.side):
                self._erase()
            case "create_failed":
                # Nothing waits for that create (any more).
                self.view.close(delivery, NOT_CREATED)
            # what a person decided
            case "decide":
                parts = (self.view, self.reading, self.placing, self.inbox)
                DecisionsInHand(*parts).apply(delivery)
            # deleted: the record on file
            case "delete" if slot is not None:
                self._apply_delete(delivery, slot)
            # deleted: a record that has left the file, or was never on it
            case "delete":
                self._apply_late_delete(delivery)
            # created, changed or restored: the record on file
            case _ if slot is not None:
                self._apply_known(delivery, slot)
            # created, changed or restored: a record that is not on file
            case _:
                self._apply_unknown(delivery)

    def note_erased(self, delivery: Delivery) -> None:
        """Keep nothing of what it tells if it names somebody else, who was erased."""
        run, ports = self.view.run, (self.reading.directory, self.inbox)
        # Only outside may a record have been somebody else's when this was told.
        is_outside = delivery.new.side is Side.EXTERNAL
        if is_outside and forgets_erased(*ports, run.site.id, delivery, addresses_of(run)):
            self.view.tombstones.naming_erased.add(delivery.id)

    def leave(self, delivery: Delivery) -> None:
        """Hold again, as it was, what was held before: no look came of it."""
        self.view.closings.pop(delivery.id, None)
        self.view.holds.leave(delivery)
        self.inbox.put_back([delivery.id])

    def _erase(self) -> None:
        """What is out of our reach counts as gone: whoever keeps it there has to forget it."""
        self.view.erase()
        for slot in self.view.record_views:
            if self.view.run.site.is_out_of_reach(slot.side):
                self.view.lose(slot, privacy=True)

    def _apply_delete(self, delivery: Delivery, slot: Slot) -> None:
        is_final = self.view.capabilities[slot.side].delete_is_final
        match classify_delete(delivery, self.view.record_views[slot], is_final=is_final):
            case NewsOfDelete.STALE:
                self.view.close(delivery, STALE)
            case NewsOfDelete.FINAL:
                # Wix alone declares its deletes final; all others are asked.
                self.view.believe_delete(slot, delivery)
            case NewsOfDelete.TO_READ:
                self._follow(delivery, slot)
                # Its own event says so, and no look shows it; a sweep has only missed it.
                if self.view.record_views[slot].is_missed and delivery.new.payload:
                    self.view.lose(slot)
        # Gone at its person's request: the other side goes too, unless a look found it alive.
        if delivery.new.privacy and self.view.record_views[slot].remote_id is None:
            self._erase()

    def _apply_late_delete(self, delivery: Delivery) -> None:
        """Of a record that is not on file (any more)."""
        new = delivery.new
        before = self.reading.tombstone_of(new.side, new.remote_id)
        tombstone = Buried(new.side, new.remote_id, new.revision, new.sequence, new.privacy)
        if new.revision is None and before is not None:
            # A delete need not name a revision; what we last saw tells whether an edit came
            # in between.
            tombstone = replace(tombstone, revision=before.revision)
        self.view.bury(tombstone)
        was_private = before is not None and before.privacy
        if new.privacy and not was_private:
            # Only now we hear that privacy was the reason.
            self._erase()
        else:
            # Its delete has crossed already, or there was nothing to cross.
            self.view.close(delivery, BURIED)

    def _apply_known(self, delivery: Delivery, slot: Slot) -> None:
        """Of the record on file."""
        told = self.reading.record_told(delivery)
        record_view = self.view.record_views[slot]
        is_news = self.view.is_news(delivery, slot)
        covers_state = self.view.capabilities[slot.side].revision_covers_state
        match classify_known(
            delivery, told, record_view, is_news=is_news, covers_state=covers_state
        ):
            # A reply need not count as a change.
            case NewsOfKnown.STALE if tells_other_reply(self.view, slot, told):
                self._follow(delivery, slot)
            case NewsOfKnown.STALE:
                self.view.close(delivery, STALE)
            case NewsOfKnown.TO_READ:
                self._follow(delivery, slot)
            case NewsOfKnown.NEWER if told is not None:
                self.view.believe(slot, told, delivery)
            case _:
                # Shown already. But policy ``latest`` asks which side was heard of last.
                self.view.hear_again(slot, delivery)
                self.view.close(delivery, SUPERSEDED)
        if REPLY in self.view.carried.words:
            self.view.note(lines_for_covered_reply(self.view, slot, delivery, told))

    def _apply_unknown(self, delivery: Delivery) -> None:
        """Of a record with an id that is not on file."""
        side, remote_id = delivery.new.side, delivery.new.remote_id
        # A newer record of the same person is synced in its place.
        if is_shadowed(self.view, side, remote_id):
            self.view.close(delivery, BEHIND_ANOTHER)
            return
        # The tombstone first: whoever takes the record on file takes it away with the same commit.
        # Asked later, another run could do so between the two questions, and neither would show.
        tombstone = self.reading.tombstone_of(side, remote_id)
        # It moved before this delivery had its turn: whoever has it on file now looks at it.
        is_new = (side, remote_id) in self.view.run.unburied and not delivery.was_tried
        if not is_new and self.placing.moves.has_moved_on(delivery):
            self.view.close(delivery, MOVED_ON)
            return
        told = self.reading.record_told(delivery)
        match classify_unknown(delivery, told, tombstone):
            case NewsOfUnknown.ERASED:
                self.view.close(delivery, ERASED)
                return
            case NewsOfUnknown.GONE:
                record = None
            case NewsOfUnknown.TO_READ:
                record = self.reading.get(side, remote_id)
            case NewsOfUnknown.TOLD:
                record = told
        if record is None:
            self._close_buried(delivery, told, tombstone or Buried(side, remote_id))
        # alive, says our own listing, as if it had never been deleted: not to be brought back
        elif tombstone is not None and is_undeleted(
            self.view, self.reading, delivery, record, tombstone
        ):
            self.view.close(delivery, NOT_DELETED)
        else:
            self._place(delivery, record, is_new=tombstone is None)

    def _place(self, delivery: Delivery, record: Record, *, is_new: bool) -> None:
        """Give a living record its slot; ``is_new``: it has no tombstone that a look refutes."""
        side, remote_id = delivery.new.side, delivery.new.remote_id
        slot = self.view.slot_for(side, record)
        if slot is None:
            self.view.close(delivery, NOT_MAPPED)
            return
        self.view.note_slot(delivery, slot)
        # Of most records it is known who gave them, or nothing tells.
        if record.is_verified is False and not self._is_let_in(delivery, slot, record):
            return
        # never seen, and its place is free: no look is needed
        if is_new and self.view.record_views[slot].remote_id is None:
            self.view.believe(slot, record, delivery)
            return
        # its place is taken, or it was buried: a look decides
        self.placing.meet(slot, remote_id, merged_from=delivery.new.payload.get("merged_from"))
        if is_shadowed(self.view, side, remote_id):
            self.view.close(delivery, BEHIND_ANOTHER)
        # it has the place now; else it is gone, or loses against the record on file
        elif self.view.record_views[slot].remote_id == remote_id:
            self.view.hear_again(slot, delivery)

    def _is_let_in(self, delivery: Delivery, slot: Slot, record: Record) -> bool:
        """Whether a record may take a place; else its delivery is closed: held, or overtaken."""
        view, remote_id = self.view, record.remote_id
        # given by somebody whom the system knows, or it does not say
        if not may_be_anybodys(view, remote_id, record.is_verified):
            return True
        # it says the same, or there is nothing to change yet
        if not would_change_wix(view, slot, record):
            return True
        # a person has looked, and let it go
        if self.inbox.was_released(delivery, GUEST_CHANGE.reason):
            view.admit(remote_id)
            return True
        # the member has rated anew since: the newest edit wins
        if is_overtaken(view, delivery):
            view.shadow(remote_id, line_for_shadowed(slot.side, remote_id))
            view.close(delivery, BEHIND_ANOTHER)
            return False
        view.close(delivery, GUEST_CHANGE)
        return False

    def _close_buried(self, delivery: Delivery, told: Record | None, tombstone: Buried) -> None:
        """The record is gone; an edit that came after what we last saw of it is lost with it."""
        self.view.bury(tombstone)
        # nothing was lost with it but a reply, perhaps
        if not was_unseen(delivery, tombstone):
            self.view.close(delivery, BURIED)
            if REPLY in self.view.carried.words and may_tell_reply(delivery, tombstone):
                self._note_deleted_reply(delivery, told)
            return
        self.view.close(delivery, UNSEEN)
        # A hint carries no values: then only the closing tells of the edit.
        slot = None if told is None else self.view.slot_for(tombstone.side, told)
        if told is not None and slot is not None:
            values = self.view.seen_as(slot, told).values
            self.view.note(lines_for_unseen_edit(tombstone, values, delivery.id))

    def _note_deleted_reply(self, delivery: Delivery, told: Record | None) -> None:
        new, site_id = delivery.new, self.view.run.site.id
        deleted = self.reading.directory.values_deleted(site_id, new.side, new.remote_id)
        # by a delete of ours
        if deleted is not None:
            self.view.note(lines_for_deleted_reply(self.view, delivery, told, deleted))

    def _follow(self, delivery: Delivery, slot: Slot) -> None:
        """Read what the delivery only hints at; one read serves all deliveries in hand."""
        if self.view.record_views[slot].source is not Source.READ:
            self.reading.read(slot)
        if self.view.is_news(delivery, slot):
            self.view.hear_again(slot, delivery)
