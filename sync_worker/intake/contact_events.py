"""Contacts that change: what a contact event releases, brings together, forgets or erases.

    created, updated ──▶ what was held for this person goes on
    merged           ──▶ the ids merged away lead to the contact that lives on; links join its links
    deleted          ──▶ merged away after all? as above; else its addresses are forgotten
    deleted, privacy ──▶ every link is erased on both sides, then the person in mappings and inbox

Every step may be repeated: the delivery stays open until all of it is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sync_worker.core.errors import Permanent, Transient
from sync_worker.core.hold_keys import contact_hold_key, email_hold_key
from sync_worker.core.outcome import Outcome, OutcomeKind
from sync_worker.core.ports.doorbell import Bell
from sync_worker.core.ports.inbox import ERASED, Closing
from sync_worker.core.ports.ledger import Ledger
from sync_worker.core.ports.people import People
from sync_worker.core.values import Delivery, InboxState, Merge, Site
from sync_worker.engine.engine import Engine
from sync_worker.intake.resolve import is_erased

AGAIN_SECONDS = 2.0
UNFINISHED = frozenset(
    {OutcomeKind.BUSY, OutcomeKind.LEASE_LOST, OutcomeKind.RETRY, OutcomeKind.RATE_LIMITED}
)


@dataclass(frozen=True, slots=True)
class PeopleChanges:
    """Hears the contact events of one site."""

    CHANGES = frozenset({"contact_changed", "contact_merged", "contact_deleted"})

    ledger: Ledger
    bell: Bell
    engine: Engine
    people: People
    site: Site

    def hear(self, delivery: Delivery) -> Outcome:
        """Process a contact event. Raises Transient, Permanent: not done yet, or refused."""
        match delivery.new.change:
            case "contact_deleted" if delivery.new.privacy and not _is_from_merge(delivery):
                return self._erase(delivery, [delivery.new.remote_id])
            case "contact_merged":
                return self._merged(delivery)
            case _ if self._is_erased(delivery.new.remote_id):
                return self._close(delivery, ERASED)
            case "contact_deleted":
                return self._deleted(delivery)
            case _ if delivery.new.privacy:
                # Anonymised in place: nothing may be made from what is left, and its old address
                # means nobody now.
                self.ledger.directory.forget_contact(self.site.id, delivery.new.remote_id)
                return self._close(delivery, ERASED)
            case _:
                return self._release(delivery, delivery.new.remote_id, "contact")

    def _is_erased(self, contact_id: str) -> bool:
        return is_erased(self.ledger, self.site, contact_id)

    def _close(self, delivery: Delivery, closing: Closing) -> Outcome:
        self.ledger.inbox.close(delivery.id, closing)
        return Outcome.of(closing)

    def _release(self, delivery: Delivery, contact_id: str, reason: str) -> Outcome:
        """A contact is there, or has an address now: what was held for it goes on. Asks nobody."""
        keys = [contact_hold_key(contact_id)]
        keys += map(email_hold_key, self.people.addresses_in(delivery.new.payload))
        released = [
            inbox_id
            for key in keys
            for inbox_id in self.ledger.inbox.release_held(self.site.id, hold_key=key)
        ]
        done = Closing(InboxState.DONE, f"{reason}, released {len(released)}")
        ended = self.ledger.inbox.close(delivery.id, done, names=contact_id)
        self.bell.ring(released)
        return Outcome.of(replace(done, reason=reason) if ended == done else ended)

    # -- merges

    def _merged(self, delivery: Delivery) -> Outcome:
        merge = self.people.merge_in(delivery.new.payload)
        if merge is None:
            raise Permanent("the merge event does not name both contacts", reason="malformed_event")
        if self._is_erased(merge.target):
            return self._erase(
                delivery, merge.sources
            )  # who was merged into the person that asked was that person
        if any(map(self._is_erased, merge.sources)):
            return self._close(delivery, ERASED)
        self._follow(merge)
        if self._is_erased(merge.target):  # while we were at it
            return self._erase(delivery, merge.sources)
        for source in merge.sources:
            self.bell.ring(
                self.ledger.inbox.release_held(self.site.id, hold_key=contact_hold_key(source))
            )
        return self._release(delivery, merge.target, "merged")

    def _follow(self, merge: Merge, *, is_told: bool = True) -> None:
        """Remember the merge, then let every link of the people in it find the contact that lives
        on.
        """
        self.ledger.merges.redirect(self.site.id, merge, is_told=is_told)
        self._run(self.ledger.merges.links_of(self.site.id, merge.target))

    def _run(self, link_ids: Sequence[int]) -> None:
        """Raises Transient if some of it has to be tried again."""
        outcomes = [self.engine.sync_link(link_id) for link_id in link_ids]
        if unfinished := [outcome for outcome in outcomes if outcome.kind in UNFINISHED]:
            raise Transient(
                f"{len(unfinished)} links of this contact are not done", retry_after=AGAIN_SECONDS
            )

    # -- deletions

    def _deleted(self, delivery: Delivery) -> Outcome:
        """Of a contact that we know nothing of there is nothing to forget, and no reason to ask
        Wix.
        """
        contact_id = delivery.new.remote_id
        links = self.ledger.merges.links_of(self.site.id, contact_id)
        known = self.ledger.directory.contact(self.site.id, contact_id=contact_id)
        if not links and known is None:
            return self._close(delivery, Closing(InboxState.DONE, "contact_not_known"))
        if known is not None and known.contact_id != contact_id:
            return self._close(delivery, Closing(InboxState.DONE, "merged"))
        found = self.people.by_id(contact_id)
        if (
            found is not None and found.contact_id != contact_id
        ):  # the merge event is late, or was lost
            self._follow(Merge((contact_id,), found.contact_id), is_told=False)
            return self._close(delivery, Closing(InboxState.DONE, "merged"))
        if found is not None or _is_from_merge(delivery):
            return self._close(delivery, Closing(InboxState.DONE, "contact_stays"))
        self.ledger.directory.forget_contact(self.site.id, contact_id)
        return self._close(delivery, Closing(InboxState.DONE, "contact_forgotten"))

    def _erase(self, delivery: Delivery, contact_ids: Sequence[str]) -> Outcome:
        for one in contact_ids:
            self._run(self.ledger.merges.hint_erasure(self.site.id, one, delivery.id))
            if left := self.ledger.merges.links_of(self.site.id, one):
                raise Transient(
                    f"{len(left)} ratings of this contact are not erased yet",
                    retry_after=AGAIN_SECONDS,
                )
            self.ledger.merges.erase_contact(self.site.id, one, delivery.id)
        return Outcome.of(ERASED)


def _is_from_merge(delivery: Delivery) -> bool:
    """Wix deletes what it has merged away, and says so:
    https://dev.wix.com/docs/rest/crm/members-contacts/contacts.
    """
    return delivery.new.payload.get("originatedFrom") in ("merge", "merged")
