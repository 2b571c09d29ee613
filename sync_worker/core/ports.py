"""What the engine needs from outside, as protocols; adapters and in-memory twins implement them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto
from typing import Any, Protocol

from sync_worker.core.values import (
    Base,
    Buried,
    Contact,
    Delivery,
    Draft,
    Entity,
    EntityRef,
    HistoryEntry,
    InboxState,
    Intent,
    IntentState,
    Known,
    Lease,
    Link,
    LinkState,
    Merge,
    MergeDistance,
    NewDelivery,
    Operation,
    Person,
    RatingKey,
    Record,
    Side,
    Site,
    Slot,
)


class Clock(Protocol):
    """Elapsed time of this process, in seconds; never compared with another clock."""

    def monotonic(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a remote can do; the engine chooses its strategy by these."""

    has_revision: bool = True  # records carry a revision that grows by one with each change
    update_precondition: bool = True  # an update can name the revision it expects
    delete_precondition: bool = False  # a delete can name the revision it expects
    is_unique: bool = True  # one record for each person and entity (and attribute) is enforced
    trusts_payload: bool = True  # a verified event carries the whole record
    delete_is_final: bool = False  # a delete event for the id on file needs no look
    many_fields: bool = False  # one record holds the main value and sub-ratings
    create_is_async: bool = (
        False  # a create has no record in its answer: it shows itself later, or never
    )
    confirm_seconds: float = (
        900.0  # how long an accepted create may take to show; then a person looks
    )
    correlates_value: bool = True  # a record with another value is not taken for an accepted create
    correlates_text: bool = False  # nor one with a person's own words: ours have none
    can_create: bool = True
    can_update: bool = True
    can_delete: bool = True
    ignored_operations: frozenset[str] = (
        frozenset()
    )  # cannot be done and need no person: "create", "update", "delete"
    skips_without_email: bool = (
        False  # records of people without an address end instead of being held
    )
    absence_counts: bool = (
        True  # what complete listings do not show, and no look by id finds, counts as deleted
    )

    def can(self, operation: Operation) -> bool:
        """Whether the remote offers a write at all."""
        return {
            Operation.CREATE: self.can_create,
            Operation.UPDATE: self.can_update,
            Operation.DELETE: self.can_delete,
        }[operation]


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a listing. ``cursor``: where the next page begins, in any process; ``None``: this is
    the last one.

    ``unreadable``: rows that are no records of the system's own form; only a look by id tells more
    of them. ``newest``: of a listing of changes, the latest time that a record shows, in the
    remote's own clock.
    """

    records: Sequence[Record]
    cursor: str | None = None
    unreadable: int = 0
    newest: datetime | None = None


class Remote(Protocol):
    """One side. Every call ends within the call deadline (8 s) with its retries.

    Errors of all calls: Transient, RateLimited, Permanent, Misconfigured.
    """

    @property
    def side(self) -> Side: ...

    @property
    def capabilities(self) -> Capabilities: ...

    def reserve_request(self) -> None:
        """Take the next call's token from the budget now. Raises RateLimited."""

    def record_in(self, payload: Mapping[str, Any]) -> Record | None:
        """The whole record that a verified event carries, or ``None``. Pure.

        Raises Permanent if malformed.
        """

    def get(self, remote_id: str) -> Record | None:
        """The record now, ``None`` if it does not exist (any more)."""

    def find(self, entity: EntityRef, person: Person) -> Sequence[Record]:
        """All records of this person for this entity, oldest first; may lag behind recent
        writes.
        """

    def list_page(self, cursor: str | None = None) -> Page:
        """A page of all records, whatever their state; ``None`` begins.

        Raises Permanent for a cursor that repeats.
        """

    def create(self, draft: Draft, idempotency_key: str) -> Record:
        """Create a record.

        Raises Duplicate, UnknownOutcome, and Unconfirmed where ``create_is_async``.
        """

    def update(self, remote_id: str, draft: Draft, revision: int | None) -> Record:
        """Update under ``revision`` as the precondition. Raises Conflict, Gone, UnknownOutcome."""

    def delete(self, remote_id: str, revision: int | None) -> None:
        """Delete; a record that is already gone is a success. Raises Conflict, UnknownOutcome."""


class People(Protocol):
    """The contacts and members of the Wix site. Errors as for Remote."""

    def addresses_in(self, payload: Mapping[str, Any]) -> Sequence[str]:
        """The e-mail addresses that a verified contact event carries. Pure."""

    def merge_in(self, payload: Mapping[str, Any]) -> Merge | None:
        """What a verified merge event says, ``None`` if it does not name both contacts. Pure."""

    def by_email(self, email: str) -> Contact | None:
        """The contact for an address: primary match first, then the oldest, then the
        smallest id.
        """

    def matches(self, emails: Sequence[str]) -> Mapping[str, Sequence[Contact]]:
        """Contacts by normalised address, in the order of ``by_email``; one call for up to 100
        addresses.

        An address without a contact is missing; one with several contacts is for a person to look
        at.
        """

    def by_id(self, contact_id: str) -> Contact | None:
        """The contact (after a merge: the one it was merged into), ``None`` if unknown."""

    def by_ids(self, contact_ids: Sequence[str]) -> Mapping[str, Contact]:
        """Contacts by id; one call for up to 100.

        One that is missing was merged away or is gone: ``by_id`` tells.
        """

    def by_member(self, member_id: str) -> Contact | None:
        """The contact of a site member, ``None`` if unknown."""

    def create(self, email: str, name: str | None) -> Contact:
        """Create a contact, or adopt the one that has the address already."""


@dataclass(frozen=True, slots=True)
class Connection:
    """The live remotes of one site.

    ``children``: every external record of a rated thing by its id, for systems whose events name
    only that; complete when it ends. ``changed``: a page of the external records that changed since
    a time (``None``: of all), deleted ones too where the system shows them; ``None`` where nothing
    but the whole can be listed. Errors as for Remote.
    """

    remotes: Mapping[Side, Remote]
    people: People
    children: Callable[[str], Iterator[Record]] | None = None
    changed: Callable[[datetime | None, str | None], Page] | None = None


class Guard(Protocol):
    """The Redis loop guard: repeats what SQL knows (rules R0 to R6).

    Never raises; a failure is a miss.
    """

    def remember(
        self, site_id: int, side: Side, remote_id: str, revision: int, intent_id: str
    ) -> None:
        """Keep the revision that our own write returned; called after the SQL commit."""

    def recall(self, site_id: int, side: Side, remote_id: str, revision: int) -> str | None:
        """The intent whose write returned exactly this revision, or ``None``."""

    def forget(self, site_id: int, side: Side, remote_id: str) -> None:
        """A privacy request has erased this record."""


class Sites(Protocol):
    """Opens sites that install the app by themselves."""

    def open(self, instance_id: str) -> tuple[Site, Sequence[int]] | None:
        """A new site on the one connector that no site uses, and the deliveries that had waited for
        it.

        ``None``: there is not exactly one such connector; a person has to choose (``site add``).
        """


class Bell(Protocol):
    """The doorbell: asks for a delivery to be processed. Never raises; the sweeper rings again."""

    def ring(self, inbox_ids: Sequence[int]) -> None: ...


@dataclass(frozen=True, slots=True)
class Stored:
    """Outcome of storing a delivery; ``inbox_id`` is the earlier row's when it is a duplicate."""

    inbox_id: int
    is_duplicate: bool


@dataclass(frozen=True, slots=True)
class Located:
    """What the ledger knows about a remote id: the key of its link, on file or from before its
    burial.
    """

    key: RatingKey | None = None
    buried: Buried | None = None
    is_on_file: bool = False


@dataclass(frozen=True, slots=True)
class RecordsOfEntity:
    """The external records of one rated thing: those on file, by id, and the ids of
    shadowed ones.
    """

    on_file: Mapping[str, Known]
    shadowed: Set[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LeasedLink:
    """All that a holder of a lease needs, read in one transaction with taking it.

    ``deliveries`` are those taken for this run, oldest first: all open rows of the link (also those
    that wait for a later attempt: looking costs nothing more now), and rows held with a reason in
    ``ENGINE_RECHECKS``. ``now`` is the database's time (epoch seconds). ``merged_into``: the
    contact that lives on, if the link's own was merged away since; such a link joins that contact's
    before anything else. ``links_to_join``: links for the same entity that have to join this one.
    ``unburied``: ids of deliveries in hand that had no grave then; it says nothing of others.
    """

    lease: Lease
    site: Site
    link: Link
    entity: Entity
    contact: Contact
    intent: Intent | None
    deliveries: tuple[Delivery, ...]
    now: float
    merged_into: str | None = None
    links_to_join: tuple[int, ...] = ()
    unburied: Set[tuple[Side, str]] = frozenset()


# Held rows that every run of their link looks at again: what they wait for arrives as a delivery of
# the link.
ENGINE_RECHECKS = frozenset({"main_value_missing", "awaiting_confirmation"})


RATE_LIMITED = "rate_limited"  # why a delivery waits for a budget
RATE_LIMITED_AT_ONCE = 8  # a full bucket of the default budget

# A worker that dies counts nothing, and to note every look before it begins would be one more
# statement for each delivery. So the sweeper's rings for one that nobody ended are the first signs
# (it may only have waited in the queue); from the second on each look is noted before, and what
# stays noted are deaths.
TRACK_AFTER = 2
# With growing pauses, some 40 minutes: one night of killed workers or a bad version holds nothing
MAX_DEATHS = 10


class Look(Enum):
    """What became of a look that was to be noted."""

    BEGUN = auto()
    EARLY = auto()  # it is not due, or another worker is at it
    GIVEN_UP = auto()


@dataclass(frozen=True, slots=True)
class Closing:
    """How a delivery ends."""

    state: InboxState
    reason: str = ""


# What came too late for somebody whose data a privacy request has erased: the ledger forgets its
# content at once.
ERASED = Closing(InboxState.DONE, "erased")
WORKER_DIED = Closing(InboxState.HELD, "worker_died")


@dataclass(frozen=True, slots=True)
class Commit:
    """What one step of a run changes, applied in one transaction under the fence.

    ``records``: new memory by slot, ``None`` forgets the slot. ``bases``: new base by attribute.
    ``buried``:
    remote ids gone for good (their tombstones keep the link, the highest numbers and ``privacy``).
    ``revived``: graves that a look refuted, as they were before it: a newer grave stays. ``seen``:
    the revision at which the run saw a record, by remote id: a grave of an earlier revision says
    nothing about it. ``intent_state`` closes the open intent. ``writes``: the times of the link's
    recent writes, if there is a new one. ``shadowed``: ids of external records that stand behind
    the synced one. ``closings``: by inbox id. ``release``: end the lease in the same transaction.
    ``erases``: a privacy request has removed the rating from both sides; forget all that is
    personal of it, and leave hashed graves.
    """

    records: Mapping[Slot, Known | None] = field(default_factory=dict)
    bases: Mapping[str, Base] = field(default_factory=dict)
    link_state: LinkState | None = None
    new_generation: bool = False
    buried: Sequence[Buried] = ()
    revived: Sequence[Buried] = ()
    seen: Mapping[str, int] = field(default_factory=dict)
    intent_state: IntentState | None = None
    writes: Sequence[float] = ()
    history: Sequence[HistoryEntry] = ()
    shadowed: Set[str] = frozenset()
    closings: Mapping[int, Closing] = field(default_factory=dict)
    release: bool = False
    erases: bool = False

    def then(self, later: Commit | None) -> Commit:
        """Both steps as one; the later one has the last word."""
        if later is None:
            return self
        return replace(
            later,
            records={**self.records, **later.records},
            bases={**self.bases, **later.bases},
            link_state=later.link_state or self.link_state,
            new_generation=self.new_generation or later.new_generation,
            buried=tuple(dict.fromkeys((*self.buried, *later.buried))),
            revived=tuple(dict.fromkeys((*self.revived, *later.revived))),
            seen={**self.seen, **later.seen},
            intent_state=later.intent_state or self.intent_state,
            writes=later.writes or self.writes,
            history=(*self.history, *later.history),
            shadowed=self.shadowed | later.shadowed,
            closings={**self.closings, **later.closings},
        )

    def is_dead(self, grave: Buried) -> bool:
        """Whether a grave of one of the records holds for it."""
        if grave in self.revived:
            return False
        seen = self.seen.get(grave.remote_id)
        return seen is None or grave.revision is None or grave.revision >= seen

    def without(self, buried: Set[str]) -> Commit:
        """The same step, but for records that turned out to be gone: the run is not over, so it
        ends no delivery.

        Whoever buried them leaves the rest to this run; if it dies now, its open deliveries are
        what is taken up.
        """
        if not buried:
            return self
        records = {
            slot: None if known and known.remote_id in buried else known
            for slot, known in self.records.items()
        }
        return replace(self, records=records, closings={}, release=False, erases=False)


@dataclass(frozen=True, slots=True)
class Committed:
    """``buried``: of the remote ids in ``Commit.records``, those that a delivery buried in the
    meantime.

    They do not come on file, and with one of them the lease goes on and the deliveries stay open,
    also if the commit asked to end both. ``fresh``: if the lease ended with it, the new deliveries
    of the link, but for those that wait for a later attempt. Who attaches one after that gets the
    lease, so none is overlooked.
    """

    buried: frozenset[str] = frozenset()
    fresh: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Attached:
    """``run`` is ``None`` if another has the lease: it looks for new deliveries as it ends it."""

    link_id: int
    run: LeasedLink | None


class Ledger(Protocol):
    """The truth, in SQL. Each method is one transaction; all times are the database's.

    The ledger alone decides who holds a lease: the engine never compares clocks.
    """

    # -- inbox: from the door to its end

    def store(self, delivery: NewDelivery) -> Stored:
        """Commit a delivery. With a dedupe id: absorbed by any row of the same (side, source,
        dedupe id). Without: absorbed by a row in state ``new`` with the same (side, source, remote
        id, change). A duplicate of a row not yet closed leaves it as it is."""

    def open_delivery(self, inbox_id: int) -> tuple[Delivery, Site | None] | None:
        """A delivery in state new or taken, with its site (by ``source``; ``None`` if unknown),
        else ``None``.
        """

    def close(
        self,
        inbox_id: int,
        closing: Closing,
        *,
        hold_key: str | None = None,
        names: str | None = None,
    ) -> Closing:
        """End a delivery that no lease covers (done, suppressed, held). Rows closed already stay as
        they are.

        ``names``: a contact in its payload; if a privacy request has erased that one meanwhile, it
        ends as ERASED. Returns how it ended.
        """

    def hold(self, inbox_ids: Sequence[int], reason: str, *, hold_key: str | None = None) -> None:
        """Hold open deliveries."""

    def defer(
        self,
        inbox_ids: Sequence[int],
        delay_seconds: float | None,
        reason: str,
        *,
        is_failure: bool,
    ) -> None:
        """Try open deliveries again after ``delay_seconds``: their worker lives, so
        ``suspected_crashes`` is 0 again.

        ``None``: by their attempts, 5 s doubling, jittered, at most 1 h. A failure counts as an
        attempt; a row that is older than 48 h is held (``attempts_exhausted``) instead.
        """

    def due(self, limit: int) -> list[int]:
        """Ids of open deliveries whose next attempt is due; it moves 10 s ahead. Those that wait
        for a budget (``RATE_LIMITED``) come last, the oldest ``RATE_LIMITED_AT_ONCE`` of each
        source: more would only be refused. Each ring is a first sign that a worker died over it
        (``suspected_crashes``), up to ``TRACK_AFTER``."""

    def begin_look(self, delivery: Delivery) -> Look:
        """Note that a worker looks at a delivery that workers may have died over, before it does.

        Its next attempt moves away as after a failure, so what nobody ends is taken up ever later;
        only who comes when it is due may look. After ``MAX_DEATHS`` looks that nobody ended it is
        held (``WORKER_DIED``).
        """

    def end_look(self, delivery: Delivery, *, is_busy: bool = False) -> None:
        """The worker lives, so ``suspected_crashes`` is 0 again, and if it says nothing else the
        delivery is due in 10 s.

        ``is_busy``: another has the lease, or had it as it died: all signs stay as they were in
        ``delivery``.
        """

    def release_held(
        self,
        site_id: int | None,
        *,
        hold_key: str | None = None,
        inbox_ids: Sequence[int] | None = None,
    ) -> list[int]:
        """Put held (or, by id, closed) deliveries back to ``new`` with ``must_read``; returns their
        ids.

        A held link that they belong to is live again."""

    def hold_for_site(self, inbox_id: int, delivery: NewDelivery) -> bool:
        """Hold an open delivery until its site is added (the newest 10,000 of a source); whether it
        is there by now.
        """

    def evidence(self, site_id: int, side: Side, remote_id: str, revision: int) -> Delivery | None:
        """A stored delivery, in any state, for exactly this revision of a remote record."""

    # -- from a delivery to its key

    def locate(self, site_id: int, side: Side, remote_id: str) -> Located: ...

    def entity(self, site_id: int, side: Side, ref: EntityRef) -> Entity | None: ...

    def add_entity(self, site_id: int, wix: EntityRef, external: EntityRef) -> Entity:
        """Map an entity; an existing map of the same pair is returned."""

    def contact(
        self, site_id: int, *, contact_id: str | None = None, email: str | None = None
    ) -> Contact | None:
        """The contact with an address; after a merge the one that lives on, also under the ids
        merged away.
        """

    def save_contact(self, site_id: int, contact: Contact) -> Contact:
        """Remember a contact by its e-mail, unless it is erased; the first mapping of an address
        wins.
        """

    def bury(self, site_id: int, buried: Buried) -> bool:
        """Note that a remote id that no link knows is gone for good.

        False if a link has it on file by now.
        """

    def records_of_entity(self, site_id: int, ref: EntityRef) -> RecordsOfEntity:
        """What is known of the external records of one rated thing."""

    def held_among(self, site_id: int, side: Side, remote_ids: Sequence[str]) -> Set[str]:
        """Those of the ids that a held delivery speaks of: its release will look at them."""

    # -- people and sites that change

    def redirect(self, site_id: int, merge: Merge, *, is_told: bool = True) -> None:
        """Remember a merge; none may lead in a circle.

        One that an event told of replaces one that was only found: asked for an id that was merged
        away, Wix shows the end of the chain and not the next contact in it.
        """

    def merge_distance(self, site_id: int, person: Person) -> MergeDistance | None:
        """Of the contact that a record names (by its id, else by its address); ``None`` if nobody
        knows.
        """

    def links_of(self, site_id: int, contact_id: str) -> list[int]:
        """Links of a contact, of all that were merged into it, and of the one that it was merged
        into.
        """

    def link_id(self, key: RatingKey) -> int | None:
        """The link of a key, if there is one."""

    def join(self, lease: Lease, into: Lease | None, contact_id: str) -> None:
        """Bring a link to the contact that lives on, under the fences of both links.

        Without ``into`` (it has no link for that entity) the link gets the contact's key. Else all
        moves to that link:
        to the place of nothing, or, where it has records already, as deliveries that tell of one
        record each (their payload says ``merged_from``), for the engine to see which one stays.
        Raises LeaseLost, and nothing has moved.
        """

    def forget_contact(self, site_id: int, contact_id: str) -> bool:
        """Forget the addresses of a contact that is gone; whether there were any.

        Its links stay.
        """

    def buried_with(self, link_id: int) -> list[tuple[Side, str]]:
        """Remote ids (in clear) that were on file with a link and are gone."""

    def hint_erasure(self, site_id: int, contact_id: str, inbox_id: int) -> list[int]:
        """Nothing is made for this contact any more; for each of ``links_of`` commit a delivery
        that asks to erase it.

        Returns the link ids.
        """

    def erase_contact(self, site_id: int, contact_id: str, inbox_id: int) -> None:
        """After its links: forget the person in mappings and inbox, and close the delivery that
        asked for it.
        """

    def note_lifecycle(self, site_id: int, state: str, at: float | None) -> list[int]:
        """Installed (``active``) or ``removed`` at Wix's time ``at``, unless something newer is
        known.

        A paused site stays paused. Returns the deliveries that were held because the site was
        removed.
        """

    # -- a run

    def attach(self, inbox_id: int, key: RatingKey) -> Attached:
        """Commit that a delivery belongs to a key's link (made if need be), and take the lease as
        ``lease`` does.

        Raises Transient, instead of making a link, if a privacy request has erased the contact
        meanwhile.
        """

    def link_of(self, key: RatingKey) -> int:
        """The id of a key's link, made if need be: for what comes from no delivery."""

    def lease(self, link_id: int) -> LeasedLink | None:
        """Take the lease for 15 s, take the link's deliveries, and read all; ``None`` if another
        has it.
        """

    def renew(self, lease: Lease) -> None:
        """15 s more. Raises LeaseLost if the lease ended or another fence took it."""

    def open_intent(self, lease: Lease, intent: Intent) -> None:
        """Store the intent, and renew a lease with less than 14.5 s left, in one transaction.

        Raises LeaseLost.
        """

    def commit(self, lease: Lease, change: Commit) -> Committed:
        """Apply a step. Raises LeaseLost, and then nothing was applied."""

    def release(self, lease: Lease) -> Sequence[int]:
        """End the lease if it is still ours; never raises LeaseLost.

        Returns as ``Committed.fresh``.
        """

    def deletes_exceeded(self, site_id: int, side: Side, more: int = 0) -> bool:
        """Whether deletes to this side within the last hour or under way, and ``more``, reach
        max(20, 5 % of links).

        A person may have allowed more for a while.
        """
