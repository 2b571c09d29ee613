"""What the ledger in memory keeps, on plain dicts, and the steps that its ports share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from sync_worker.core.errors import LeaseLost
from sync_worker.core.hold_keys import contact_tombstone, erased_id
from sync_worker.core.ports.inbox import ERASED, GATHERED, SITE_REMOVED, Stored
from sync_worker.core.sweep_values import Listed, Sweep
from sync_worker.core.values import (
    Buried,
    Contact,
    Delivery,
    Entity,
    HistoryEntry,
    InboxState,
    Intent,
    Lease,
    Link,
    LinkState,
    NewDelivery,
    RatingKey,
    Side,
    Site,
    SiteSide,
)

OPEN = (InboxState.NEW, InboxState.TAKEN)


def is_same_record(one: NewDelivery, other: NewDelivery) -> bool:
    """Whether two deliveries speak of one record."""
    names = [(new.side, new.source, new.remote_id) for new in (one, other)]
    return names[0] == names[1]


def state_of_waiting(delivery: Delivery, thin: InboxState) -> InboxState:
    """The state of what is to be taken up later; a thin one cannot be new beside its twin."""
    return thin if delivery.new.dedupe_id is None else InboxState.NEW


@dataclass(slots=True)
class InboxRow:
    """A row of the inbox."""

    delivery: Delivery
    received_at: float
    next_attempt_at: float
    hold_key: str | None = None

    @property
    def is_open(self) -> bool:
        return self.delivery.state in OPEN

    @property
    def is_held(self) -> bool:
        return self.delivery.state is InboxState.HELD


@dataclass(slots=True)
class LinkRow:
    """A link with its lease and its open intent."""

    link: Link
    fence: int = 0
    lease_until: float = 0.0
    intent: Intent | None = None


@dataclass(slots=True)
class RunRow:
    """A run of a sweep, and what its listings showed."""

    sweep: Sweep
    lease_until: float
    started_at: float
    state: str = "running"
    listed: dict[tuple[Side, str], Listed] = field(default_factory=dict)


@dataclass(slots=True)
class MemoryState:
    """All tables. ``now`` is the clock (seconds)."""

    now: Callable[[], float]
    site_rows: dict[int, Site] = field(default_factory=dict)
    lifecycle_at: dict[int, float] = field(default_factory=dict)
    # Until when nobody told what happened on a site.
    sweep_since: dict[int, float] = field(default_factory=dict)
    # Deletes that a person has allowed within an hour, and until when.
    allowed: dict[int, tuple[int, float]] = field(default_factory=dict)
    entities: list[tuple[int, Entity]] = field(default_factory=list)
    catalogue_asked: set[tuple[int, str]] = field(default_factory=set)
    contacts: list[tuple[int, Contact]] = field(default_factory=list)
    # Addresses that an earlier version put on file, by site.
    earlier_forms: set[tuple[int, str]] = field(default_factory=set)
    redirects: dict[tuple[int, str], str] = field(default_factory=dict)
    rows: dict[int, InboxRow] = field(default_factory=dict)
    dedupe: dict[tuple[Side, str, str], int] = field(default_factory=dict)
    link_rows: dict[int, LinkRow] = field(default_factory=dict)
    by_key: dict[RatingKey, int] = field(default_factory=dict)
    by_remote: dict[tuple[int, Side, str], int] = field(default_factory=dict)
    graves: dict[tuple[int, Side, str], Buried] = field(default_factory=dict)
    grave_links: dict[tuple[int, Side, str], int] = field(default_factory=dict)
    intents: dict[str, Intent] = field(default_factory=dict)
    intent_links: dict[str, int] = field(default_factory=dict)
    history: list[tuple[int, float, HistoryEntry]] = field(default_factory=list)
    # Sources of accounts that were followed by another one, and their sites.
    ended_accounts: dict[str, int] = field(default_factory=dict)
    # Accounts that fail, and when they are asked again.
    next_probe_at: dict[SiteSide, float] = field(default_factory=dict)
    runs: list[RunRow] = field(default_factory=list)
    missing: dict[tuple[int, Side, str], int] = field(default_factory=dict)

    # -- sites

    def source(self, site_id: int, side: Side) -> str:
        """The name under which a side's deliveries of a site arrive."""
        site = self.site_rows[site_id]
        return site.instance_id if side is Side.WIX else site.external_source

    def site_of(self, new: NewDelivery) -> Site | None:
        for site in self.site_rows.values():
            if new.source == self.source(site.id, new.side):
                return site
        return None

    def rows_of(self, site_id: int) -> list[InboxRow]:
        """Deliveries of a site, whether they have come to a link or not."""
        names = {(side, self.source(site_id, side)) for side in Side}
        rows = self.rows.values()
        return [row for row in rows if (row.delivery.new.side, row.delivery.new.source) in names]

    def follow_account(self, source: str) -> bool:
        """Whether the account of this source was followed by another one, which has all now."""
        site_id = self.ended_accounts.get(source)
        if site_id is None:
            return False
        self.move_deliveries(source, self.site_rows[site_id].external_source)
        return True

    def move_deliveries(self, old: str, new: str) -> None:
        """What was told outside under one name is kept under another one from now on."""
        for row in self.rows.values():
            told = row.delivery.new
            if (told.side, told.source) == (Side.EXTERNAL, old):
                row.delivery = replace(row.delivery, new=replace(told, source=new))
        for place, inbox_id in list(self.dedupe.items()):
            if place[:2] == (Side.EXTERNAL, old):
                self.dedupe[Side.EXTERNAL, new, place[2]] = inbox_id

    # -- deliveries

    def store(self, delivery: NewDelivery) -> Stored:
        twin = self._twin_of(delivery)
        if twin is not None:
            self._absorb(self.rows[twin], delivery)
            return Stored(twin, is_duplicate=True)
        inbox_id = len(self.rows) + 1
        stored = Delivery(inbox_id, delivery, received_at=datetime.fromtimestamp(self.now(), UTC))
        self.rows[inbox_id] = InboxRow(stored, self.now(), self.now() + 5.0)
        if delivery.dedupe_id is not None:
            self.dedupe[delivery.side, delivery.source, delivery.dedupe_id] = inbox_id
        return Stored(inbox_id, is_duplicate=False)

    def _twin_of(self, new: NewDelivery) -> int | None:
        if new.dedupe_id is not None:
            return self.dedupe.get((new.side, new.source, new.dedupe_id))
        name = (None, new.side, new.source, new.remote_id, new.change)
        for inbox_id, row in self.rows.items():
            told = row.delivery.new
            told_name = (told.dedupe_id, told.side, told.source, told.remote_id, told.change)
            if row.delivery.state is InboxState.NEW and told_name == name:
                return inbox_id
        return None

    def _absorb(self, row: InboxRow, new: NewDelivery) -> None:
        """Of a sender without ids it may tell of a later edit: then only a look serves for both.

        And should the record be gone by then, the later edit is what is told.
        """
        told, its = [(one.revision, one.sequence, one.payload) for one in (row.delivery.new, new)]
        if new.dedupe_id is None and told != its:
            row.delivery = replace(row.delivery, must_read=True)
            if (new.revision or 0) > (row.delivery.new.revision or math.inf):
                row.delivery = replace(row.delivery, new=new)

    def release_row(self, inbox_id: int) -> None:
        """Back to ``new``, to be read afresh; a held link that it belongs to is live again."""
        self.release_delivery(inbox_id)
        link = self.link_rows.get(self.rows[inbox_id].delivery.link_id or 0)
        if link is not None and link.link.state is LinkState.HELD:
            link.link = replace(link.link, state=LinkState.LIVE, writes=())

    def release_delivery(self, inbox_id: int) -> None:
        """Back to ``new``, to be read afresh; its link stays as it is."""
        row = self.rows[inbox_id]
        row.delivery = replace(
            row.delivery,
            state=state_of_waiting(row.delivery, InboxState.TAKEN),
            must_read=True,
            attempts=0,
            reason="",
            suspected_crashes=0,
        )
        row.received_at = row.next_attempt_at = self.now()
        row.hold_key = None

    def hint(self, link: Link, hint: NewDelivery) -> None:
        """A delivery of our own for a link; one that has come to an end begins anew."""
        stored = self.store(hint)
        row = self.rows[stored.inbox_id]
        if not stored.is_duplicate or not row.is_open:
            again = replace(row.delivery, state=InboxState.NEW, must_read=True, reason="")
            row.delivery = replace(
                again, suspected_crashes=0, link_id=link.id, site_id=link.key.site_id
            )

    def erase_row(self, row: InboxRow) -> None:
        """A delivery without content; one that was not at its end is now.

        What was gathered into it goes with it.
        """
        for other in self.rows.values():
            if other.delivery.reason == f"{GATHERED}{row.delivery.id}":
                self._empty_row(other)
        self._empty_row(row)

    def forget_content(self, row: InboxRow) -> None:
        """Nothing stays of what a delivery told; a look at its record tells it anew."""
        emptied = replace(row.delivery.new, payload={})
        row.delivery = replace(row.delivery, new=emptied, must_read=True)

    def _empty_row(self, row: InboxRow) -> None:
        site = self.site_of(row.delivery.new)
        new = row.delivery.new
        name = erased_id(site.id if site else 0, new.side, new.remote_id)
        was_over = not row.is_open and not row.is_held
        row.delivery = replace(row.delivery, new=replace(new, payload={}, remote_id=name))
        row.hold_key = None
        # What ended with its site must not begin anew with it.
        if not was_over or row.delivery.reason == SITE_REMOVED.reason:
            row.delivery = replace(row.delivery, state=ERASED.state, reason=ERASED.reason)

    # -- links

    def leased(self, lease: Lease) -> LinkRow:
        """The link that a lease holds. Raises LeaseLost."""
        row = self.link_rows[lease.link_id]
        if row.fence != lease.fence or row.lease_until <= self.now():
            raise LeaseLost
        return row

    def of_link(self, link_id: int | None) -> list[InboxRow]:
        if link_id is None:
            return []
        return [row for row in self.rows.values() if row.delivery.link_id == link_id]

    def rekey(self, row: LinkRow, key: RatingKey) -> None:
        del self.by_key[row.link.key]
        self.by_key[key] = row.link.id
        row.link = replace(row.link, key=key)

    # -- tombstones

    def grave(self, site_id: int, side: Side, remote_id: str) -> Buried | None:
        """The tombstone of an id, in clear or hashed."""
        for name in (remote_id, erased_id(site_id, side, remote_id)):
            grave = self.graves.get((site_id, side, name))
            if grave is not None:
                return replace(grave, remote_id=remote_id)
        return None

    def is_erased(self, site_id: int, contact_id: str) -> bool:
        return self.grave(site_id, Side.WIX, contact_tombstone(contact_id)) is not None

    def bury(self, site_id: int, buried: Buried) -> None:
        """Both tombstones in one: the highest numbers, and privacy for ever."""
        key = (site_id, buried.side, buried.remote_id)
        old = self.grave(*key) or buried
        deeper = replace(
            buried,
            revision=_highest(old.revision, buried.revision),
            sequence=_highest(old.sequence, buried.sequence),
            privacy=old.privacy or buried.privacy,
        )
        if deeper.privacy:
            # From now on it is known by its hash only.
            self.graves.pop(key, None)
            link_id = self.grave_links.pop(key, None)
            key = (site_id, buried.side, erased_id(*key))
            deeper = replace(deeper, remote_id=key[2])
            if link_id is not None:
                self.grave_links[key] = link_id
        self.graves[key] = deeper

    def link_grave(self, site_id: int, grave: Buried, link_id: int) -> None:
        """Remember to which link a buried id belonged."""
        name = grave.remote_id
        if (site_id, grave.side, name) not in self.graves:
            name = erased_id(site_id, grave.side, name)
        self.grave_links[site_id, grave.side, name] = link_id


def _highest(*numbers: int | None) -> int | None:
    return max((number for number in numbers if number is not None), default=None)
