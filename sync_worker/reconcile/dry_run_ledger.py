"""The ledger of a dry run: it reads the real one, and drops what would be written.

A small group of ports, each with what a run under a lease and the search for its key call. Nothing
else is there on purpose: a call of another method fails, instead of writing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import cast

from sync_worker.core.email_identity import normalise_email
from sync_worker.core.ports.directory import Directory
from sync_worker.core.ports.inbox import Inbox
from sync_worker.core.ports.ledger import Ledger
from sync_worker.core.ports.links import Attached, Commit, Committed, LeasedLink, Links
from sync_worker.core.ports.merges import Merges
from sync_worker.core.ports.site_sides import SiteSides
from sync_worker.core.values import (
    Buried,
    Contact,
    Delivery,
    Entity,
    EntityRef,
    InboxState,
    Intent,
    Lease,
    Located,
    Merge,
    MergeDistance,
    NewDelivery,
    Person,
    RatingKey,
    SearchKeys,
    Side,
    SiteSide,
    Value,
)
from sync_worker.reconcile.planned_entities import planned_entity

# Above all numbers of real deliveries, and of those that stand for findings.
PASSED_ON = 1 << 62


@dataclass(frozen=True, slots=True)
class DryRunInbox:
    """The part of ports.Inbox that a run calls."""

    inbox: Inbox

    def defer(
        self,
        inbox_ids: Sequence[int],
        delay_seconds: float | None,
        reason: str,
        *,
        is_failure: bool,
    ) -> None:
        """The outcome tells it."""

    def hold(self, inbox_ids: Sequence[int], reason: str, *, hold_key: str | None = None) -> None:
        """The outcome tells it."""

    def put_back(self, inbox_ids: Sequence[int]) -> None:
        """Nothing was taken up."""

    def evidence(self, site_id: int, side: Side, remote_id: str, revision: int) -> Delivery | None:
        return self.inbox.evidence(site_id, side, remote_id, revision)

    def was_released(self, delivery: Delivery, reason: str) -> bool:
        return self.inbox.was_released(delivery, reason)


@dataclass(frozen=True, slots=True)
class FoundContacts:
    """Contacts that a run has found, and that the ledger does not keep."""

    by_id: dict[str, Contact] = field(default_factory=dict)
    by_email: dict[str, Contact] = field(default_factory=dict)

    def add(self, contact: Contact) -> Contact:
        """The first one with an address is the one that has it, as in the ledger."""
        if contact.email is not None:
            contact = self.by_email.setdefault(normalise_email(contact.email), contact)
        self.by_id[contact.contact_id] = contact
        return contact

    def get(self, contact_id: str | None, email: str | None) -> Contact | None:
        if contact_id is not None:
            return self.by_id.get(contact_id)
        return None if email is None else self.by_email.get(email)


@dataclass(frozen=True, slots=True)
class DryRunDirectory:
    """The part of ports.Directory that leads to a key.

    ``found``: the contacts that it would have saved. ``keeps_contacts``: it does save them.
    ``planned``: entities that it would have mapped, by id. ``left``: ids of external records that
    would have left their link.
    """

    directory: Directory
    found: FoundContacts = field(default_factory=FoundContacts)
    keeps_contacts: bool = False
    planned: dict[int, Entity] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)

    def locate(self, site_id: int, side: Side, remote_id: str) -> Located:
        if side is Side.EXTERNAL and remote_id in self.left:
            return Located()
        return self.directory.locate(site_id, side, remote_id)

    def values_deleted(
        self, site_id: int, side: Side, remote_id: str
    ) -> Mapping[str, Value | None] | None:
        return self.directory.values_deleted(site_id, side, remote_id)

    def entity(self, site_id: int, side: Side, ref: EntityRef) -> Entity | None:
        return self.directory.entity(site_id, side, ref)

    def is_catalogue_asked(self, site_id: int, hold_key: str) -> bool:
        return self.directory.is_catalogue_asked(site_id, hold_key)

    def add_entity(self, site_id: int, wix: EntityRef, external: EntityRef) -> Entity:
        entity = planned_entity(self.directory, site_id, wix, external)
        return self.planned.setdefault(entity.id, entity)

    def contact(
        self, site_id: int, *, contact_id: str | None = None, email: str | None = None
    ) -> Contact | None:
        known = self.directory.contact(site_id, contact_id=contact_id, email=email)
        if known is not None:
            return known
        return self.found.get(contact_id, email)

    def save_contact(self, site_id: int, contact: Contact) -> Contact:
        if self.keeps_contacts:
            return self.directory.save_contact(site_id, contact)
        return self.found.add(contact)

    def earlier_contact(self, site_id: int, email: str) -> tuple[str, Contact] | None:
        return self.directory.earlier_contact(site_id, email)

    def rewrite_address(self, site_id: int, earlier: str, email: str) -> None:
        return

    def erased_addresses(self, site_id: int, addresses: Collection[str]) -> Set[str]:
        return self.directory.erased_addresses(site_id, addresses)

    def bury(self, site_id: int, buried: Buried) -> bool:
        return True


@dataclass(slots=True)
class DryRunLinks:
    """The part of ports.Links that a run calls.

    ``deletes``: planned so far, by side, for the brake. ``peek``: what a lease of a key's link
    would give. ``left``: ids of records that would have left their link. ``is_linked_anew``: a
    record came on file. ``passed_on``: what was told of records that are another rating's now.
    """

    links: Links
    deletes: Mapping[Side, int]
    peek: Callable[[RatingKey], LeasedLink]
    left: set[str]
    is_linked_anew: bool = False
    passed_on: list[NewDelivery] = field(default_factory=list)

    def external_id(self, key: RatingKey) -> str | None:
        return self.links.external_id(key)

    def attach(self, inbox_id: int, key: RatingKey, *, with_held: bool = False) -> Attached:
        """For what was passed on: with its key the run goes on as the real one does."""
        new, run = self.passed_on[inbox_id - PASSED_ON], self.peek(key)
        told = Delivery(inbox_id, new, InboxState.TAKEN, key.site_id, must_read=True)
        return Attached(run.lease.link_id, replace(run, deliveries=(*run.deliveries, told)))

    def renew(self, lease: Lease) -> None:
        """Nothing was leased."""

    def open_intent(self, lease: Lease, intent: Intent) -> bool:
        """The write is only noted."""
        side = intent.slot.side
        planned = self.deletes.get(side, 0)
        return not (intent.is_braked and self.links.deletes_exceeded(lease.site_id, side, planned))

    def commit(self, lease: Lease, change: Commit) -> Committed:
        if any(known is not None for known in change.records.values()):
            self.is_linked_anew = True
        self.left.update(change.leaving)
        first = PASSED_ON + len(self.passed_on)
        self.passed_on += change.passed_on
        return Committed(passed_on=range(first, first + len(change.passed_on)))

    def release(self, lease: Lease) -> Sequence[int]:
        return ()


@dataclass(frozen=True, slots=True)
class DryRunMerges:
    """The part of ports.Merges that a run calls."""

    merges: Merges

    def redirect(self, site_id: int, merge: Merge, *, is_told: bool = True) -> None:
        """The real run finds the merge again."""

    def buried_with(self, link_id: int) -> list[tuple[Side, str]]:
        return self.merges.buried_with(link_id)

    def merge_distance(self, site_id: int, person: Person) -> MergeDistance | None:
        return self.merges.merge_distance(site_id, person)


@dataclass(frozen=True, slots=True)
class DryRunSiteSides:
    """The part of ports.SiteSides that a run calls."""

    def fail(self, account: SiteSide, inbox_ids: Sequence[int], why: str) -> None:
        """The outcome tells it."""

    def wait(self, account: SiteSide, inbox_ids: Sequence[int]) -> bool:
        return False


class DryRunUnlinked:
    """Implements ports.Unlinked: nobody looks for what a dry run only thinks of."""

    def note(self, site_id: int, inbox_id: int, shown: SearchKeys) -> None:
        """Keeps nothing."""


@dataclass(frozen=True, slots=True)
class DryRunLedger:
    """The ledger of one planned run.

    ``ports``: what the engine takes. ``links`` also tells what it would have kept.
    """

    ports: Ledger
    links: DryRunLinks

    @classmethod
    def over(
        cls,
        ledger: Ledger,
        directory: DryRunDirectory,
        deletes: Mapping[Side, int],
        peek: Callable[[RatingKey], LeasedLink],
    ) -> DryRunLedger:
        """A dry run's ledger over the real one. ``deletes``, ``peek``: as in DryRunLinks."""
        links = DryRunLinks(ledger.links, deletes, peek, directory.left)
        ports = Ledger(
            cast(Inbox, DryRunInbox(ledger.inbox)),
            cast(Directory, directory),
            cast(Links, links),
            cast(Merges, DryRunMerges(ledger.merges)),
            ledger.sites,
            cast(SiteSides, DryRunSiteSides()),
            DryRunUnlinked(),
        )
        return cls(ports, links)
