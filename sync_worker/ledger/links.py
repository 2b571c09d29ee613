"""Links under their lease, in SQL: what a run reads, and what it writes under its fence."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from sync_worker.core.errors import LeaseLost, Permanent
from sync_worker.core.hold_keys import erased_id
from sync_worker.core.ports.inbox import ERASED
from sync_worker.core.ports.links import Attached, Commit, Committed, LeasedLink, Shown
from sync_worker.core.values import Contact, Intent, Lease, RatingKey, Side
from sync_worker.ledger.link_steps.at_once import LeasesAtOnce
from sync_worker.ledger.link_steps.brake import deletes_exceeded, pass_or_refuse
from sync_worker.ledger.link_steps.committing import CommitBySteps
from sync_worker.ledger.link_steps.intent_texts import NEW_INTENT, NEW_INTENT_IF_RENEWED
from sync_worker.ledger.link_steps.merged import with_merges
from sync_worker.ledger.link_steps.take_texts import AROUND
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
from sync_worker.ledger.sql_text import Answer, Refused, batch
from sync_worker.ledger.statements import contacts, directory, links, tombstones
from sync_worker.ledger.statements import inbox as deliveries
from sync_worker.ledger.tables import contact_map, entity_map, intent, link_value
from sync_worker.ledger.transactions import Transactions, is_sqlite

LEASE_SECONDS = 15.0
FRESH_SHARE = 29 / 30  # of a lease that is as good as renewed: half a second of it may be gone


class SqlLinks:
    """Implements ports.Links."""

    def __init__(
        self, transactions: Transactions, sites: SiteCache, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        self._transactions, self._sites = transactions, sites
        self._lease_seconds = lease_seconds
        self._at_once = LeasesAtOnce(transactions, lease_seconds, partial(_leased, sites))
        self._by_steps = CommitBySteps(transactions, sites)

    # -- a run begins

    def attach(self, inbox_id: int, key: RatingKey, *, with_held: bool = False) -> Attached:
        # Nearly always the lease is free, and one round trip does.
        if not self._transactions.is_sqlite and not with_held:
            run = self._at_once.attach(inbox_id, key)
            if run is not None:
                return Attached(run.lease.link_id, run)
        with self._transactions.write() as connection:
            return self._attach(connection, inbox_id, key, with_held=with_held)

    def _attach(
        self, connection: Connection, inbox_id: int, key: RatingKey, *, with_held: bool = False
    ) -> Attached:
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
        return Attached(link_id, _leased(self._sites, connection, row, taken))

    def attach_shown(self, inbox_id: int, site_id: int, shown: Shown) -> LeasedLink | None:
        if not self._transactions.is_sqlite:
            return self._at_once.attach_shown(inbox_id, site_id, shown)
        with self._transactions.write() as connection:
            key = directory.key_of_shown(connection, site_id, shown)
            if key is None or contacts.is_erased(connection, site_id, key.contact_id):
                return None
            return self._attach(connection, inbox_id, key).run

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
        if not self._transactions.is_sqlite:
            return self._at_once.lease(link_id)
        with self._transactions.write() as connection:
            row = self._take_lease(connection, link_id)
            if row is None:
                return None
            taken = deliveries.TAKE.all(connection, link_id=link_id)
            return _leased(self._sites, connection, row, taken)

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

    def open_intent(self, lease: Lease, intent: Intent) -> bool:
        try:
            self._open_intent(lease, intent)
        except Refused:
            # The brake has not looked at the lease.
            self.renew(lease)
            return False
        return True

    def _open_intent(self, lease: Lease, intent: Intent) -> None:
        """Raises LeaseLost, and Refused: the brake stops it. Either way nothing is stored."""
        row = {**from_intent(intent), "link_id": lease.link_id, "site_id": lease.site_id}
        seconds = self._lease_seconds
        with self._transactions.single() as connection:
            with batch(connection):
                if intent.is_braked:
                    pass_or_refuse(connection, lease.site_id, intent.slot.side)
                stored = NEW_INTENT.ask(
                    connection,
                    fence=lease.fence,
                    lease_seconds=seconds,
                    fresh_seconds=seconds * FRESH_SHARE,
                    **row,
                )
            if stored.count == 1:
                return
            if not self._transactions.is_sqlite:
                raise LeaseLost
            # The lease is older: renew it, or find out that it is lost.
            self._renew(connection, lease)
            NEW_INTENT_IF_RENEWED.run(connection, **row)

    def commit(self, lease: Lease, change: Commit) -> Committed:
        try:
            # Nearly always all is as the run takes it to be, and one round trip does.
            if _is_plain(change):
                with suppress(Refused):
                    return self._commit_at_once(lease, change)
            return self._by_steps.commit(lease, change)
        except IntegrityError as error:
            # The unique indexes let a record be on file with one link of a site.
            raise Permanent(
                "another link has this record on file", reason="id_linked_elsewhere"
            ) from error

    def _commit_at_once(self, lease: Lease, change: Commit) -> Committed:
        """The step in one batch, which is its transaction.

        Raises Refused, and nothing stays, if the lease is lost or a record buried: step by step it
        is seen which of it is so.
        """
        fresh: Answer | None = None
        with self._transactions.single() as connection:
            with batch(connection):
                names = _lock_coming(connection, lease.site_id, change)
                # Buried under its hash already: both tombstones have to become one.
                hashed = [
                    erased_id(lease.site_id, one.side, one.remote_id) for one in change.buried
                ]
                values = links.changed_columns(connection, lease, change)
                changed = links.change_or_refuse(tuple(values)).ask(
                    connection,
                    link_id=lease.link_id,
                    fence=lease.fence,
                    site_id=lease.site_id,
                    more_generations=int(change.new_generation),
                    names=[*names, *hashed],
                    **values,
                )
                # SQLite answers at once, and goes on whatever it is.
                if self._transactions.is_sqlite and changed.count != 1:
                    raise Refused
                links.store_values(connection, lease, change)
                links.store_history(connection, lease, change)
                for one in change.buried:
                    tombstones.note_buried(connection, lease.site_id, one, lease.link_id)
                if change.release:
                    fresh = deliveries.FRESH.ask(connection, link_id=lease.link_id)
            return Committed(fresh=links.ids_of(fresh))

    def release(self, lease: Lease) -> Sequence[int]:
        with self._transactions.single() as connection:
            with batch(connection):
                links.RELEASE.ask(connection, link_id=lease.link_id, fence=lease.fence)
                fresh = deliveries.FRESH.ask(connection, link_id=lease.link_id)
            return links.ids_of(fresh)

    # -- the brake

    def deletes_exceeded(self, site_id: int, side: Side, more: int = 0) -> bool:
        with self._transactions.read() as connection:
            return deletes_exceeded(connection, site_id, side, more)


def _leased(
    sites: SiteCache,
    connection: Connection,
    row: Any,
    taken: Sequence[Any],
    around: Sequence[Any] | None = None,
) -> LeasedLink:
    """All that the holder of the lease needs; ``row`` is the link, ``taken`` its deliveries.

    ``around``: the rows about it where they were asked for already.
    """
    # PostgreSQL promises no order for the rows of UPDATE … RETURNING.
    in_hand = tuple(sorted(map(to_delivery, taken), key=lambda delivery: delivery.id))
    ids = frozenset((delivery.new.side, delivery.new.remote_id) for delivery in in_hand)
    if around is None:
        # After a privacy request a tombstone has the hashed id, so both forms are asked for.
        hashed = [erased_id(row.site_id, side, remote_id) for side, remote_id in ids]
        names = [*(remote_id for _, remote_id in ids), *hashed]
        around = AROUND.all(connection, link_id=row.id, names=names)
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
        site=sites.by_id(connection, row.site_id),
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
    return with_merges(connection, leased, contact)


def _lock_coming(connection: Connection, site_id: int, change: Commit) -> list[str]:
    """Lock the ids that come on file, as ``_buried_meanwhile`` does; their names in both forms."""
    coming = [(slot.side, known.remote_id) for slot, known in change.records.items() if known]
    ids = {side: sorted(name for of, name in coming if of is side) for side in Side}
    tombstones.lock_ids(connection, site_id, ids)
    hashed = [erased_id(site_id, side, name) for side, name in coming]
    return [*(name for _, name in coming), *hashed]


def _is_plain(change: Commit) -> bool:
    """Whether nothing is read between its statements, and nothing personal is erased."""
    is_erasure = change.erases or ERASED in change.closings.values()
    if is_erasure or change.revived or change.shadowed or change.leaving:
        return False
    return not change.buried or not any(one.privacy for one in change.buried)
