"""Gives a record that is not on file its place, where another one may have it already.

Both may be alive: after a merge of contacts, each given under one of them, one loses. Where a
system allows several records of one person, the newest stands for all.
"""

from __future__ import annotations

from dataclasses import dataclass

from sync_worker.core.email_identity import identity_told
from sync_worker.core.errors import Held, Permanent, Unauthorized
from sync_worker.core.ports.merges import Merges
from sync_worker.core.values import Buried, Deletes, MergeDistance, Person, Record, Side, Slot
from sync_worker.engine.history_lines import line_for_no_search, line_for_shadowed
from sync_worker.engine.holds.guests import may_be_anybodys
from sync_worker.engine.moves.moves import Moves
from sync_worker.engine.reading import Reading
from sync_worker.engine.view import View


@dataclass(frozen=True, slots=True)
class Placing:
    """Decides which of two records of one person is the slot's."""

    view: View
    reading: Reading
    merges: Merges
    moves: Moves

    def look_up(self, side: Side, *, also_buried: bool = False) -> None:
        """Find records that are not on file and let them be the slots'. Raises Held."""
        # All hits first: meeting a record changes what a search leaves out.
        for slot, remote_id in list(self.reading.find(side, also_buried=also_buried)):
            if self.view.record_views[slot].remote_id == remote_id:
                continue
            # A system may name one account in all records that we make.
            if not self.moves.is_elsewhere(side, remote_id):
                self.meet(slot, remote_id)
        self.moves.leave_elsewhere()

    def meet_duplicate(self, slot: Slot, remote_id: str) -> None:
        """Meet the record for which a remote refuses a create of ours. Raises as ``meet``."""
        if self.moves.is_elsewhere(slot.side, remote_id):
            self.moves.leave_elsewhere()
        else:
            self.meet(slot, remote_id)

    def shadow_silent(self, slot: Slot) -> None:
        """Find what a person said of this thing without rating it: an erasure takes that along.

        It does not wait for a search that is not to be had: what was not searched is on record.
        """
        can = self.view.capabilities[slot.side]
        # Where a person may have several records, those without a rating never came to us.
        if can.is_unique or not can.can_find:
            return
        try:
            found = self.reading.search(slot.side)
        # Our credentials may be accepted later.
        except Unauthorized:
            raise
        except Permanent as refusal:
            self.view.note([line_for_no_search(slot.side, refusal.reason)])
            return
        for record in found:
            is_silent = not self.view.seen_as(slot, record).values
            if is_silent and self.view.slot_on_file(slot.side, record.remote_id) is None:
                self._shadow(slot.side, record.remote_id)

    def shadow_hidden(self, slot: Slot) -> None:
        """Find what counted as gone and is only out of sight: an erasure takes that along, too."""
        tombstones = self.view.tombstones
        buried = [*self.merges.buried_with(self.view.run.link.id), *tombstones.buried]
        for side, remote_id in dict.fromkeys(buried):
            if side is not slot.side or self.view.slot_on_file(side, remote_id) is not None:
                continue
            if self.reading.get(side, remote_id) is not None:
                tombstones.dig_out(side, remote_id)
                self._shadow(side, remote_id)

    def meet(self, slot: Slot, remote_id: str, *, merged_from: str | None = None) -> None:
        """Read a record with an id that is not on file, and give it its place. Raises Held.

        ``merged_from``: it was on file for a contact that has been merged away.
        """
        record = self.reading.get(slot.side, remote_id)
        # deleted: events and searches lag behind
        if record is None:
            self.view.bury(Buried(slot.side, remote_id))
        else:
            self.place(slot, record, merged_from=merged_from)

    def place(self, slot: Slot, record: Record, *, merged_from: str | None = None) -> None:
        """A record just read becomes the slot's, if the one on file is gone or loses against it.

        Raises Held if both are alive and nothing tells which one counts.
        """
        on_file = self.view.record_views[slot].remote_id
        # it names another person or thing: none of this link's
        if not self.moves.stays(slot.side, record):
            self.view.part_with(slot, record.remote_id)
            return
        # the place is free, or its own
        if on_file in (None, record.remote_id):
            self.view.take(slot, record)
            return
        rival = self.reading.get(slot.side, on_file)
        # the one on file is gone
        if rival is None:
            self.view.lose(slot)
            self.view.take(slot, record)
            return
        # the one on file is another rating's by now
        if not self.moves.stays(slot.side, rival):
            self.view.part_with(slot, on_file)
            self.view.take(slot, record)
            return
        # both are alive, and the one on file has been read, too
        self.view.take(slot, rival)
        # one person gave both, and the system allows that
        if merged_from is None and self._may_be_several(slot.side, record, rival):
            self._put_telling(slot, record, rival)
        # given by two people who are one now: the one of the nearer contact stays
        elif self._is_nearer(record, rival, merged_from):
            self.view.add_loser(slot, rival)
            self.view.take(slot, record)
        # the one on file is of the nearer contact
        else:
            self.view.add_loser(slot, record)

    def _may_be_several(self, side: Side, record: Record, rival: Record) -> bool:
        # WooCommerce lets a person rate a product twice; BigCommerce and Fera document no rule.
        # Nothing tells that two without an address are of one person.
        one, other = (identity_told(each.person.email or "") for each in (record, rival))
        is_one_person = one is not None and one == other
        return is_one_person and not self.view.capabilities[side].is_unique

    def _put_telling(self, slot: Slot, record: Record, rival: Record) -> None:
        """A record without a rating (no stars, or not published) displaces none that has one."""
        tells, rival_tells = (bool(self.view.seen_as(slot, one).values) for one in (record, rival))
        # both say something, or neither does
        if tells == rival_tells:
            self._put_newest(slot, record, rival)
        # the new one says nothing: not behind the other for good, for it may say something later
        elif rival_tells:
            return
        # the one on file says nothing, and the new one may be believed
        elif not may_be_anybodys(self.view, record.remote_id, record.is_verified):
            self._shadow(slot.side, rival.remote_id)
            self.view.take(slot, record)
        else:
            self._shadow(slot.side, record.remote_id)

    def _put_newest(self, slot: Slot, record: Record, rival: Record) -> None:
        """By the order in which the remote lists them: oldest first.

        A record that its search does not show yet is the newest.
        """
        order = [hit.remote_id for hit in self.reading.search(slot.side)]
        old, new = rival.remote_id, record.remote_id
        is_newer = new not in order or (old in order and order.index(old) < order.index(new))
        is_trusted = not may_be_anybodys(self.view, new, record.is_verified)
        # the new one is the newest: the one on file steps behind it
        if is_newer and is_trusted:
            self._shadow(slot.side, old)
            self.view.take(slot, record)
        else:
            self._shadow(slot.side, new)

    def _shadow(self, side: Side, remote_id: str) -> None:
        self.view.shadow(remote_id, line_for_shadowed(side, remote_id))

    def _is_nearer(self, record: Record, rival: Record, merged_from: str | None) -> bool:
        """Whether a record stands nearer to the contact that lives on than the one on file.

        Raises Held if nobody knows, or if policy lets us remove neither.
        """
        # After a join the delivery names the contact for which the record was on file.
        given_by = Person(contact_id=merged_from) if merged_from is not None else record.person
        site_id, policy = self.view.run.site.id, self.view.run.site.policy
        mine = self.merges.merge_distance(site_id, given_by)
        theirs = self.merges.merge_distance(site_id, rival.person)
        may_write = all(policy.may_write(side) for side in Side)
        may_remove = may_write and policy.deletes == Deletes.PROPAGATE
        is_nearer = _is_less(mine, theirs)
        if not may_remove or (is_nearer is None and merged_from is None):
            raise Held("several_records")
        # Not nearer, or after a join nothing tells: the record on file stays.
        return is_nearer is True


def _is_less(mine: MergeDistance | None, theirs: MergeDistance | None) -> bool | None:
    """``None``: they were not merged into one contact, as far as anybody knows."""
    # a contact that the ledger does not know
    if mine is None or theirs is None:
        return None
    # merged into different contacts, or just as near
    if mine.lives_as != theirs.lives_as or mine == theirs:
        return None
    return mine < theirs
