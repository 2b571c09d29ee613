"""From a delivery to its rating key: which entity, and which person. Holds no lease.

In this order: a link by remote id, also from before its burial; the whole record in the event; a
look at the remote, only to learn the key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync_worker.core.email_identity import normalise_email
from sync_worker.core.errors import Held
from sync_worker.core.hold_keys import (
    address_grave,
    contact_grave,
    contact_hold_key,
    email_hold_key,
    entity_hold_key,
)
from sync_worker.core.ports.inbox import ERASED, Closing
from sync_worker.core.ports.ledger import Ledger
from sync_worker.core.ports.remote import Connection
from sync_worker.core.record_codec import record_listed
from sync_worker.core.values import (
    Buried,
    Contact,
    Delivery,
    Entity,
    EntityRef,
    InboxState,
    Merge,
    Person,
    RatingKey,
    Record,
    Side,
    Site,
)
from sync_worker.engine.news import BURIED, may_matter

NOT_AWAITED = Closing(InboxState.DONE, "create_failed, not awaited")


@dataclass(frozen=True, slots=True)
class Resolver:
    """Finds keys for the deliveries of one site."""

    ledger: Ledger
    connection: Connection
    site: Site

    def key_of(self, delivery: Delivery) -> RatingKey | Closing:
        """The key, or how the delivery ends without one. Raises Held, Transient, Permanent."""
        new = delivery.new
        if new.change == "erase":
            return ERASED  # its link was erased before its turn came
        if new.change == "create_failed":
            return self._key_of_failed(new.payload)
        located = self.ledger.directory.locate(self.site.id, new.side, new.remote_id)
        if located.is_on_file and located.key is not None:
            return located.key
        if located.buried is not None and not may_matter(delivery, located.buried):
            return ERASED if located.buried.privacy else BURIED
        if located.key is not None:
            return located.key
        if new.change == "delete":
            grave = Buried(new.side, new.remote_id, new.revision, new.sequence, new.privacy)
            return self._bury(grave) or (
                ERASED if new.privacy else Closing(InboxState.DONE, "not_linked")
            )
        remote = self.connection.remotes[new.side]
        record = (
            record_listed(new.payload) or remote.record_in(new.payload) or remote.get(new.remote_id)
        )
        if record is None:
            return self._bury(Buried(new.side, new.remote_id)) or BURIED
        return self._key_from(record, new.side)

    def _key_of_failed(self, payload: Mapping[str, Any]) -> RatingKey | Closing:
        """Whose create was not carried out, as far as the event tells.

        Only what we know can wait for it.
        """
        entity_id, group = payload.get("entity") or (None, "")
        entity = (
            self.ledger.directory.entity(self.site.id, Side.EXTERNAL, EntityRef(entity_id, group))
            if entity_id
            else None
        )
        email = payload.get("email")
        contact = self.ledger.directory.contact(self.site.id, email=email) if email else None
        if entity is None or contact is None:
            return NOT_AWAITED
        key = RatingKey(self.site.id, entity.id, contact.contact_id)
        return key if self.ledger.links.link_id(key) is not None else NOT_AWAITED

    def _bury(self, grave: Buried) -> RatingKey | None:
        """The key if a run has put the record on file just now: it is that link's to say whether
        the record is gone.
        """
        if self.ledger.directory.bury(self.site.id, grave):
            return None
        return self.ledger.directory.locate(self.site.id, grave.side, grave.remote_id).key

    def _key_from(self, record: Record, side: Side) -> RatingKey | Closing:
        if not record.is_visible:
            # As good as gone until a later revision: a run that has an earlier one in hand must not
            # bring it across.
            grave = Buried(side, record.remote_id, record.revision, record.sequence)
            return self._bury(grave) or Closing(InboxState.DONE, "not_published")
        return self.key_of_record(record, side)

    def key_of_record(self, record: Record, side: Side) -> RatingKey | Closing:
        """The key of a record, whatever is known of its id. Raises as ``key_of``."""
        entity = self.entity_of(record.entity, side)
        if isinstance(entity, Closing):
            return entity
        contact = self._rater(record.person, side)
        if isinstance(contact, Closing):
            return contact
        return RatingKey(self.site.id, entity.id, contact.contact_id)

    # -- what is rated

    def entity_of(self, ref: EntityRef | None, side: Side) -> Entity | Closing:
        """The mapped entity, or how a delivery for it ends. Raises Held, Permanent."""
        if ref is None:
            raise Held("no_entity", "the record does not say what it rates")
        entity = self.ledger.directory.entity(self.site.id, side, ref)
        if entity is not None:
            return entity
        match self.site.policy.unknown_entity:
            case "skip":
                return Closing(InboxState.DONE, "entity_skipped")
            case "same_id":
                return self.ledger.directory.add_entity(self.site.id, *self._same_id(ref, side))
            case _:
                raise Held(
                    "unknown_entity",
                    hold_key=entity_hold_key(side, ref),
                    has_arrived=lambda: (
                        self.ledger.directory.entity(self.site.id, side, ref) is not None
                    ),
                )

    def _same_id(self, ref: EntityRef, side: Side) -> tuple[EntityRef, EntityRef]:
        policy = self.site.policy
        if side is Side.WIX:
            return ref, EntityRef(ref.entity_id)
        return EntityRef(ref.entity_id, policy.same_id_group, policy.same_id_namespace), ref

    # -- who rated

    def _rater(self, person: Person, side: Side) -> Contact | Closing:
        return self._wix_rater(person) if side is Side.WIX else self._external_rater(person)

    def _wix_rater(self, person: Person) -> Contact | Closing:
        """A contact with an address: without one nobody can be found on the other side."""
        contact = self._wix_contact(person)
        if contact is not None and contact.email is not None:
            return contact
        if contact is not None and is_erased(self.ledger, self.site, contact.contact_id):
            return ERASED
        if self.site.policy.wix_anonymous == "skip":
            return Closing(InboxState.DONE, "anonymous_skipped")
        if contact is None:
            raise Held("anonymous_visitor")
        raise Held(
            "no_email",
            hold_key=contact_hold_key(contact.contact_id),
            has_arrived=lambda: (
                self.ledger.directory.contact(self.site.id, contact_id=contact.contact_id)
                is not None
            ),
        )

    def _wix_contact(self, person: Person) -> Contact | None:
        people = self.connection.people
        if person.contact_id is not None:
            known = self.ledger.directory.contact(self.site.id, contact_id=person.contact_id)
            return known or self._look_up(person.contact_id)
        if person.member_id is not None:
            return self._remember(people.by_member(person.member_id))
        return None

    def _look_up(self, contact_id: str) -> Contact | None:
        """Asked for an id that was merged away, Wix shows the contact that lives on."""
        found = self.connection.people.by_id(contact_id)
        if found is not None and found.contact_id != contact_id:
            self.ledger.merges.redirect(
                self.site.id, Merge((contact_id,), found.contact_id), is_told=False
            )
        return self._remember(found or Contact(contact_id))

    def _remember(self, contact: Contact | None) -> Contact | None:
        if contact is None or contact.email is None:
            return contact
        return self.ledger.directory.save_contact(self.site.id, contact)

    def _external_rater(self, person: Person) -> Contact | Closing:
        if person.email is None:
            if self.connection.remotes[Side.EXTERNAL].capabilities.skips_without_email:
                return Closing(InboxState.DONE, "no_email_skipped")
            raise Held("no_email")
        email = normalise_email(person.email)
        known = self.ledger.directory.contact(self.site.id, email=email)
        if known is not None:
            return known
        contact = self.connection.people.by_email(person.email.strip())
        if contact is None and self._is_erased_address(email):
            return ERASED
        if contact is None and self.site.policy.unknown_contact == "create":
            contact = self.connection.people.create(email, person.name)
        if contact is not None:
            return self.ledger.directory.save_contact(
                self.site.id, Contact(contact.contact_id, email, contact.name or person.name)
            )
        if self.site.policy.unknown_contact == "skip":
            return Closing(InboxState.DONE, "contact_skipped")
        raise Held(
            "unknown_contact",
            hold_key=email_hold_key(email),
            has_arrived=lambda: (
                self.ledger.directory.contact(self.site.id, email=email) is not None
            ),
        )

    def _is_erased_address(self, email: str) -> bool:
        """What still comes under the address of an erased person is neither kept nor made into a
        new contact.
        """
        return (
            self.ledger.directory.locate(self.site.id, Side.EXTERNAL, address_grave(email)).buried
            is not None
        )


def is_erased(ledger: Ledger, site: Site, contact_id: str) -> bool:
    """Whether a privacy request has erased this contact."""
    return ledger.directory.locate(site.id, Side.WIX, contact_grave(contact_id)).buried is not None
