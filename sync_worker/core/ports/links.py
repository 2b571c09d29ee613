"""Links under their lease: what a run reads and what it commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Protocol

from sync_worker.core.ports.inbox import Closing
from sync_worker.core.values import (
    Base,
    Buried,
    Contact,
    Delivery,
    Entity,
    EntityRef,
    HistoryEntry,
    Intent,
    IntentState,
    Known,
    Lease,
    Link,
    LinkState,
    NewDelivery,
    RatingKey,
    Side,
    Site,
    Slot,
)


@dataclass(frozen=True, slots=True)
class LeasedLink:
    """All that a holder of a lease needs, read in one transaction with taking it."""

    lease: Lease
    site: Site
    link: Link
    entity: Entity
    contact: Contact
    intent: Intent | None
    # Those taken for this run, oldest first: all open rows of the link (also those that wait for a
    # later attempt: looking costs nothing more now), and its held rows, to be looked at again
    # (`Delivery.was_held`). Those that only a person releases stay held and are seen only.
    deliveries: tuple[Delivery, ...]
    # The database's time, in seconds since 1970.
    now: float
    # The contact that lives on, if the link's own was merged away since; such a link joins that
    # contact's before anything else.
    merged_into: str | None = None
    # Links for the same entity that have to join this one.
    links_to_join: tuple[int, ...] = ()
    # Ids of deliveries in hand that had no tombstone then, nor another link; it says nothing of
    # others.
    unburied: Set[tuple[Side, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class IfGone:
    """What goes on file of a new record that turns out to be gone, in place of what was agreed."""

    bases: Mapping[str, Base]
    history: Sequence[HistoryEntry]


@dataclass(frozen=True, slots=True)
class Commit:
    """What one step of a run changes, applied in one transaction under the fence."""

    # New memory by slot; `None` forgets the slot.
    records: Mapping[Slot, Known | None] = field(default_factory=dict)
    # New bases by attribute.
    bases: Mapping[str, Base] = field(default_factory=dict)
    # By slot, of records in `records` that are new on file.
    if_gone: Mapping[Slot, IfGone] = field(default_factory=dict)
    link_state: LinkState | None = None
    new_generation: bool = False
    # Remote ids gone for good: their tombstones keep the link, the highest numbers and `privacy`.
    buried: Sequence[Buried] = ()
    # Tombstones that a look refuted, as they were before it: a newer one stays.
    revived: Sequence[Buried] = ()
    # The revision at which the run saw a record, by remote id: a tombstone of an earlier revision
    # says nothing about it.
    seen: Mapping[str, int] = field(default_factory=dict)
    # Closes the open intent.
    intent_state: IntentState | None = None
    # Times of the link's recent writes, if there is a new one.
    writes: Sequence[float] = ()
    history: Sequence[HistoryEntry] = ()
    # Ids of external records that stand behind the synced one.
    shadowed: Set[str] = frozenset()
    # How deliveries end, by inbox id.
    closings: Mapping[int, Closing] = field(default_factory=dict)
    # End the lease in the same transaction.
    release: bool = False
    # A privacy request has removed the rating from both sides: forget all that is personal of it,
    # and leave hashed tombstones.
    erases: bool = False
    # Ids of external records that belong to another rating now. What was told of them before stays
    # with this link, so that an erasure of its person finds it.
    leaving: Sequence[str] = ()
    # Stored with it, for no link yet: what tells of those that may cross to somebody.
    passed_on: Sequence[NewDelivery] = ()

    def then(self, later: Commit | None) -> Commit:
        """Both steps as one; the later one has the last word."""
        if later is None:
            return self
        return replace(
            later,
            records={**self.records, **later.records},
            bases={**self.bases, **later.bases},
            if_gone={**self.if_gone, **later.if_gone},
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
            leaving=(*self.leaving, *later.leaving),
            passed_on=(*self.passed_on, *later.passed_on),
        )

    def is_dead(self, tombstone: Buried) -> bool:
        """Whether the tombstone of one of the records holds for it."""
        if tombstone in self.revived:
            return False
        seen = self.seen.get(tombstone.remote_id)
        return seen is None or tombstone.revision is None or tombstone.revision >= seen

    def without(self, buried: Set[str]) -> Commit:
        """The same step without records that turned out to be gone; it ends no delivery.

        Whoever buried them leaves the rest to this run; if it dies now, its open deliveries are
        what is taken up.
        """
        if not buried:
            return self
        gone = [slot for slot, known in self.records.items() if known and known.remote_id in buried]
        records = {**self.records, **dict.fromkeys(gone)}
        bases, history = {**self.bases}, [*self.history]
        for slot in gone:
            if slot in self.if_gone:
                bases |= self.if_gone[slot].bases
                history += self.if_gone[slot].history
        ends_nothing = replace(
            self, closings={}, release=False, erases=False, leaving=(), passed_on=()
        )
        return replace(ends_nothing, records=records, bases=bases, history=history)


@dataclass(frozen=True, slots=True)
class Committed:
    """What came of a commit."""

    # Of the remote ids in `Commit.records`, those that a delivery buried in the meantime. They do
    # not come on file, and with one of them the lease goes on and the deliveries stay open, also if
    # the commit asked to end both.
    buried: frozenset[str] = frozenset()
    # If the lease ended with it, the new deliveries of the link, but for those that wait for a
    # later attempt. Who attaches one after that gets the lease, so none is overlooked.
    fresh: Sequence[int] = ()
    # Inbox ids of `Commit.passed_on`, in its order.
    passed_on: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Attached:
    """``run`` is ``None`` if another has the lease: it looks for new deliveries as it ends it."""

    link_id: int
    run: LeasedLink | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A rated thing and a person as a record of one side names them.

    ``rater``: on Wix the contact's id, outside the address in its normal form.
    """

    side: Side
    entity: EntityRef
    rater: str

    @property
    def is_product(self) -> bool:
        """Named by its id alone, as Wix Reviews does."""
        return self.side is Side.WIX and self.entity.is_product


class Links(Protocol):
    """Links and their leases. Each method is one transaction; all times are the database's.

    The ledger alone decides who holds a lease: the engine never compares clocks.
    """

    def attach(self, inbox_id: int, key: RatingKey, *, with_held: bool = False) -> Attached:
        """Give a delivery to the link of its key, made if need be, and lease it as ``lease`` does.

        ``with_held``: also what is held of the same record without a key.
        Raises Transient, instead of making a link, if a privacy request has erased the contact
        meanwhile.
        """

    def attach_shown(self, inbox_id: int, site_id: int, shown: Shown) -> LeasedLink | None:
        """Find the key of what a record names, and ``attach`` to it, in one step.

        ``None``: not all of it is mapped under these names, a contact was merged away or is erased,
        or another has the lease. Then each question is asked by itself.
        """

    def link_of(self, key: RatingKey) -> int:
        """The id of a key's link, made if need be: for what comes from no delivery."""

    def link_id(self, key: RatingKey) -> int | None:
        """The link of a key, if there is one."""

    def external_id(self, key: RatingKey) -> str | None:
        """The id of the external record that the link of a key has on file, if any."""

    def lease(self, link_id: int) -> LeasedLink | None:
        """Take the lease for 15 s and the link's deliveries, and read all.

        ``None`` if another has the lease.
        """

    def renew(self, lease: Lease) -> None:
        """15 s more. Raises LeaseLost if the lease ended or another fence took it."""

    def open_intent(self, lease: Lease, intent: Intent) -> bool:
        """Store the intent, and renew a lease with less than 14.5 s left, in one transaction.

        ``False``, and nothing is stored, if the brake stops it (`Intent.is_braked`): each of two
        that come in the same moment counts the other. Raises LeaseLost.
        """

    def commit(self, lease: Lease, change: Commit) -> Committed:
        """Apply a step. Raises LeaseLost, and then nothing was applied."""

    def release(self, lease: Lease) -> Sequence[int]:
        """End the lease if it is still ours; never raises LeaseLost.

        Returns as ``Committed.fresh``.
        """

    def deletes_exceeded(self, site_id: int, side: Side, more: int = 0) -> bool:
        """Whether the deletes to a side, and ``more``, reach max(20, 5 % of the live links).

        Those within the last hour and those under way count. A person may have allowed more for a
        while. ``open_intent`` asks it by itself; this is for those who write nothing.
        """
