"""The ledger in memory: the same contract as SqlLedger, on plain dicts, for the simulator's many
runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Self

from sync_worker.core.errors import LeaseLost, Permanent, Transient
from sync_worker.core.hold_keys import (
    address_grave,
    contact_grave,
    contact_hold_key,
    email_hold_key,
    erased_id,
)
from sync_worker.core.ports.directory import Located, RecordsOfEntity
from sync_worker.core.ports.inbox import (
    ERASED,
    MAX_DEATHS,
    RATE_LIMITED,
    RATE_LIMITED_AT_ONCE,
    TRACK_AFTER,
    WORKER_DIED,
    Closing,
    Look,
    Stored,
)
from sync_worker.core.ports.links import ENGINE_RECHECKS, Attached, Commit, Committed, LeasedLink
from sync_worker.core.scale import FieldMap
from sync_worker.core.sweep_values import Listed
from sync_worker.core.values import (
    Base,
    Buried,
    Contact,
    Delivery,
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
    Policy,
    RatingKey,
    Record,
    Side,
    Site,
    Slot,
)

OPEN = (InboxState.NEW, InboxState.TAKEN)
LEASE_SECONDS = 15.0


@dataclass(slots=True)
class _Row:
    """A row of the inbox."""

    delivery: Delivery
    received_at: float
    next_attempt_at: float
    hold_key: str | None = None


@dataclass(slots=True)
class _LinkRow:
    link: Link
    fence: int = 0
    lease_until: float = 0.0
    intent: Intent | None = None


@dataclass(slots=True)
class MemoryLedger:
    """Implements ports.Ledger; ``now`` is its clock (seconds)."""

    now: Callable[[], float]
    site_rows: dict[int, Site] = field(default_factory=dict)
    entities: list[tuple[int, Entity]] = field(default_factory=list)
    contacts: list[tuple[int, Contact]] = field(default_factory=list)
    rows: dict[int, _Row] = field(default_factory=dict)
    dedupe: dict[tuple[Side, str, str], int] = field(default_factory=dict)
    link_rows: dict[int, _LinkRow] = field(default_factory=dict)
    by_key: dict[RatingKey, int] = field(default_factory=dict)
    by_remote: dict[tuple[int, Side, str], int] = field(default_factory=dict)
    graves: dict[tuple[int, Side, str], Buried] = field(default_factory=dict)
    grave_links: dict[tuple[int, Side, str], int] = field(default_factory=dict)
    intents: dict[str, Intent] = field(default_factory=dict)
    history: list[tuple[int, float, HistoryEntry]] = field(default_factory=list)
    intent_links: dict[str, int] = field(default_factory=dict)
    redirects: dict[tuple[int, str], str] = field(default_factory=dict)
    lifecycle_at: dict[int, float] = field(default_factory=dict)
    allowed: dict[int, tuple[int, float]] = field(
        default_factory=dict
    )  # deletes within an hour, and until when
    forget_listed: Callable[[int, Callable[[Listed], bool]], None] = lambda site_id, which: None

    @property
    def inbox(self) -> Self:
        return self

    @property
    def directory(self) -> Self:
        return self

    @property
    def links(self) -> Self:
        return self

    @property
    def merges(self) -> Self:
        return self

    @property
    def sites(self) -> Self:
        return self

    # -- set-up

    def add_site(
        self,
        instance_id: str,
        connector: str,
        policy: Policy | None = None,
        fields: tuple[FieldMap, ...] = (),
    ) -> Site:
        site = Site(len(self.site_rows) + 1, instance_id, connector, policy or Policy(), fields)
        self.site_rows[site.id] = site
        return site

    def add_entity(self, site_id: int, wix: EntityRef, external: EntityRef) -> Entity:
        for owner, entity in self.entities:
            if owner == site_id and (entity.wix, entity.external) == (wix, external):
                return entity
        entity = Entity(len(self.entities) + 1, wix, external)
        self.entities.append((site_id, entity))
        return entity

    # -- inbox

    def store(self, delivery: NewDelivery) -> Stored:
        if (twin := self._absorbs(delivery)) is not None:
            return Stored(twin, is_duplicate=True)
        inbox_id = len(self.rows) + 1
        stored = Delivery(inbox_id, delivery, received_at=datetime.fromtimestamp(self.now(), UTC))
        self.rows[inbox_id] = _Row(stored, self.now(), self.now() + 5.0)
        if delivery.dedupe_id is not None:
            self.dedupe[delivery.side, delivery.source, delivery.dedupe_id] = inbox_id
        return Stored(inbox_id, is_duplicate=False)

    def _absorbs(self, new: NewDelivery) -> int | None:
        if new.dedupe_id is not None:
            return self.dedupe.get((new.side, new.source, new.dedupe_id))
        for inbox_id, row in self.rows.items():
            twin = row.delivery.new
            if (
                row.delivery.state is InboxState.NEW
                and twin.dedupe_id is None
                and (twin.side, twin.source, twin.remote_id, twin.change)
                == (new.side, new.source, new.remote_id, new.change)
            ):
                return inbox_id
        return None

    def open_delivery(self, inbox_id: int) -> tuple[Delivery, Site | None] | None:
        row = self.rows.get(inbox_id)
        if row is None or row.delivery.state not in OPEN:
            return None
        return row.delivery, self._site_of(row.delivery.new)

    def _site_of(self, new: NewDelivery) -> Site | None:
        for site in self.site_rows.values():
            if new.source == (site.instance_id if new.side is Side.WIX else site.connector):
                return site
        return None

    def close(
        self,
        inbox_id: int,
        closing: Closing,
        *,
        hold_key: str | None = None,
        names: str | None = None,
    ) -> Closing:
        row = self.rows[inbox_id]
        site = self._site_of(row.delivery.new)
        if (
            names is not None
            and site is not None
            and self._grave(site.id, Side.WIX, contact_grave(names)) is not None
        ):
            closing = ERASED
        if row.delivery.state in OPEN:
            row.delivery = replace(row.delivery, state=closing.state, reason=closing.reason)
            row.hold_key = hold_key
            if closing == ERASED:
                self._erase_row(row)
        return closing

    def hold(self, inbox_ids: Sequence[int], reason: str, *, hold_key: str | None = None) -> None:
        for inbox_id in inbox_ids:
            self.close(inbox_id, Closing(InboxState.HELD, reason), hold_key=hold_key)

    def hold_for_site(self, inbox_id: int, delivery: NewDelivery) -> bool:
        self.close(inbox_id, Closing(InboxState.HELD, "unknown_site"))
        return self._site_of(delivery) is not None

    def defer(
        self,
        inbox_ids: Sequence[int],
        delay_seconds: float | None,
        reason: str,
        *,
        is_failure: bool,
    ) -> None:
        for inbox_id in inbox_ids:
            row = self.rows[inbox_id]
            if row.delivery.state not in OPEN:
                continue
            attempts = row.delivery.attempts + is_failure
            if is_failure and self.now() - row.received_at > 48 * 3600:
                self.hold([inbox_id], "attempts_exhausted")
                continue
            delay = (
                delay_seconds
                if delay_seconds is not None
                else min(5.0 * 2 ** max(attempts - 1, 0), 3600.0)
            )
            row.delivery = replace(
                row.delivery,
                state=InboxState.NEW,
                attempts=attempts,
                reason=reason,
                suspected_crashes=0,
            )
            row.next_attempt_at = self.now() + delay

    def due(self, limit: int) -> list[int]:
        now = self.now()
        due = {
            inbox_id: row
            for inbox_id, row in self.rows.items()
            if row.delivery.state in OPEN and row.next_attempt_at <= now
        }
        waiting: dict[tuple[Side, str], list[int]] = {}
        for inbox_id, row in due.items():
            if row.delivery.reason == RATE_LIMITED:
                waiting.setdefault((row.delivery.new.side, row.delivery.new.source), []).append(
                    inbox_id
                )
        last = [inbox_id for ids in waiting.values() for inbox_id in ids[:RATE_LIMITED_AT_ONCE]]
        rung = [
            inbox_id for inbox_id, row in due.items() if row.delivery.reason != RATE_LIMITED
        ] + last
        for inbox_id in rung[:limit]:
            row = self.rows[inbox_id]
            row.next_attempt_at = now + 10.0
            row.delivery = replace(
                row.delivery,
                suspected_crashes=max(
                    row.delivery.suspected_crashes, min(row.delivery.suspected_crashes + 1, 2)
                ),
            )
        return sorted(rung[:limit])

    def begin_look(self, delivery: Delivery) -> Look:
        row, deaths = self.rows[delivery.id], delivery.suspected_crashes - TRACK_AFTER
        now = row.delivery
        if (
            now.state not in OPEN
            or now.suspected_crashes != delivery.suspected_crashes
            or row.next_attempt_at > self.now() + 10.0
        ):
            return Look.EARLY
        row.delivery = replace(now, attempts=now.attempts + (deaths > 0))
        if deaths >= MAX_DEATHS:
            self.close(delivery.id, WORKER_DIED)
            return Look.GIVEN_UP
        row.delivery = replace(row.delivery, suspected_crashes=now.suspected_crashes + 1)
        row.next_attempt_at = self.now() + max(20.0, min(5.0 * 2**deaths, 3600.0))
        return Look.BEGUN

    def end_look(self, delivery: Delivery, *, is_busy: bool = False) -> None:
        row = self.rows[delivery.id]
        if row.delivery.state in OPEN and row.delivery.suspected_crashes > TRACK_AFTER:
            row.delivery = replace(row.delivery, suspected_crashes=0)
            if is_busy:
                row.delivery = replace(
                    row.delivery,
                    suspected_crashes=delivery.suspected_crashes,
                    attempts=delivery.attempts,
                )
            row.next_attempt_at = self.now() + 10.0

    def release_held(
        self,
        site_id: int | None,
        *,
        hold_key: str | None = None,
        inbox_ids: Sequence[int] | None = None,
    ) -> list[int]:
        released = []
        for inbox_id, row in self.rows.items():
            by_key = (
                inbox_ids is None
                and row.delivery.state is InboxState.HELD
                and row.hold_key == hold_key
            )
            if not by_key and not (inbox_ids is not None and inbox_id in inbox_ids):
                continue
            fresh = replace(
                row.delivery,
                state=InboxState.NEW,
                must_read=True,
                attempts=0,
                reason="",
                suspected_crashes=0,
            )
            row.delivery = fresh
            row.next_attempt_at = self.now()
            row.hold_key = None
            released.append(inbox_id)
            link = self.link_rows.get(row.delivery.link_id or 0)
            if link is not None and link.link.state is LinkState.HELD:
                link.link = replace(link.link, state=LinkState.LIVE, writes=())
        return released

    def evidence(self, site_id: int, side: Side, remote_id: str, revision: int) -> Delivery | None:
        for row in self.rows.values():
            new = row.delivery.new
            if (new.side, new.remote_id, new.revision) == (side, remote_id, revision):
                site = self._site_of(new)
                if site is not None and site.id == site_id:
                    return row.delivery
        return None

    def held_among(self, site_id: int, side: Side, remote_ids: Sequence[str]) -> frozenset[str]:
        held = {
            row.delivery.new.remote_id
            for row in self.rows.values()
            if row.delivery.state is InboxState.HELD
            and row.delivery.new.side is side
            and (site := self._site_of(row.delivery.new)) is not None
            and site.id == site_id
        }
        return frozenset(held & set(remote_ids))

    # -- from a delivery to its key

    def locate(self, site_id: int, side: Side, remote_id: str) -> Located:
        grave = self._grave(site_id, side, remote_id)
        link_id = self.by_remote.get((site_id, side, remote_id))
        if link_id is not None:
            return Located(self.link_rows[link_id].link.key, grave, is_on_file=True)
        names = (remote_id, erased_id(site_id, side, remote_id))
        link_id = next(
            (found for one in names if (found := self.grave_links.get((site_id, side, one)))), None
        )
        return Located(self.link_rows[link_id].link.key if link_id is not None else None, grave)

    def entity(self, site_id: int, side: Side, ref: EntityRef) -> Entity | None:
        return next(
            (one for owner, one in self.entities if owner == site_id and one.on(side) == ref), None
        )

    def contact(
        self, site_id: int, *, contact_id: str | None = None, email: str | None = None
    ) -> Contact | None:
        if email is None:
            return self._known_as(site_id, self._path(site_id, str(contact_id))[-1])
        for owner, contact in self.contacts:
            if owner == site_id and contact.email == email:
                return replace(contact, contact_id=self._path(site_id, contact.contact_id)[-1])
        return None

    def _known_as(self, site_id: int, contact_id: str) -> Contact | None:
        for one in self._family(site_id, contact_id):
            for owner, contact in self.contacts:
                if owner == site_id and contact.contact_id == one:
                    return replace(contact, contact_id=contact_id)
        return None

    def save_contact(self, site_id: int, contact: Contact) -> Contact:
        known = self.contact(site_id, email=contact.email) if contact.email is not None else None
        if known is not None:
            return known
        if self._grave(site_id, Side.WIX, contact_grave(contact.contact_id)) is None:
            self.contacts.append((site_id, contact))
        return replace(contact, contact_id=self._path(site_id, contact.contact_id)[-1])

    def bury(self, site_id: int, buried: Buried) -> bool:
        if (site_id, buried.side, buried.remote_id) in self.by_remote:
            return False
        self._bury(site_id, buried)
        return True

    def _bury(self, site_id: int, buried: Buried) -> None:
        key = (site_id, buried.side, buried.remote_id)
        old = self._grave(site_id, buried.side, buried.remote_id) or buried
        deeper = replace(
            buried,
            revision=max(
                (one for one in (old.revision, buried.revision) if one is not None), default=None
            ),
            sequence=max(
                (one for one in (old.sequence, buried.sequence) if one is not None), default=None
            ),
            privacy=old.privacy or buried.privacy,
        )
        if deeper.privacy:  # known by its hash only
            self.graves.pop(key, None)
            link_id = self.grave_links.pop(key, None)
            key = (site_id, buried.side, erased_id(*key))
            deeper = replace(deeper, remote_id=key[2])
            if link_id is not None:
                self.grave_links[key] = link_id
        self.graves[key] = deeper

    def _grave(self, site_id: int, side: Side, remote_id: str) -> Buried | None:
        for name in (remote_id, erased_id(site_id, side, remote_id)):
            if (grave := self.graves.get((site_id, side, name))) is not None:
                return replace(grave, remote_id=remote_id)
        return None

    # -- people and sites that change

    def _path(self, site_id: int, contact_id: str) -> list[str]:
        path = [contact_id]
        while (
            target := self.redirects.get((site_id, path[-1]))
        ) is not None and target not in path:
            path.append(target)
        return path

    def _family(self, site_id: int, contact_id: str) -> list[str]:
        family = [contact_id]
        for one in family:
            found = sorted(
                source
                for (owner, source), target in self.redirects.items()
                if (owner, target) == (site_id, one)
            )
            family += [source for source in found if source not in family]
        return family

    def _merged_into(self, site_id: int, contact_id: str) -> str | None:
        lives_as = self._path(site_id, contact_id)[-1]
        return None if lives_as == contact_id else lives_as

    def _kin(self, key: RatingKey) -> tuple[int, ...]:
        keys = [
            replace(key, contact_id=one) for one in self._family(key.site_id, key.contact_id)[1:]
        ]
        found = [self.by_key[one] for one in keys if one in self.by_key]
        return tuple(
            sorted(one for one in found if self.link_rows[one].link.state is not LinkState.BURIED)
        )

    def redirect(self, site_id: int, merge: Merge, *, is_told: bool = True) -> None:
        for source in merge.sources:
            is_known = (site_id, source) in self.redirects
            if source not in self._path(site_id, merge.target) and (is_told or not is_known):
                self.redirects[site_id, source] = merge.target

    def merge_distance(self, site_id: int, person: Person) -> MergeDistance | None:
        contact_id = person.contact_id
        if contact_id is None:
            email = (person.email or "").strip().casefold()
            rows = (
                one.contact_id
                for owner, one in self.contacts
                if owner == site_id and one.email == email
            )
            contact_id = next(rows, None)
        if contact_id is None:
            return None
        path = self._path(site_id, contact_id)
        return MergeDistance(len(path) - 1, contact_id, path[-1])

    def links_of(self, site_id: int, contact_id: str) -> list[int]:
        family = self._family(site_id, self._path(site_id, contact_id)[-1])
        keys = ((link_id, row.link.key) for link_id, row in self.link_rows.items())
        return [
            link_id for link_id, key in keys if key.site_id == site_id and key.contact_id in family
        ]

    def link_id(self, key: RatingKey) -> int | None:
        return self.by_key.get(key)

    def forget_contact(self, site_id: int, contact_id: str) -> bool:
        kept = [
            pair for pair in self.contacts if (pair[0], pair[1].contact_id) != (site_id, contact_id)
        ]
        had = len(kept) < len(self.contacts)
        self.contacts = kept
        return had

    def join(self, lease: Lease, into: Lease | None, contact_id: str) -> None:
        row, key = self._leased(lease), self.link_rows[lease.link_id].link.key
        entry = HistoryEntry(
            "merge",
            None,
            "",
            reason=f"link {lease.link_id}: its contact was merged into this one's",
        )
        if into is None:
            new_key = replace(key, contact_id=contact_id)
            if new_key in self.by_key:
                raise Transient(
                    "the contact that lives on has a link for this entity by now", retry_after=1.0
                )
            self._rekey(row, new_key)
            self.history.append((lease.link_id, self.now(), entry))
            return
        target = self._leased(into)
        self._move(row, target, lease)
        self.history.append((into.link_id, self.now(), entry))

    def _rekey(self, row: _LinkRow, key: RatingKey) -> None:
        del self.by_key[row.link.key]
        self.by_key[key] = row.link.id
        row.link = replace(row.link, key=key)

    def _move(self, row: _LinkRow, target: _LinkRow, lease: Lease) -> None:
        source, site_id = row.link, row.link.key.site_id
        if target.link.records:
            for slot, known in source.records.items():
                name, told = (
                    f"join:{source.id}:{lease.fence}:{slot}",
                    {"merged_from": source.key.contact_id},
                )
                self._hint(
                    target.link,
                    NewDelivery(
                        slot.side,
                        self._source(site_id, slot.side),
                        name,
                        "upsert",
                        known.remote_id,
                        told,
                    ),
                )
                del self.by_remote[site_id, slot.side, known.remote_id]
        else:
            target.link = replace(
                target.link,
                records=source.records,
                bases=source.bases,
                state=source.state,
                writes=source.writes,
            )
            for slot, known in source.records.items():
                self.by_remote[site_id, slot.side, known.remote_id] = target.link.id
        target.link = replace(target.link, shadowed=target.link.shadowed | source.shadowed)
        row.link = replace(
            source, records={}, bases={}, state=LinkState.BURIED, writes=(), shadowed=frozenset()
        )
        for key, link_id in self.grave_links.items():
            if link_id == source.id:
                self.grave_links[key] = target.link.id
        for one in self._of_link(source.id):
            one.delivery = replace(one.delivery, link_id=target.link.id)

    def _source(self, site_id: int, side: Side) -> str:
        site = self.site_rows[site_id]
        return site.instance_id if side is Side.WIX else site.connector

    def _hint(self, link: Link, hint: NewDelivery) -> None:
        stored = self.store(hint)
        row = self.rows[stored.inbox_id]
        if not stored.is_duplicate or row.delivery.state not in OPEN:
            again = replace(
                row.delivery, state=InboxState.NEW, must_read=True, reason="", suspected_crashes=0
            )
            row.delivery = replace(again, link_id=link.id, site_id=link.key.site_id)

    def buried_with(self, link_id: int) -> list[tuple[Side, str]]:
        ids = [
            key
            for key, owner in self.grave_links.items()
            if owner == link_id and not self.graves[key].privacy
        ]
        return [(side, remote_id) for _, side, remote_id in ids]

    def hint_erasure(self, site_id: int, contact_id: str, inbox_id: int) -> list[int]:
        for one in self._family(site_id, self._path(site_id, contact_id)[-1]):
            self._bury(site_id, Buried(Side.WIX, contact_grave(one), privacy=True))
        ids = self.links_of(site_id, contact_id)
        for link_id in ids:
            source, name = self._source(site_id, Side.WIX), f"erase:{inbox_id}:{link_id}"
            hint = NewDelivery(Side.WIX, source, name, "erase", f"link:{link_id}", {}, privacy=True)
            self._hint(self.link_rows[link_id].link, hint)
        return ids

    def _erase_link(self, row: _LinkRow, change: Commit) -> None:
        link, site_id = row.link, row.link.key.site_id
        plain = {
            (side, one)
            for (owner, side, one), link_id in self.grave_links.items()
            if link_id == link.id
        }
        plain = {(side, one) for side, one in plain if not self.graves[site_id, side, one].privacy}
        ids = plain | {(one.side, one.remote_id) for one in change.buried}
        for side, remote_id in sorted(ids):
            self._bury(site_id, Buried(side, remote_id, privacy=True))
            self._link_grave(site_id, Buried(side, remote_id), link.id)
        for one in self.rows.values():
            new = one.delivery.new
            is_about = (new.side, new.remote_id) in ids and new.source == self._source(
                site_id, new.side
            )
            if (
                one.delivery.link_id == link.id
                and one.delivery.state is InboxState.HELD
                and not is_about
            ):
                self.release_held(None, inbox_ids=[one.delivery.id])
            is_open = one.delivery.state in OPEN
            if is_about or (one.delivery.link_id == link.id and not is_open):
                self._erase_row(one)
            elif one.delivery.link_id == link.id:
                one.delivery = replace(one.delivery, link_id=None)
                one.next_attempt_at = self.now()
        self.history = [
            (
                link_id,
                at,
                replace(entry, before=None, after=None, loser=None, remote_id="")
                if link_id == link.id
                else entry,
            )
            for link_id, at, entry in self.history
        ]
        for intent_id, link_id in self.intent_links.items():
            if link_id == link.id and self.intents[intent_id].state is not IntentState.OPEN:
                self.intents[intent_id] = Intent(
                    intent_id, Slot(Side.WIX), Operation.DELETE, {}, {}, state=IntentState.CONFIRMED
                )
        self.forget_listed(
            site_id, lambda one: one.key == link.key or (one.side, one.remote_id) in ids
        )
        self._forget_rater(row)

    def _forget_rater(self, row: _LinkRow) -> None:
        link, site_id = row.link, row.link.key.site_id
        family = self._family(site_id, self._path(site_id, link.key.contact_id)[-1])
        others = [
            self.link_rows[one].link
            for one in self.links_of(site_id, link.key.contact_id)
            if one != link.id
        ]
        self._rekey(row, replace(link.key, contact_id=f"erased-{link.id}"))
        row.link = replace(
            row.link, records={}, bases={}, state=LinkState.BURIED, writes=(), shadowed=frozenset()
        )
        is_whole = self.is_erased(link.key)
        if not is_whole and all(one.state is LinkState.BURIED for one in others):
            self._forget_addresses(site_id, family)

    def _forget_addresses(self, site_id: int, family: Sequence[str]) -> None:
        theirs = [
            pair for pair in self.contacts if pair[0] == site_id and pair[1].contact_id in family
        ]
        self.contacts = [pair for pair in self.contacts if pair not in theirs]
        for _, contact in theirs:
            self._bury(
                site_id, Buried(Side.EXTERNAL, address_grave(str(contact.email)), privacy=True)
            )

    def _erase_row(self, row: _Row) -> None:
        delivery, new = row.delivery, row.delivery.new
        site = self._site_of(new)
        erased = replace(
            new, payload={}, remote_id=erased_id(site.id if site else 0, new.side, new.remote_id)
        )
        row.delivery = replace(delivery, new=erased)
        row.hold_key = None
        if delivery.state in (*OPEN, InboxState.HELD):
            row.delivery = replace(row.delivery, state=ERASED.state, reason=ERASED.reason)

    def erase_contact(self, site_id: int, contact_id: str, inbox_id: int) -> None:
        family = self._family(site_id, self._path(site_id, contact_id)[-1])
        emails = [
            one.email
            for owner, one in self.contacts
            if owner == site_id and one.contact_id in family and one.email
        ]
        keys = [*map(contact_hold_key, family), *map(email_hold_key, emails)]
        loose: set[tuple[Side, str, str]] = set()
        for number, row in self.rows.items():
            new = row.delivery.new
            if (site := self._site_of(new)) is None or site.id != site_id:
                continue
            content = str(new.payload).lower()
            is_open = row.delivery.state in (*OPEN, InboxState.HELD)
            if new.change == "contact_merged" and is_open and number != inbox_id:
                continue
            names = any(one.lower() in content for one in (*family, *emails))
            if names or new.remote_id in family or row.hold_key in keys or number == inbox_id:
                if row.delivery.link_id is None and new.change in ("upsert", "delete"):
                    self._bury(site_id, Buried(new.side, new.remote_id, privacy=True))
                    loose.add((new.side, new.source, new.remote_id))
                self._erase_row(row)
        for row in self.rows.values():
            if (
                row.delivery.new.side,
                row.delivery.new.source,
                row.delivery.new.remote_id,
            ) in loose:
                self._erase_row(row)
        self._forget_addresses(site_id, family)
        self.forget_listed(
            site_id,
            lambda one: (
                (one.key is not None and one.key.contact_id in family)
                or any(name.lower() in str(one.record).lower() for name in (*family, *emails))
            ),
        )
        for one in family:
            self.redirects.pop((site_id, one), None)

    def note_lifecycle(self, site_id: int, state: str, at: float | None) -> list[int]:
        site = self.site_rows[site_id]
        if at is not None:
            if self.lifecycle_at.get(site_id, 0.0) > at:
                return []
            self.lifecycle_at[site_id] = at
        if not (state == "active" and site.state in ("paused", "recovery")):
            self.site_rows[site_id] = replace(site, state=state)
        held = [
            number
            for number, row in self.rows.items()
            if row.delivery.state is InboxState.HELD
            and row.delivery.reason == "site_removed"
            and (one := self._site_of(row.delivery.new)) is not None
            and one.id == site_id
        ]
        return self.release_held(site_id, inbox_ids=held) if state == "active" else []

    def records_of_entity(self, site_id: int, ref: EntityRef) -> RecordsOfEntity:
        links = [
            row.link
            for row in self.link_rows.values()
            if row.link.key.site_id == site_id
            and any(
                one.id == row.link.key.entity_id and one.external == ref for _, one in self.entities
            )
        ]
        known = [
            link.records[Slot(Side.EXTERNAL)]
            for link in links
            if Slot(Side.EXTERNAL) in link.records
        ]
        return RecordsOfEntity(
            {one.remote_id: one for one in known},
            frozenset(one for link in links for one in link.shadowed),
        )

    # -- a run

    def attach(self, inbox_id: int, key: RatingKey) -> Attached:
        self.put(inbox_id, key)
        return Attached(self.by_key[key], self.lease(self.by_key[key]))

    def put(self, inbox_id: int, key: RatingKey) -> None:
        """Without the lease."""
        row = self.rows[inbox_id]
        row.delivery = replace(row.delivery, link_id=self.link_of(key), site_id=key.site_id)

    def link_of(self, key: RatingKey) -> int:
        if key not in self.by_key:
            if self.is_erased(key):
                raise Transient("the contact was erased just now", retry_after=0.0)
            link_id = len(self.link_rows) + 1
            self.link_rows[link_id] = _LinkRow(Link(link_id, key, 0, LinkState.LIVE, {}, {}))
            self.by_key[key] = link_id
        return self.by_key[key]

    def is_erased(self, key: RatingKey) -> bool:
        return self._grave(key.site_id, Side.WIX, contact_grave(key.contact_id)) is not None

    def lease(self, link_id: int) -> LeasedLink | None:
        row = self.link_rows[link_id]
        if row.lease_until > self.now():
            return None
        row.fence += 1
        row.lease_until = self.now() + LEASE_SECONDS
        key = row.link.key
        taken = [self._take(one) for one in self._of_link(link_id) if self._is_ready(one)]
        told = frozenset((one.new.side, one.new.remote_id) for one in taken)
        is_any_buried = any(self._grave(key.site_id, *one) is not None for one in told)
        return LeasedLink(
            Lease(link_id, row.fence, key.site_id),
            self.site_rows[key.site_id],
            row.link,
            next(one for _, one in self.entities if one.id == key.entity_id),
            self.contact_of(key),
            row.intent,
            tuple(taken),
            self.now(),
            self._merged_into(key.site_id, key.contact_id),
            self._kin(key),
            frozenset() if is_any_buried else told,
        )

    def contact_of(self, key: RatingKey) -> Contact:
        return self._known_as(key.site_id, key.contact_id) or Contact(key.contact_id)

    def _of_link(self, link_id: int) -> list[_Row]:
        return [row for row in self.rows.values() if row.delivery.link_id == link_id]

    def _is_ready(self, row: _Row) -> bool:
        delivery = row.delivery
        return delivery.state in OPEN or (
            delivery.state is InboxState.HELD and delivery.reason in ENGINE_RECHECKS
        )

    def _take(self, row: _Row) -> Delivery:
        row.delivery = replace(row.delivery, state=InboxState.TAKEN)
        if row.delivery.suspected_crashes <= TRACK_AFTER:
            row.next_attempt_at = self.now() + 20.0
        return row.delivery

    def _leased(self, lease: Lease) -> _LinkRow:
        row = self.link_rows[lease.link_id]
        if row.fence != lease.fence or row.lease_until <= self.now():
            raise LeaseLost
        return row

    def renew(self, lease: Lease) -> None:
        self._leased(lease).lease_until = self.now() + LEASE_SECONDS

    def open_intent(self, lease: Lease, intent: Intent) -> None:
        row = self._leased(lease)
        assert row.intent is None, "one open intent for each link"
        row.intent = intent = replace(intent, opened_at=self.now())
        self.intents[intent.id] = intent
        self.intent_links[intent.id] = lease.link_id
        row.lease_until = self.now() + LEASE_SECONDS

    def commit(self, lease: Lease, change: Commit) -> Committed:
        row = self._leased(lease)
        site_id = row.link.key.site_id
        buried = self._buried_meanwhile(site_id, change)
        change = change.without(buried)
        self._refuse_foreign_ids(row, change)
        self._apply_records(row, change)
        for grave in change.buried:
            self._bury(site_id, grave)
            self._link_grave(site_id, grave, lease.link_id)
        for grave in change.revived:
            if self._grave(site_id, grave.side, grave.remote_id) == grave:
                del self.graves[site_id, grave.side, grave.remote_id]
        if change.intent_state is not None and row.intent is not None:
            self.intents[row.intent.id] = replace(row.intent, state=change.intent_state)
            row.intent = None
        self.history += [(lease.link_id, self.now(), entry) for entry in change.history]
        for inbox_id, closing in change.closings.items():
            self.rows[inbox_id].delivery = replace(
                self.rows[inbox_id].delivery, state=closing.state, reason=closing.reason
            )
        for inbox_id, closing in change.closings.items():
            if closing == ERASED:
                self._erase_row(self.rows[inbox_id])
        if change.release:
            row.lease_until = 0.0
        if change.erases:
            self._erase_link(row, change)
        return Committed(buried, self._fresh(lease.link_id) if change.release else ())

    def _link_grave(self, site_id: int, grave: Buried, link_id: int) -> None:
        name = grave.remote_id
        if (site_id, grave.side, name) not in self.graves:
            name = erased_id(site_id, grave.side, name)
        self.grave_links[site_id, grave.side, name] = link_id

    def _buried_meanwhile(self, site_id: int, change: Commit) -> frozenset[str]:
        return frozenset(
            known.remote_id
            for slot, known in change.records.items()
            if known is not None
            and (grave := self._grave(site_id, slot.side, known.remote_id)) is not None
            and change.is_dead(grave)
        )

    def _refuse_foreign_ids(self, row: _LinkRow, change: Commit) -> None:
        for slot, known in change.records.items():
            if known is None:
                continue
            owner = self.by_remote.get((row.link.key.site_id, slot.side, known.remote_id))
            if owner not in (None, row.link.id):
                raise Permanent("another link has this record", reason="id_linked_elsewhere")

    def _apply_records(self, row: _LinkRow, change: Commit) -> None:
        link, site_id = row.link, row.link.key.site_id
        records: dict[Slot, Known] = dict(link.records)
        for slot, known in change.records.items():
            old = records.pop(slot, None)
            if old is not None:
                self.by_remote.pop((site_id, slot.side, old.remote_id), None)
            if known is not None:
                records[slot] = known
                self.by_remote[site_id, slot.side, known.remote_id] = link.id
        bases: dict[str, Base] = {**link.bases, **change.bases}
        row.link = replace(
            link,
            records=records,
            bases=bases,
            state=change.link_state or link.state,
            generation=link.generation + change.new_generation,
            writes=tuple(change.writes) or link.writes,
            shadowed=link.shadowed | change.shadowed,
        )

    def release(self, lease: Lease) -> Sequence[int]:
        row = self.link_rows[lease.link_id]
        if row.fence == lease.fence:
            row.lease_until = 0.0
        return self._fresh(lease.link_id)

    def _fresh(self, link_id: int) -> list[int]:
        return [
            row.delivery.id
            for row in self._of_link(link_id)
            if row.delivery.state is InboxState.NEW
            and (not row.delivery.reason or row.next_attempt_at <= self.now())
        ]

    def deletes_exceeded(self, site_id: int, side: Side, more: int = 0) -> bool:
        recent = sum(
            1
            for link_id, at, entry in self.history
            if entry.what == "delete"
            and entry.side is side
            and at > self.now() - 3600
            and self.link_rows[link_id].link.key.site_id == site_id
        )
        under_way = sum(
            intent.state is IntentState.OPEN
            and (intent.operation, intent.slot.side, intent.is_privacy)
            == (Operation.DELETE, side, False)
            and self.link_rows[self.intent_links[intent.id]].link.key.site_id == site_id
            for intent in self.intents.values()
        )
        return recent + under_way + more >= self.deletes_most(site_id)

    def deletes_most(self, site_id: int) -> float:
        live = sum(
            1
            for row in self.link_rows.values()
            if row.link.state is LinkState.LIVE and row.link.key.site_id == site_id
        )
        allowed, until = self.allowed.get(site_id, (0, 0.0))
        return max(20, live * 0.05, allowed if until > self.now() else 0)

    # -- for the simulator

    def everything(self) -> str:
        """All that is on file, as text: to look for what must not be there."""
        parts = (
            self.rows,
            self.contacts,
            self.redirects,
            self.link_rows,
            self.graves,
            self.history,
            self.intents,
        )
        return str([*parts, [key.contact_id for key in self.by_key], list(self.by_remote)])

    def open_count(self) -> int:
        return sum(row.delivery.state in OPEN for row in self.rows.values())

    def open_intents(self) -> int:
        return sum(intent.state is IntentState.OPEN for intent in self.intents.values())

    def history_entries(self) -> list[HistoryEntry]:
        return [entry for _, _, entry in self.history]

    def closed_with(self, reason: str) -> list[tuple[str, int | None]]:
        rows = (row.delivery for row in self.rows.values())
        return [(row.new.remote_id, row.new.revision) for row in rows if row.reason == reason]

    def records_on_file(self) -> list[tuple[Side, str]]:
        return [
            (slot.side, known.remote_id)
            for row in self.link_rows.values()
            for slot, known in row.link.records.items()
        ]

    def is_held(self, site_id: int, wix: EntityRef, person: Person) -> bool:
        entity = self.entity(site_id, Side.WIX, wix)
        assert entity is not None
        link_id = self.by_key.get(RatingKey(site_id, entity.id, str(person.contact_id)))
        return link_id is not None and any(
            row.delivery.state is InboxState.HELD for row in self._of_link(link_id)
        )

    def was_in_step(
        self, site_id: int, side: Side, record: Record, partners: Sequence[Record]
    ) -> bool:
        """Whether the ledger knows both records as they are, with all that they show agreed."""
        link_id = self.by_remote.get((site_id, side, record.remote_id))
        if link_id is None or len(partners) != 1:
            return False
        row, partner = self.link_rows[link_id], partners[0]
        known = {known.remote_id: known.revision for known in row.link.records.values()}
        return row.intent is None and known == {
            record.remote_id: record.revision,
            partner.remote_id: partner.revision,
        }
