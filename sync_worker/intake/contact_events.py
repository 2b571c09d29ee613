"""Contacts that change: what a contact event releases, brings together, forgets or erases.

    created, updated ──▶ what was held for this person goes on
    merged           ──▶ the ids merged away lead to the contact that lives on; links join its links
    deleted          ──▶ merged away after all? as above; else its addresses are forgotten
    deleted, privacy ──▶ every link is erased on both sides, then the person in mappings and inbox

Every step may be repeated: the delivery stays open until all of it is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from sync_worker.core.email_identity import is_usable
from sync_worker.core.errors import Permanent, Transient
from sync_worker.core.hold_keys import address_tombstone, contact_hold_key, email_hold_keys
from sync_worker.core.outcome import Outcome
from sync_worker.core.ports.directory import Directory
from sync_worker.core.ports.doorbell import Bell
from sync_worker.core.ports.inbox import ERASED, Closing, Inbox
from sync_worker.core.ports.merges import Merges
from sync_worker.core.ports.people import People
from sync_worker.core.values import Buried, Contact, Delivery, InboxState, Merge, Side, Site
from sync_worker.engine.engine import Engine
from sync_worker.intake.contact_merge import AGAIN_SECONDS, ContactMerges, run_links
from sync_worker.intake.raters import is_erased

CONTACT_NOT_KNOWN = Closing(InboxState.DONE, "contact_not_known")
CONTACT_STAYS = Closing(InboxState.DONE, "contact_stays")
CONTACT_FORGOTTEN = Closing(InboxState.DONE, "contact_forgotten")
MERGED = Closing(InboxState.DONE, "merged")


class ContactNews(Enum):
    """What a contact event says, before anything is looked up."""

    PRESENT = auto()
    MERGED = auto()
    DELETED = auto()
    ANONYMISED = auto()
    ERASURE_ASKED = auto()


class DeletedContact(Enum):
    """What became of a contact whose deletion was told, unless it was merged away."""

    STAYS = auto()
    GONE = auto()


def news_of(delivery: Delivery) -> ContactNews:
    """What a contact event says."""
    match delivery.new.change:
        case "contact_merged":
            return ContactNews.MERGED
        # Wix deletes what it has merged away, which is no request of the person to be forgotten.
        case "contact_deleted" if delivery.new.privacy and not is_from_merge(delivery):
            return ContactNews.ERASURE_ASKED
        case "contact_deleted":
            return ContactNews.DELETED
        case _ if delivery.new.privacy:
            return ContactNews.ANONYMISED
        case _:
            return ContactNews.PRESENT


def fate_of_deleted(delivery: Delivery, found: Contact | None) -> Merge | DeletedContact:
    """What became of a contact, by its deletion event and by what Wix shows for its id."""
    contact_id = delivery.new.remote_id
    # Merged away: the merge event is late, or was lost.
    if found is not None and found.contact_id != contact_id:
        return Merge((contact_id,), found.contact_id)
    # Restored since.
    if found is not None:
        return DeletedContact.STAYS
    # Merged away, but Wix does not show into whom: the merge event tells.
    if is_from_merge(delivery):
        return DeletedContact.STAYS
    return DeletedContact.GONE


def is_from_merge(delivery: Delivery) -> bool:
    """Whether Wix deleted the contact because it was merged away.

    https://dev.wix.com/docs/rest/crm/members-contacts/contacts
    """
    return delivery.new.payload.get("originatedFrom") in ("merge", "merged")


@dataclass(frozen=True, slots=True)
class ContactEvents:
    """Applies the contact events of one site."""

    CHANGES = frozenset({"contact_changed", "contact_merged", "contact_deleted"})

    inbox: Inbox
    directory: Directory
    merges: Merges
    bell: Bell
    engine: Engine
    people: People
    site: Site

    def apply(self, delivery: Delivery) -> Outcome:
        """Process a contact event. Raises Transient, Permanent: not done yet, or refused."""
        contact_id = delivery.new.remote_id
        match news_of(delivery):
            # Both look for erased people themselves: a repeated request has to end what is left.
            case ContactNews.ERASURE_ASKED:
                return self._erase(delivery, [contact_id])
            case ContactNews.MERGED:
                return self._apply_merge(delivery)
            case _ if self._is_erased(contact_id):
                # Late news of somebody who was erased: nothing may be made from it.
                self._bury_addresses(delivery)
                return self._close(delivery, ERASED)
            case ContactNews.DELETED:
                return self._apply_deletion(delivery)
            case ContactNews.ANONYMISED:
                # Its old address means nobody now, and nothing may be made from what is left.
                self.directory.forget_contact(self.site.id, contact_id)
                return self._close(delivery, ERASED)
            case ContactNews.PRESENT:
                return self._release(delivery, contact_id, "contact")

    def names_erased(self, delivery: Delivery) -> bool:
        """Whether a merge names somebody who asked to be forgotten."""
        merge = self.people.merge_in(delivery.new.payload)
        return merge is not None and any(map(self._is_erased, (merge.target, *merge.sources)))

    def _is_erased(self, contact_id: str) -> bool:
        return is_erased(self.directory, self.site, contact_id)

    def _bury_addresses(self, delivery: Delivery) -> None:
        """Under these, too, nothing of the person is to be kept."""
        for address in self.people.addresses_in(delivery.new.payload):
            if is_usable(address):
                name = address_tombstone(address)
                self.directory.bury(self.site.id, Buried(Side.EXTERNAL, name, privacy=True))

    def _close(self, delivery: Delivery, closing: Closing) -> Outcome:
        self.inbox.close(delivery.id, closing)
        return Outcome.of(closing)

    # -- contacts that are there

    def _release(self, delivery: Delivery, contact_id: str, reason: str) -> Outcome:
        """Release what was held for a contact, by its id and its addresses. Asks nobody."""
        addresses = self.people.addresses_in(delivery.new.payload)
        released = self._release_held(contact_hold_key(contact_id))
        for hold_key in {key for address in addresses for key in email_hold_keys(address)}:
            released += self._release_held(hold_key)
        done = Closing(InboxState.DONE, f"{reason}, released {len(released)}")
        ended = self.inbox.close(delivery.id, done, names=contact_id)
        self.bell.ring(released)
        # A privacy request came in between: the ledger has ended the delivery as erased.
        if ended != done:
            return Outcome.of(ended)
        return Outcome.of(Closing(InboxState.DONE, reason))

    def _release_held(self, hold_key: str) -> list[int]:
        return self.inbox.release_held(self.site.id, hold_key=hold_key)

    # -- merges

    def _apply_merge(self, delivery: Delivery) -> Outcome:
        merge = self.people.merge_in(delivery.new.payload)
        if merge is None:
            raise Permanent("the merge event does not name both contacts", reason="malformed_event")
        # Who was merged into the person that asked to be erased was that person.
        if self._is_erased(merge.target):
            return self._erase(delivery, merge.sources)
        # An erased contact was merged away: it must not lead anywhere again.
        if any(self._is_erased(source) for source in merge.sources):
            return self._close(delivery, ERASED)
        self._contact_merges.follow(merge, is_told=True)
        # The request to erase the person came while the links were joined.
        if self._is_erased(merge.target):
            return self._erase(delivery, merge.sources)
        # What waits for a contact merged away goes on as the contact that lives on.
        for source in merge.sources:
            self.bell.ring(self._release_held(contact_hold_key(source)))
        return self._release(delivery, merge.target, "merged")

    @property
    def _contact_merges(self) -> ContactMerges:
        return ContactMerges(self.merges, self.engine, self.site)

    # -- deletions

    def _apply_deletion(self, delivery: Delivery) -> Outcome:
        contact_id = delivery.new.remote_id
        links = self.merges.links_of(self.site.id, contact_id)
        known = self.directory.contact(self.site.id, contact_id=contact_id)
        # Nothing of this contact is here: there is nothing to forget, and no reason to ask Wix.
        if not links and known is None:
            return self._close(delivery, CONTACT_NOT_KNOWN)
        # The merge event came first, as it should.
        if known is not None and known.contact_id != contact_id:
            return self._close(delivery, MERGED)
        match fate_of_deleted(delivery, self.people.by_id(contact_id)):
            case Merge() as merge:
                self._contact_merges.follow(merge, is_told=False)
                return self._close(delivery, MERGED)
            case DeletedContact.STAYS:
                return self._close(delivery, CONTACT_STAYS)
            case DeletedContact.GONE:
                # No privacy request: its ratings stay, only its addresses mean nobody now.
                self.directory.forget_contact(self.site.id, contact_id)
                return self._close(delivery, CONTACT_FORGOTTEN)

    def _erase(self, delivery: Delivery, contact_ids: Sequence[str]) -> Outcome:
        """Erase people on both sides, then in the ledger, which closes the delivery."""
        for contact_id in contact_ids:
            run_links(self.engine, self.merges.hint_erasure(self.site.id, contact_id, delivery.id))
            # The person is what leads to the links: forget it only when none is left.
            left = self.merges.links_of(self.site.id, contact_id)
            if left:
                raise Transient(
                    f"{len(left)} ratings of this contact are not erased yet",
                    retry_after=AGAIN_SECONDS,
                )
            self.merges.erase_contact(self.site.id, contact_id, delivery.id)
        return Outcome.of(ERASED)
