"""Who rated: from the person that a record names to the contact of the Wix site."""

from __future__ import annotations

from dataclasses import dataclass

from sync_worker.core.email_identity import is_usable, normalise_email
from sync_worker.core.errors import Held
from sync_worker.core.hold_keys import (
    address_tombstones,
    contact_hold_key,
    contact_tombstone,
    email_hold_key,
)
from sync_worker.core.ports.directory import Directory
from sync_worker.core.ports.inbox import ERASED, Closing
from sync_worker.core.ports.merges import Merges
from sync_worker.core.ports.remote import Connection
from sync_worker.core.values import (
    Contact,
    InboxState,
    Merge,
    Person,
    Side,
    Site,
    UnknownContact,
    WixAnonymous,
)
from sync_worker.intake.earlier_addresses import EarlierAddresses

ANONYMOUS_SKIPPED = Closing(InboxState.DONE, "anonymous_skipped")
NO_EMAIL_SKIPPED = Closing(InboxState.DONE, "no_email_skipped")
CONTACT_SKIPPED = Closing(InboxState.DONE, "contact_skipped")


def is_erased(directory: Directory, site: Site, contact_id: str) -> bool:
    """Whether a privacy request has erased this contact."""
    return directory.locate(site.id, Side.WIX, contact_tombstone(contact_id)).buried is not None


def is_erased_address(directory: Directory, site: Site, email: str) -> bool:
    """Whether a privacy request has erased whoever had this address."""
    located = (directory.locate(site.id, Side.EXTERNAL, name) for name in address_tombstones(email))
    return any(found.buried is not None for found in located)


@dataclass(frozen=True, slots=True)
class Raters:
    """Finds the contacts of one site: in the ledger first, then by asking Wix."""

    directory: Directory
    merges: Merges
    connection: Connection
    site: Site

    def contact_of(self, person: Person, side: Side) -> Contact | Closing:
        """The contact, or how a delivery of this person ends. Raises Held, Transient, Permanent."""
        if side is Side.WIX:
            return self._wix_rater(person)
        return self._external_rater(person)

    def names_erased(self, person: Person, side: Side) -> bool:
        """Whether this is somebody who was erased, and has not come back. Raises Transient."""
        if side is Side.WIX:
            named = person.contact_id
            return named is not None and is_erased(self.directory, self.site, named)
        if person.email is None:
            return False
        email = normalise_email(person.email)
        if not self.directory.erased_addresses(self.site.id, [email]):
            return False
        return self.connection.people.by_email(person.email.strip()) is None

    # -- on the Wix side

    def _wix_rater(self, person: Person) -> Contact | Closing:
        contact = self._wix_contact(person)
        # Only by an address can the person be found on the other side.
        if contact is not None and contact.email is not None:
            self._refuse_unusable(contact.email, contact_hold_key(contact.contact_id))
            return contact
        # An erased contact has lost its address, and none will come.
        if contact is not None and is_erased(self.directory, self.site, contact.contact_id):
            return ERASED
        if self.site.policy.wix_anonymous == WixAnonymous.SKIP:
            return ANONYMOUS_SKIPPED
        # A visitor who never logged in: no event will ever name one, so no hold key.
        if contact is None:
            raise Held("anonymous_visitor")
        # A contact without an address may get one; its event then releases this delivery.
        contact_id = contact.contact_id
        raise Held(
            "no_email",
            hold_key=contact_hold_key(contact_id),
            has_arrived=lambda: self._known(contact_id=contact_id) is not None,
        )

    def _wix_contact(self, person: Person) -> Contact | None:
        """The contact that a Wix record names; ``None`` for an anonymous visitor."""
        if person.contact_id is not None:
            return self._known(contact_id=person.contact_id) or self._look_up(person.contact_id)
        # named as a member of the site only: Wix tells the contact
        if person.member_id is not None:
            member = self.connection.people.by_member(person.member_id)
            return None if member is None else self._remembered(member)
        return None

    def _look_up(self, contact_id: str) -> Contact:
        found = self.connection.people.by_id(contact_id)
        # Wix does not know it either: a contact without an address.
        if found is None:
            return Contact(contact_id)
        # Asked for an id that was merged away, Wix shows the contact that lives on.
        if found.contact_id != contact_id:
            merge = Merge((contact_id,), found.contact_id)
            self.merges.redirect(self.site.id, merge, is_told=False)
        return self._remembered(found)

    def _remembered(self, contact: Contact) -> Contact:
        """Keep a contact that has an address; without one it cannot be found by it."""
        if contact.email is None or not is_usable(contact.email):
            return contact
        return self.directory.save_contact(self.site.id, contact)

    # -- on the external side

    def _external_rater(self, person: Person) -> Contact | Closing:
        if person.email is None:
            # No address (Trustpilot shows none): the manifest says what then.
            if self.connection.remotes[Side.EXTERNAL].capabilities.skips_without_email:
                return NO_EMAIL_SKIPPED
            raise Held("no_email")
        email = normalise_email(person.email)
        known = self._known(email=email)
        if known is not None:
            return known
        self._refuse_unusable(email)
        contact = self.connection.people.by_email(person.email.strip())
        people = EarlierAddresses(self.directory, self.connection.people, self.site)
        known = people.contact_of(email, contact)
        if known is not None:
            return known
        # Erased on request: what still comes under the address is neither kept nor made into a
        # new contact. If Wix knows the address again, its owner has come back by themselves.
        if contact is None and is_erased_address(self.directory, self.site, email):
            return ERASED
        # By policy whoever rates outside becomes a contact.
        if contact is None and self.site.policy.unknown_contact == UnknownContact.CREATE:
            contact = self.connection.people.create(email, person.name)
        # Wix knows the address, or does since just now.
        if contact is not None:
            name = contact.name or person.name
            named = Contact(contact.contact_id, email, name)
            return self.directory.save_contact(self.site.id, named)
        if self.site.policy.unknown_contact == UnknownContact.SKIP:
            return CONTACT_SKIPPED
        # Nobody has this address yet: the event of a contact that gets it releases the delivery.
        raise Held(
            "unknown_contact",
            hold_key=email_hold_key(email),
            has_arrived=lambda: self._known(email=email) is not None,
        )

    def _refuse_unusable(self, email: str, hold_key: str | None = None) -> None:
        """What is no address of one person finds nobody, and must not become a contact."""
        if not is_usable(email):
            raise Held("address_unusable", hold_key=hold_key)

    def _known(self, *, contact_id: str | None = None, email: str | None = None) -> Contact | None:
        """The contact as the ledger remembers it; asks nobody."""
        return self.directory.contact(self.site.id, contact_id=contact_id, email=email)
