"""Looks at the remotes under the lease, and tells the view what they show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sync_worker.core.ports.directory import Directory
from sync_worker.core.ports.remote import Remote
from sync_worker.core.record_codec import record_listed
from sync_worker.core.values import Buried, Delivery, Record, Side, Slot
from sync_worker.engine.lease_keeper import LeaseKeeper
from sync_worker.engine.view import View, is_shadowed, person_of


@dataclass(frozen=True, slots=True)
class Reading:
    """Reads records of one link. Raises what remotes raise, and LeaseLost."""

    view: View
    remotes: Mapping[Side, Remote]
    directory: Directory
    keeper: LeaseKeeper

    def get(self, side: Side, remote_id: str) -> Record | None:
        """Read a record. Only a tombstone that was there before the look can be refuted by it."""
        # Noted before the call: a delete that arrives during the call stays a delete.
        if self.view.slot_on_file(side, remote_id) is None:
            tombstone = self._tombstone_on_file(side, remote_id)
            if tombstone is not None:
                self.view.tombstones.note_before_look(tombstone)
        self.keeper.begin_look()
        return self.remotes[side].get(remote_id)

    def read(self, slot: Slot) -> None:
        """Read the record on file; a slot without one stays as it is."""
        remote_id = self.view.record_views[slot].remote_id
        if remote_id is None:
            return
        record = self.get(slot.side, remote_id)
        if record is None:
            self.view.miss(slot)
        else:
            self.view.take(slot, record)

    def read_all(self) -> None:
        """Read every record on file anew."""
        for slot in self.view.record_views:
            self.read(slot)

    def search(self, side: Side) -> list[Record]:
        """All records of this person for this thing, oldest first. A search may lag."""
        # Outside people are known by their address: without one nobody is found, and not all those
        # who have none.
        person = person_of(self.view)
        if side is Side.EXTERNAL and not person.email:
            return []
        self.keeper.begin_look()
        entity = self.view.run.entity.on(side)
        return list(self.remotes[side].find(entity, person))

    def find(self, side: Side, *, also_buried: bool = False) -> Iterator[tuple[Slot, str]]:
        """Slots and ids of this person's records that may be alive; read a hit before acting.

        ``also_buried``: those too that we took for gone or shadowed.
        """
        self.view.note_look_up(side)
        for hit in self.search(side):
            slot = self.view.slot_for(side, hit)
            if slot is not None and (also_buried or not self.is_out(side, hit.remote_id)):
                yield slot, hit.remote_id

    def is_out(self, side: Side, remote_id: str) -> bool:
        """Whether a record counts as gone, or stands behind the synced one."""
        is_gone = self.tombstone_of(side, remote_id) is not None
        return is_gone or is_shadowed(self.view, side, remote_id)

    def tombstone_of(self, side: Side, remote_id: str) -> Buried | None:
        """Of a remote id: what this run knows counts before what the ledger knows."""
        if self.view.tombstones.is_decided(side, remote_id):
            return self.view.tombstones.get(side, remote_id)
        return self._tombstone_on_file(side, remote_id)

    def _tombstone_on_file(self, side: Side, remote_id: str) -> Buried | None:
        return self.directory.locate(self.view.run.site.id, side, remote_id).buried

    def record_told(self, delivery: Delivery) -> Record | None:
        """The whole record that a delivery carries; what was replayed is only a hint."""
        side, payload = delivery.new.side, delivery.new.payload
        # replayed, or opened again: what it carries is old by now
        if delivery.must_read:
            return None
        # the signature covers a whole record
        if self.view.capabilities[side].trusts_payload:
            return self.record_in(side, payload)
        # a hint from outside carries nothing; only a row of our own listing is whole
        return record_listed(payload)

    def record_in(self, side: Side, payload: Mapping[str, Any]) -> Record | None:
        """The whole record that a payload carries: a row of our own listings, or an event."""
        return record_listed(payload) or self.remotes[side].record_in(payload)
