"""Contacts that are merged or erased, in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sync_worker.core.email_identity import earlier_identities, normalise_email
from sync_worker.core.errors import Transient
from sync_worker.core.hold_keys import contact_tombstone
from sync_worker.core.values import (
    Buried,
    Change,
    HistoryEntry,
    HistoryKind,
    Lease,
    LinkState,
    Merge,
    MergeDistance,
    NewDelivery,
    Person,
    Side,
)
from tests.twins.memory_contacts import all_ids_of, links_of_contact, merge_path
from tests.twins.memory_erasure import buried_in_clear, erase_person
from tests.twins.memory_state import LinkRow, MemoryState


@dataclass(frozen=True, slots=True)
class MemoryMerges:
    """Implements ports.Merges."""

    state: MemoryState

    def redirect(self, site_id: int, merge: Merge, *, is_told: bool = True) -> None:
        for source in merge.sources:
            is_circle = source in merge_path(self.state, site_id, merge.target)
            is_known = (site_id, source) in self.state.redirects
            if not is_circle and (is_told or not is_known):
                self.state.redirects[site_id, source] = merge.target

    def merge_distance(self, site_id: int, person: Person) -> MergeDistance | None:
        contact_id = person.contact_id
        if contact_id is None:
            email = person.email or ""
            contact_id = self._contact_at(site_id, normalise_email(email))
            for form in earlier_identities(email):
                if (site_id, form) in self.state.earlier_forms:
                    contact_id = contact_id or self._contact_at(site_id, form)
        if contact_id is None:
            return None
        path = merge_path(self.state, site_id, contact_id)
        return MergeDistance(len(path) - 1, contact_id, path[-1])

    def _contact_at(self, site_id: int, email: str) -> str | None:
        for owner, contact in self.state.contacts:
            if owner == site_id and contact.email == email:
                return contact.contact_id
        return None

    def links_of(self, site_id: int, contact_id: str) -> list[int]:
        return links_of_contact(self.state, site_id, contact_id)

    def join(self, lease: Lease, into: Lease | None, contact_id: str) -> None:
        row = self.state.leased(lease)
        reason = f"link {lease.link_id}: its contact was merged into this one's"
        entry = HistoryEntry(HistoryKind.MERGE, None, "", reason=reason)
        if into is None:
            key = replace(row.link.key, contact_id=contact_id)
            if key in self.state.by_key:
                raise Transient(
                    "the contact that lives on has a link for this entity by now", retry_after=1.0
                )
            self.state.rekey(row, key)
            self.state.history.append((lease.link_id, self.state.now(), entry))
            return
        self._move(row, self.state.leased(into), lease)
        self.state.history.append((into.link_id, self.state.now(), entry))

    def _move(self, row: LinkRow, target: LinkRow, lease: Lease) -> None:
        """All of a link to another one: records, deliveries and tombstones."""
        source = row.link
        if target.link.records:
            self._tell_of_records(row, target, lease)
        else:
            self._move_records(row, target)
        shadowed = target.link.shadowed | source.shadowed
        target.link = replace(target.link, shadowed=shadowed)
        row.link = replace(
            source, records={}, bases={}, state=LinkState.BURIED, writes=(), shadowed=frozenset()
        )
        for key, link_id in self.state.grave_links.items():
            if link_id == source.id:
                self.state.grave_links[key] = target.link.id
        for inbox_row in self.state.of_link(source.id):
            inbox_row.delivery = replace(inbox_row.delivery, link_id=target.link.id)

    def _tell_of_records(self, row: LinkRow, target: LinkRow, lease: Lease) -> None:
        """Both have records: the engine sees which one of each stays."""
        source, site_id = row.link, row.link.key.site_id
        payload = {"merged_from": source.key.contact_id}
        for slot, known in source.records.items():
            name, of = (
                f"join:{source.id}:{lease.fence}:{slot}",
                self.state.source(site_id, slot.side),
            )
            hint = NewDelivery(slot.side, of, name, Change.UPSERT, known.remote_id, payload)
            self.state.hint(target.link, hint)
            del self.state.by_remote[site_id, slot.side, known.remote_id]

    def _move_records(self, row: LinkRow, target: LinkRow) -> None:
        source = row.link
        target.link = replace(
            target.link,
            records=source.records,
            bases=source.bases,
            state=source.state,
            writes=source.writes,
        )
        for slot, known in source.records.items():
            place = (source.key.site_id, slot.side, known.remote_id)
            self.state.by_remote[place] = target.link.id

    def buried_with(self, link_id: int) -> list[tuple[Side, str]]:
        return buried_in_clear(self.state, link_id)

    def hint_erasure(self, site_id: int, contact_id: str, inbox_id: int) -> list[int]:
        for member in all_ids_of(self.state, site_id, contact_id):
            self.state.bury(site_id, Buried(Side.WIX, contact_tombstone(member), privacy=True))
        ids, source = self.links_of(site_id, contact_id), self.state.source(site_id, Side.WIX)
        for link_id in ids:
            name = f"erase:{inbox_id}:{link_id}"
            hint = NewDelivery(
                Side.WIX, source, name, Change.ERASE, f"link:{link_id}", {}, privacy=True
            )
            self.state.hint(self.state.link_rows[link_id].link, hint)
        return ids

    def erase_contact(self, site_id: int, contact_id: str, inbox_id: int) -> None:
        erase_person(self.state, site_id, contact_id, inbox_id)
