"""Links under their lease, in SQL: what a run reads, and what it writes under its fence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import IntegrityError

from sync_worker.core.errors import LeaseLost, Permanent
from sync_worker.core.hold_keys import erased_id
from sync_worker.core.ports.inbox import ERASED
from sync_worker.core.ports.links import Attached, Commit, Committed, LeasedLink
from sync_worker.core.values import (
    Contact,
    Intent,
    IntentState,
    Lease,
    Operation,
    RatingKey,
    Side,
)
from sync_worker.ledger.rows import (
    from_intent,
    parts_of,
    to_contact,
    to_delivery,
    to_entity,
    to_intent,
    to_link,
)
from sync_worker.ledger.site_cache import SiteCache
from sync_worker.ledger.sql_text import Answer, batch
from sync_worker.ledger.statements import contacts, erasure, links, merges, tombstones
from sync_worker.ledger.statements import inbox as deliveries
from sync_worker.ledger.tables import (
    contact_map,
    entity_map,
    history,
    inbox,
    intent,
    link_value,
)
from sync_worker.ledger.transactions import Transactions, is_sqlite, ledger_now

LEASE_SECONDS = 15.0
HOUR_SECONDS = 3600.0
TAKES_AWAY = (str(Operation.DELETE), str(Operation.WITHDRAW))
FRESH_SHARE = 29 / 30  # of a lease that is as good as renewed: half a second of it may be gone


class SqlLinks:
    """Implements ports.Links."""

    def __init__(
        self, transactions: Transactions, sites: SiteCache, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        self._transactions, self._sites = transactions, sites
        self._lease_seconds = lease_seconds

    # -- a run begins

    def attach(self, inbox_id: int, key: RatingKey, *, with_held: bool = False) -> Attached:
        with self._transactions.write() as connection:
            link_id, row = self._lease_of_key(connection, key)
            its = {"inbox_id": inbox_id, "site_id": key.site_id, "link_id": link_id}
            if with_held:
                deliveries.HELD_BESIDE.run(connection, **its)
            taken: list[Any] = []
            # The lease is ours: with this delivery come the others of its link.
            if row is not None:
                taken = deliveries.ATTACH_AND_TAKE.all(connection, **its)
            if all(delivery.id != inbox_id for delivery in taken):
                # The lease is another run's, or the delivery has ended.
                deliveries.ATTACH.run(connection, **its)
            # Another run holds the lease. It looks for new deliveries as it ends.
            if row is None:
                return Attached(link_id, None)
            return Attached(link_id, self._leased(connection, row, taken))

    def _lease_of_key(self, connection: Connection, key: RatingKey) -> tuple[int, Any]:
        """The link of a key, made if need be, and its row if the lease was free."""
        link_id = links.known_link(connection, key)
        # A new key: the link and its lease come with the same statement.
        if link_id is None:
            row = links.make_link(
                connection, key, links.NEW_LEASED, lease_seconds=self._lease_seconds
            )
            if row is not None:
                return int(row.id), row
            # Another worker has made the link just now.
            link_id = links.link_of_key(connection, key)
        row = self._take_lease(connection, link_id)
        return link_id, row or self._lease_that_ends_now(connection, link_id)

    def _take_lease(self, connection: Connection, link_id: int) -> Any:
        return links.TAKE_LEASE.first(
            connection, link_id=link_id, lease_seconds=self._lease_seconds
        )

    def _lease_that_ends_now(self, connection: Connection, link_id: int) -> Any:
        """The row of a link whose holder was about to release it; ``None`` if it works on.

        Its holder looks for new deliveries as it releases: before our commit it would miss ours,
        which found the lease taken. Under this lock it has committed, or its release waits for us.
        SQLite has one writer at a time anyway.
        """
        if is_sqlite(connection):
            return None
        links.LOCK.all(connection, link_id=link_id)
        return self._take_lease(connection, link_id)

    def link_of(self, key: RatingKey) -> int:
        with self._transactions.write() as connection:
            return links.link_of_key(connection, key)

    def link_id(self, key: RatingKey) -> int | None:
        with self._transactions.read() as connection:
            return links.known_link(connection, key)

    def external_id(self, key: RatingKey) -> str | None:
        with self._transactions.read() as connection:
            return links.external_id(connection, key)

    def lease(self, link_id: int) -> LeasedLink | None:
        with self._transactions.write() as connection:
            row = self._take_lease(connection, link_id)
            if row is None:
                return None
            return self._leased(connection, row, deliveries.TAKE.all(connection, link_id=link_id))

    def _leased(self, connection: Connection, row: Any, taken: Sequence[Any]) -> LeasedLink:
        """All that the holder of the lease needs; ``row`` is the link, ``taken`` its deliveries."""
        # PostgreSQL promises no order for the rows of UPDATE … RETURNING.
        in_hand = tuple(sorted(map(to_delivery, taken), key=lambda delivery: delivery.id))
        ids = frozenset((delivery.new.side, delivery.new.remote_id) for delivery in in_hand)
        # After a privacy request a tombstone has the hashed id, so both forms are asked for.
        hashed = [erased_id(row.site_id, side, remote_id) for side, remote_id in ids]
        names = [*(remote_id for _, remote_id in ids), *hashed]
        around = links.AROUND.all(connection, link_id=row.id, names=names)
        parts = [parts_of(part, entity_map, link_value, intent, contact_map) for part in around]
        # Every row has the same entity, intent and contact.
        entity, _, open_intent, address = parts[0]
        contact, opened = None, None
        if address is not None:
            contact = to_contact(address)
        if open_intent is not None:
            opened = to_intent(open_intent)
        # With one tombstone or other link among these the run asks for each.
        unburied = frozenset() if around[0].is_any_known else ids
        leased = LeasedLink(
            lease=Lease(row.id, row.fence, row.site_id),
            site=self._sites.by_id(connection, row.site_id),
            link=to_link(row, [value for _, value, _, _ in parts if value is not None]),
            entity=to_entity(entity),
            contact=contact or Contact(row.contact_id),
            intent=opened,
            deliveries=in_hand,
            now=float(row.now),
            unburied=unburied,
        )
        # Most contacts were never merged: no further statement for them.
        if not around[0].is_in_merge:
            return leased
        return _with_merges(connection, leased, contact)

    # -- under the fence

    def renew(self, lease: Lease) -> None:
        with self._transactions.single() as connection:
            self._renew(connection, lease)

    def _renew(self, connection: Connection, lease: Lease) -> None:
        seconds = self._lease_seconds
        links.check(
            links.RENEW.ask(
                connection, link_id=lease.link_id, fence=lease.fence, lease_seconds=seconds
            )
        )

    def open_intent(self, lease: Lease, intent: Intent) -> None:
        row = {**from_intent(intent), "link_id": lease.link_id, "site_id": lease.site_id}
        fresh_seconds = self._lease_seconds * FRESH_SHARE
        # Mostly the lease is fresh, and one statement does: nobody can take it meanwhile.
        with self._transactions.single() as connection:
            stored = links.FIRST_INTENT.run(
                connection, fence=lease.fence, fresh_seconds=fresh_seconds, **row
            )
        if stored == 1:
            return
        # The lease is older: renew it, or find out that it is lost.
        with self._transactions.write() as connection:
            self._renew(connection, lease)
            links.NEW_INTENT.run(connection, **row)

    def commit(self, lease: Lease, change: Commit) -> Committed:
        try:
            with self._transactions.write() as connection:
                if change.erases:
                    # Lock order: the runs before the link, as `SqlSweeps.queue` has it.
                    erasure.hold_listings(connection, lease.site_id)
                # Whoever buries one of these ids from here on waits for this commit.
                buried = _buried_meanwhile(connection, lease.site_id, change)
                change = change.without(buried)
                fresh = _commit_rows(connection, lease, change)
                passed_on = merges.pass_on(connection, lease, change) if change.leaving else ()
                # Tombstones are rare: they take statements of their own, after the batch.
                if _changes_tombstones(change):
                    self._commit_tombstones(connection, lease, change)
                    # After the erasure: it puts some deliveries back to work and ends others.
                    fresh = _ask_fresh(connection, lease) if change.release else None
        except IntegrityError as error:
            # The unique indexes let a record be on file with one link of a site.
            raise Permanent(
                "another link has this record on file", reason="id_linked_elsewhere"
            ) from error
        if change.erases:
            self._transactions.forget_log()
        return Committed(buried, _ids(fresh), passed_on)

    def _commit_tombstones(self, connection: Connection, lease: Lease, change: Commit) -> None:
        gone = change.buried
        if change.leaving:
            gone = merges.buried_by(connection, lease, change)
        tombstones.bury_for(connection, lease, gone, change.leaving)
        for refuted in change.revived:
            tombstones.revive(connection, lease.site_id, refuted)
        # The batch has ended them. Here they lose their content.
        if erased := links.by_closing(change.closings).get(ERASED):
            erasure.erase_rows(connection, lease.site_id, inbox.c.id.in_(erased))
        if change.erases:
            its_site = self._sites.by_id(connection, lease.site_id)
            erasure.erase_link(connection, its_site, lease.link_id, change)

    def release(self, lease: Lease) -> Sequence[int]:
        with self._transactions.single() as connection:
            with batch(connection):
                links.RELEASE.ask(connection, link_id=lease.link_id, fence=lease.fence)
                fresh = _ask_fresh(connection, lease)
            return _ids(fresh)

    # -- the brake

    def deletes_exceeded(self, site_id: int, side: Side, more: int = 0) -> bool:
        # These are the columns of ix_history_recent, in its order.
        is_recent = (
            (history.c.site_id == site_id)
            & (history.c.side == str(side))
            & (history.c.what.in_(TAKES_AWAY))
            & (history.c.at > ledger_now() - HOUR_SECONDS)
        )
        # Open intents count, too: runs side by side must not pass the brake together. A privacy
        # deletion is exempt.
        is_under_way = (
            (intent.c.state == str(IntentState.OPEN))
            & (intent.c.site_id == site_id)
            & (intent.c.side == str(side))
            & (intent.c.operation.in_(TAKES_AWAY))
            & ~intent.c.is_privacy
        )
        with self._transactions.read() as connection:
            deletes = more + _count(connection, history, is_recent)
            deletes += _count(connection, intent, is_under_way)
            # Below the smallest limit the links need no count.
            if deletes < links.MIN_BRAKE:
                return False
            return deletes >= links.max_deletes(connection, site_id, deletes)


def _with_merges(connection: Connection, leased: LeasedLink, contact: Contact | None) -> LeasedLink:
    """What merges of the link's contact change; ``contact``: with an address of its own, if any."""
    key = leased.link.key
    # Without an address of its own the contact takes that of a contact merged into it.
    contact = contact or contacts.known_contact(connection, key.site_id, key.contact_id)
    survivor = contacts.surviving_id(connection, key.site_id, key.contact_id)
    merged_into = None if survivor == key.contact_id else survivor
    return replace(
        leased,
        contact=contact or leased.contact,
        merged_into=merged_into,
        links_to_join=links.links_to_join(connection, key),
    )


def _count(connection: Connection, table: Any, which: Any) -> int:
    counted = select(func.count()).select_from(table).where(which)
    return int(connection.execute(counted).scalar_one())


def _buried_meanwhile(connection: Connection, site_id: int, change: Commit) -> frozenset[str]:
    """Of the ids that come on file, those with a tombstone that this step does not revive."""
    records = [(slot.side, known.remote_id) for slot, known in change.records.items() if known]
    if not records:
        return frozenset()
    ids = {side: sorted(name for of, name in records if of is side) for side in Side}
    with batch(connection):
        # The locks come first: an earlier tombstone shows below, a later one waits.
        tombstones.lock_ids(connection, site_id, ids)
        found = tombstones.ask_buried_among(connection, site_id, ids)
    return frozenset(buried.remote_id for buried in found() if change.is_dead(buried))


def _commit_rows(connection: Connection, lease: Lease, change: Commit) -> Answer | None:
    """The link, its values, and how it came to them, in one batch.

    Returns the new deliveries if nothing else is to be done.
    """
    values = links.changed_columns(connection, lease, change)
    asks_fresh = change.release and not _changes_tombstones(change)
    more_generations = int(change.new_generation)
    changed: Answer | None = None
    fresh: Answer | None = None
    try:
        with batch(connection):
            # All goes out in one round trip, so the fence is checked after it. If the lease is
            # lost, nothing of the batch stays.
            changed = links.change_under_fence(tuple(values)).ask(
                connection,
                link_id=lease.link_id,
                fence=lease.fence,
                more_generations=more_generations,
                **values,
            )
            links.store_values(connection, lease, change)
            links.store_history(connection, lease, change)
            if asks_fresh:
                fresh = _ask_fresh(connection, lease)
    except IntegrityError:
        if changed is not None and changed.count == 0:
            raise LeaseLost from None  # and so has nothing to say of records
        raise
    links.check(changed)
    return fresh


def _ask_fresh(connection: Connection, lease: Lease) -> Answer:
    return deliveries.FRESH.ask(connection, link_id=lease.link_id)


def _ids(fresh: Answer | None) -> Sequence[int]:
    return () if fresh is None else [row.id for row in fresh.all()]


def _changes_tombstones(change: Commit) -> bool:
    """Whether tombstones come or go, or what is personal is erased."""
    is_erasure = change.erases or ERASED in change.closings.values()
    return bool(change.buried or change.revived or is_erasure)
