"""Links and their leases in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sync_worker.core.errors import Permanent, Transient
from sync_worker.core.hold_reasons import STANDS_BY
from sync_worker.core.ports.inbox import ERASED, TRACK_AFTER
from sync_worker.core.ports.links import Attached, Commit, Committed, LeasedLink, Shown
from sync_worker.core.values import (
    Contact,
    Delivery,
    Entity,
    HistoryEntry,
    InboxState,
    Intent,
    IntentState,
    Lease,
    Link,
    LinkState,
    NewDelivery,
    RatingKey,
    Side,
    Slot,
)
from tests.twins.memory_contacts import ids_of_contact, known_contact, surviving_id
from tests.twins.memory_directory import MemoryDirectory
from tests.twins.memory_erasure import erase_link
from tests.twins.memory_state import InboxRow, LinkRow, MemoryState, is_same_record

LEASE_SECONDS = 15.0
TAKEN_SECONDS = 20.0
HOUR_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class MemoryLinks:
    """Implements ports.Links."""

    state: MemoryState

    # -- the lease

    def attach(self, inbox_id: int, key: RatingKey, *, with_held: bool = False) -> Attached:
        link_id = give_key(self.state, inbox_id, key)
        new = self.state.rows[inbox_id].delivery.new
        for row in self.state.rows.values():
            is_keyless = row.is_held and row.delivery.link_id is None
            if with_held and is_keyless and is_same_record(row.delivery.new, new):
                row.delivery = replace(row.delivery, link_id=link_id, site_id=key.site_id)
        return Attached(link_id, self.lease(link_id))

    def attach_shown(self, inbox_id: int, site_id: int, shown: Shown) -> LeasedLink | None:
        directory = MemoryDirectory(self.state)
        entity = directory.entity(site_id, shown.side, shown.entity)
        if shown.side is Side.WIX:
            contact = directory.contact(site_id, contact_id=shown.rater)
            is_merged = contact is not None and contact.contact_id != shown.rater
        else:
            contact = directory.contact(site_id, email=shown.rater)
            on_file = [one for owner, one in self.state.contacts if owner == site_id]
            is_merged = contact not in on_file
        if entity is None or contact is None or contact.email is None or is_merged:
            return None
        if self.state.is_erased(site_id, contact.contact_id):
            return None
        return self.attach(inbox_id, RatingKey(site_id, entity.id, contact.contact_id)).run

    def link_of(self, key: RatingKey) -> int:
        return link_of(self.state, key)

    def link_id(self, key: RatingKey) -> int | None:
        return self.state.by_key.get(key)

    def external_id(self, key: RatingKey) -> str | None:
        row = self.state.link_rows.get(self.state.by_key.get(key, 0))
        known = None if row is None else row.link.records.get(Slot(Side.EXTERNAL))
        return None if known is None else known.remote_id

    def lease(self, link_id: int) -> LeasedLink | None:
        row = self.state.link_rows[link_id]
        if row.lease_until > self.state.now():
            return None
        row.fence += 1
        row.lease_until = self.state.now() + LEASE_SECONDS
        key = row.link.key
        taken = [self._take(ready) for ready in ready_of_link(self.state, link_id)]
        told = frozenset((delivery.new.side, delivery.new.remote_id) for delivery in taken)
        is_any_known = any(self._is_known_elsewhere(row.link, *name) for name in told)
        return LeasedLink(
            lease=Lease(link_id, row.fence, key.site_id),
            site=self.state.site_rows[key.site_id],
            link=row.link,
            entity=entity_of(self.state, key),
            contact=contact_of(self.state, key),
            intent=row.intent,
            deliveries=tuple(taken),
            now=self.state.now(),
            merged_into=self._merged_into(key),
            links_to_join=self._links_to_join(key),
            unburied=frozenset() if is_any_known else told,
        )

    def _is_known_elsewhere(self, link: Link, side: Side, remote_id: str) -> bool:
        """Whether an id has a tombstone, or is on file with another link."""
        owner = self.state.by_remote.get((link.key.site_id, side, remote_id), link.id)
        return owner != link.id or self.state.grave(link.key.site_id, side, remote_id) is not None

    def _take(self, row: InboxRow) -> Delivery:
        row.delivery = as_taken(row.delivery)
        if row.delivery.suspected_crashes <= TRACK_AFTER:
            row.next_attempt_at = self.state.now() + TAKEN_SECONDS
        return row.delivery

    def _merged_into(self, key: RatingKey) -> str | None:
        survivor = surviving_id(self.state, key.site_id, key.contact_id)
        return None if survivor == key.contact_id else survivor

    def _links_to_join(self, key: RatingKey) -> tuple[int, ...]:
        """Links of the contacts that were merged into a key's own, unless they joined it."""
        merged = ids_of_contact(self.state, key.site_id, key.contact_id)[1:]
        keys = [replace(key, contact_id=contact_id) for contact_id in merged]
        ids = [self.state.by_key[other] for other in keys if other in self.state.by_key]
        rows = self.state.link_rows
        living = [one for one in ids if rows[one].link.state is not LinkState.BURIED]
        return tuple(sorted(living))

    def renew(self, lease: Lease) -> None:
        self.state.leased(lease).lease_until = self.state.now() + LEASE_SECONDS

    def release(self, lease: Lease) -> Sequence[int]:
        row = self.state.link_rows[lease.link_id]
        if row.fence == lease.fence:
            row.lease_until = 0.0
        return self._fresh(lease.link_id)

    def _fresh(self, link_id: int) -> list[int]:
        """New deliveries, but for those that wait for a later attempt."""
        return [
            row.delivery.id
            for row in self.state.of_link(link_id)
            if row.delivery.state is InboxState.NEW
            and (not row.delivery.reason or row.next_attempt_at <= self.state.now())
        ]

    # -- steps of a run

    def open_intent(self, lease: Lease, intent: Intent) -> bool:
        row = self.state.leased(lease)
        row.lease_until = self.state.now() + LEASE_SECONDS
        if intent.is_braked and self.deletes_exceeded(lease.site_id, intent.slot.side):
            return False
        assert row.intent is None, "one open intent for each link"
        row.intent = intent = replace(intent, opened_at=self.state.now())
        self.state.intents[intent.id] = intent
        self.state.intent_links[intent.id] = lease.link_id
        return True

    def commit(self, lease: Lease, change: Commit) -> Committed:
        row = self.state.leased(lease)
        buried = self._buried_meanwhile(lease.site_id, change)
        change = change.without(buried)
        self._refuse_foreign_ids(row.link, change)
        self._apply_records(row, change)
        self._apply_graves(lease, change)
        self._apply_story(row, change)
        if change.release:
            row.lease_until = 0.0
        if change.erases:
            self._erase_link(row, change)
        for remote_id in change.leaving:
            self._keep_told(lease, remote_id)
        told = [self._pass_on(lease, hint) for hint in change.passed_on]
        passed_on = [inbox_id for inbox_id in told if inbox_id is not None]
        fresh = self._fresh(lease.link_id) if change.release else ()
        return Committed(buried, fresh, passed_on)

    def _keep_told(self, lease: Lease, remote_id: str) -> None:
        """What was told of a record that leaves stays with its link."""
        source = self.state.source(lease.site_id, Side.EXTERNAL)
        for row in self.state.rows.values():
            told, is_ended = row.delivery, not row.is_open and not row.is_held
            is_its = (told.new.source, told.new.remote_id) == (source, remote_id)
            if is_ended and told.link_id is None and is_its:
                row.delivery = replace(told, link_id=lease.link_id)

    def _pass_on(self, lease: Lease, hint: NewDelivery) -> int | None:
        """``None``: a delivery of that name is on its way already."""
        stored = self.state.store(hint)
        inbox_id, row = stored.inbox_id, self.state.rows[stored.inbox_id]
        if stored.is_duplicate and row.is_open:
            return None
        row.delivery = replace(row.delivery, must_read=True, site_id=lease.site_id)
        return inbox_id

    def _erase_link(self, row: LinkRow, change: Commit) -> None:
        erase_link(self.state, row, change)

    def _buried_meanwhile(self, site_id: int, change: Commit) -> frozenset[str]:
        """Of the ids that come on file, those with a grave that this step does not open."""
        buried = set()
        for slot, known in change.records.items():
            if known is None:
                continue
            grave = self.state.grave(site_id, slot.side, known.remote_id)
            if grave is not None and change.is_dead(grave):
                buried.add(known.remote_id)
        return frozenset(buried)

    def _refuse_foreign_ids(self, link: Link, change: Commit) -> None:
        for slot, known in change.records.items():
            if known is None:
                continue
            owner = self.state.by_remote.get((link.key.site_id, slot.side, known.remote_id))
            if owner not in (None, link.id):
                raise Permanent("another link has this record", reason="id_linked_elsewhere")

    def _apply_records(self, row: LinkRow, change: Commit) -> None:
        link, site_id = row.link, row.link.key.site_id
        records = dict(link.records)
        for slot, known in change.records.items():
            old = records.pop(slot, None)
            if old is not None:
                self.state.by_remote.pop((site_id, slot.side, old.remote_id), None)
            if known is not None:
                records[slot] = known
                self.state.by_remote[site_id, slot.side, known.remote_id] = link.id
        row.link = replace(
            link,
            records=records,
            bases={**link.bases, **change.bases},
            state=change.link_state or link.state,
            generation=link.generation + change.new_generation,
            writes=tuple(change.writes) or link.writes,
            shadowed=link.shadowed | change.shadowed,
        )

    def _apply_graves(self, lease: Lease, change: Commit) -> None:
        for grave in change.buried:
            # Whoever has it on file by now says whether it is gone.
            place = (lease.site_id, grave.side, grave.remote_id)
            if grave.remote_id in change.leaving and place in self.state.by_remote:
                continue
            self.state.bury(lease.site_id, grave)
            if grave.remote_id not in change.leaving:
                self.state.link_grave(lease.site_id, grave, lease.link_id)
            # It lives: an erasure of this link must not take it for gone.
            elif self.state.grave_links.get(place) == lease.link_id:
                del self.state.grave_links[place]
        for grave in change.revived:
            if self.state.grave(lease.site_id, grave.side, grave.remote_id) == grave:
                # One of a privacy request lies under its hash, and stays.
                self.state.graves.pop((lease.site_id, grave.side, grave.remote_id), None)

    def _newest_line(self, link_id: int, attribute: str) -> HistoryEntry | None:
        lines = reversed(self.state.history)
        its = (line for of, _, line in lines if (of, line.attribute) == (link_id, attribute))
        return next(its, None)

    def _is_named(self, link_id: int, entry: HistoryEntry) -> bool:
        earlier = [line for of, _, line in self.state.history if of == link_id]
        same = (line for line in earlier if line.attribute == entry.attribute)
        return any(line.names(entry.loser) for line in same)

    def _apply_story(self, row: LinkRow, change: Commit) -> None:
        """The intent's end, the history, and how the deliveries ended."""
        if change.intent_state is not None and row.intent is not None:
            closed = replace(row.intent, state=change.intent_state)
            self.state.intents[row.intent.id] = closed
            row.intent = None
        now = self.state.now()
        for entry in change.history:
            if entry.is_told_late and self._is_named(row.link.id, entry):
                continue
            if not entry.says_again(self._newest_line(row.link.id, entry.attribute)):
                self.state.history.append((row.link.id, now, entry))
        for inbox_id, closing in change.closings.items():
            ended = self.state.rows[inbox_id]
            if closing == ERASED:
                self.state.erase_row(ended)
            elif ended.is_open or ended.is_held:
                ended.delivery = replace(ended.delivery, state=closing.state, reason=closing.reason)
                ended.hold_key = None

    # -- the brake on deletes

    def deletes_exceeded(self, site_id: int, side: Side, more: int = 0) -> bool:
        site_of_link = {row.link.id: row.link.key.site_id for row in self.state.link_rows.values()}
        hour_ago = self.state.now() - HOUR_SECONDS
        recent = sum(
            site_of_link[link_id] == site_id and at > hour_ago
            for link_id, at, entry in self.state.history
            if entry.what in ("delete", "withdraw") and entry.side is side
        )
        under_way = sum(
            site_of_link[self.state.intent_links[intent.id]] == site_id
            for intent in self.state.intents.values()
            if intent.state is IntentState.OPEN and intent.is_braked and intent.slot.side is side
        )
        return recent + under_way + more >= deletes_most(self.state, site_id)


def deletes_most(state: MemoryState, site_id: int) -> float:
    """Where the brake grips: max(20, 5 % of the live links), or above what a person allowed."""
    live = sum(
        row.link.state is LinkState.LIVE and row.link.key.site_id == site_id
        for row in state.link_rows.values()
    )
    allowed, until = state.allowed.get(site_id, (0, 0.0))
    if until <= state.now():
        allowed = 0
    return max(20, live * 0.05, allowed)


def give_key(state: MemoryState, inbox_id: int, key: RatingKey) -> int:
    """Attach a delivery to the link of its key, without the lease."""
    link_id, row = link_of(state, key), state.rows[inbox_id]
    row.delivery = replace(row.delivery, link_id=link_id, site_id=key.site_id)
    return link_id


def link_of(state: MemoryState, key: RatingKey) -> int:
    """The link of a key, made if need be. Raises Transient if its contact was erased."""
    if key not in state.by_key:
        if state.is_erased(key.site_id, key.contact_id):
            raise Transient("the contact was erased just now", retry_after=0.0)
        link_id = len(state.link_rows) + 1
        state.link_rows[link_id] = LinkRow(Link(link_id, key, 0, LinkState.LIVE, {}, {}))
        state.by_key[key] = link_id
    return state.by_key[key]


def ready_of_link(state: MemoryState, link_id: int | None) -> list[InboxRow]:
    """The deliveries that a lease takes."""
    return [row for row in state.of_link(link_id) if row.is_open or row.is_held]


def as_taken(delivery: Delivery) -> Delivery:
    """As a lease takes it: what was held is looked at afresh, unless a person has to release it."""
    must_read = delivery.must_read or delivery.state is InboxState.HELD
    if delivery.state is InboxState.HELD and delivery.reason in STANDS_BY:
        return replace(delivery, must_read=must_read)
    return replace(delivery, state=InboxState.TAKEN, must_read=must_read)


def entity_of(state: MemoryState, key: RatingKey) -> Entity:
    return next(entity for _, entity in state.entities if entity.id == key.entity_id)


def contact_of(state: MemoryState, key: RatingKey) -> Contact:
    return known_contact(state, key.site_id, key.contact_id) or Contact(key.contact_id)
