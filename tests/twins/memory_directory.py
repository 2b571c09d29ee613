"""What leads from a delivery to its key, in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, replace

from sync_worker.core.email_identity import earlier_identities, normalise_email
from sync_worker.core.hold_keys import (
    address_tombstones,
    contact_hold_key,
    email_hold_key,
    email_hold_keys,
    erased_id,
)
from sync_worker.core.hold_reasons import FOR_A_CONTACT
from sync_worker.core.ports.directory import RecordsOfEntity
from sync_worker.core.values import (
    Buried,
    Contact,
    Entity,
    EntityRef,
    Located,
    RatingKey,
    Side,
    Slot,
    Value,
)
from tests.twins.memory_contacts import known_contact, surviving_id
from tests.twins.memory_state import MemoryState


@dataclass(frozen=True, slots=True)
class MemoryDirectory:
    """Implements ports.Directory."""

    state: MemoryState

    def locate(self, site_id: int, side: Side, remote_id: str) -> Located:
        grave = self.state.grave(site_id, side, remote_id)
        link_id = self.state.by_remote.get((site_id, side, remote_id))
        if link_id is not None:
            return Located(self.state.link_rows[link_id].link.key, grave, is_on_file=True)
        for name in (remote_id, erased_id(site_id, side, remote_id)):
            link_id = link_id or self.state.grave_links.get((site_id, side, name))
        key = None if link_id is None else self.state.link_rows[link_id].link.key
        return Located(key, grave)

    def entity(self, site_id: int, side: Side, ref: EntityRef) -> Entity | None:
        for owner, entity in self.state.entities:
            if owner == site_id and entity.on(side) == ref:
                return entity
            is_named_so = side is Side.WIX and ref.is_product
            if owner == site_id and is_named_so and entity.wix.entity_id == ref.entity_id:
                return entity
        return None

    def is_catalogue_asked(self, site_id: int, hold_key: str) -> bool:
        return (site_id, hold_key) in self.state.catalogue_asked

    def add_entity(self, site_id: int, wix: EntityRef, external: EntityRef) -> Entity:
        for owner, known in self.state.entities:
            if owner == site_id and (known.wix, known.external) == (wix, external):
                return known
        entity = Entity(len(self.state.entities) + 1, wix, external)
        self.state.entities.append((site_id, entity))
        return entity

    def contact(
        self, site_id: int, *, contact_id: str | None = None, email: str | None = None
    ) -> Contact | None:
        if email is None:
            return known_contact(
                self.state, site_id, surviving_id(self.state, site_id, str(contact_id))
            )
        for owner, contact in self.state.contacts:
            if owner == site_id and contact.email == email:
                return self._who_lives_on(site_id, contact)
        return None

    def erased_addresses(self, site_id: int, addresses: Collection[str]) -> Set[str]:
        return {
            one
            for one in addresses
            if self.contact(site_id, email=normalise_email(one)) is None
            and any(self.state.grave(site_id, Side.EXTERNAL, n) for n in address_tombstones(one))
        }

    def save_contact(self, site_id: int, contact: Contact) -> Contact:
        known = self.contact(site_id, email=contact.email) if contact.email is not None else None
        if known is not None:
            return known
        if not self.state.is_erased(site_id, contact.contact_id):
            self.state.contacts.append((site_id, contact))
            self._release_waiting(site_id, contact)
        return self._who_lives_on(site_id, contact)

    def _release_waiting(self, site_id: int, contact: Contact) -> None:
        """Who waits for the contact goes on at once."""
        keys = {contact_hold_key(contact.contact_id), *email_hold_keys(str(contact.email))}
        for row in self.state.rows_of(site_id):
            if row.is_held and row.hold_key in keys and row.delivery.reason in FOR_A_CONTACT:
                self.state.release_delivery(row.delivery.id)

    def _who_lives_on(self, site_id: int, contact: Contact) -> Contact:
        return replace(contact, contact_id=surviving_id(self.state, site_id, contact.contact_id))

    def earlier_contact(self, site_id: int, email: str) -> tuple[str, Contact] | None:
        for form in earlier_identities(email):
            found = self.contact(site_id, email=form)
            if found is not None and (site_id, form) in self.state.earlier_forms:
                return form, found
        return None

    def rewrite_address(self, site_id: int, earlier: str, email: str) -> None:
        for place, (owner, contact) in enumerate(self.state.contacts):
            if (owner, contact.email) == (site_id, earlier):
                self.state.contacts[place] = (owner, replace(contact, email=email))
        self.state.earlier_forms.discard((site_id, earlier))
        for row in self.state.rows.values():
            if row.hold_key in email_hold_keys(email):
                row.hold_key = email_hold_key(email)

    def forget_contact(self, site_id: int, contact_id: str) -> bool:
        theirs = [
            (owner, contact)
            for owner, contact in self.state.contacts
            if (owner, contact.contact_id) == (site_id, contact_id)
        ]
        for pair in theirs:
            self.state.contacts.remove(pair)
        return bool(theirs)

    def values_deleted(
        self, site_id: int, side: Side, remote_id: str
    ) -> Mapping[str, Value | None] | None:
        if self.state.grave(site_id, side, remote_id) is None:
            return None
        values = {
            entry.attribute: entry.before
            for link_id, _, entry in self.state.history
            if (entry.side, entry.remote_id, str(entry.what)) == (side, remote_id, "delete")
            and entry.intent_id
            and self.state.link_rows[link_id].link.key.site_id == site_id
        }
        return values or None

    def reopen_set_aside(self, site_id: int, side: Side, remote_id: str) -> RatingKey | None:
        """No site in memory changes its API."""
        return None

    def return_set_aside(self, key: RatingKey) -> None:
        """No site in memory changes its API."""

    def bury(self, site_id: int, buried: Buried) -> bool:
        if (site_id, buried.side, buried.remote_id) in self.state.by_remote:
            return False
        self.state.bury(site_id, buried)
        return True

    def records_of_entity(self, site_id: int, ref: EntityRef) -> RecordsOfEntity:
        ids = {entity.id for _, entity in self.state.entities if entity.external == ref}
        links = [
            row.link
            for row in self.state.link_rows.values()
            if row.link.key.site_id == site_id and row.link.key.entity_id in ids
        ]
        slot = Slot(Side.EXTERNAL)
        known = [link.records[slot] for link in links if slot in link.records]
        shadowed = frozenset(remote_id for link in links for remote_id in link.shadowed)
        return RecordsOfEntity({record.remote_id: record for record in known}, shadowed)
