"""The commit of a step that reads between its statements: tombstones, erasures, lost leases."""

from __future__ import annotations

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from sync_worker.core.errors import LeaseLost
from sync_worker.core.ports.inbox import ERASED
from sync_worker.core.ports.links import Commit, Committed
from sync_worker.core.values import Lease, Side
from sync_worker.ledger.site_cache import SiteCache
from sync_worker.ledger.sql_text import Answer, batch
from sync_worker.ledger.statements import erasure, links, merges, tombstones
from sync_worker.ledger.statements.inbox import FRESH
from sync_worker.ledger.tables import inbox
from sync_worker.ledger.transactions import Transactions


class CommitBySteps:
    """Commits what ``SqlLinks`` cannot commit at once."""

    def __init__(self, transactions: Transactions, sites: SiteCache) -> None:
        self._transactions, self._sites = transactions, sites

    def commit(self, lease: Lease, change: Commit) -> Committed:
        """As ``Links.commit``, but IntegrityError passes through."""
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
                fresh = FRESH.ask(connection, link_id=lease.link_id) if change.release else None
        if change.erases:
            self._transactions.forget_log()
        return Committed(buried, links.ids_of(fresh), passed_on)

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
                fresh = FRESH.ask(connection, link_id=lease.link_id)
    except IntegrityError:
        if changed is not None and changed.count == 0:
            raise LeaseLost from None  # and so has nothing to say of records
        raise
    links.check(changed)
    return fresh


def _changes_tombstones(change: Commit) -> bool:
    """Whether tombstones come or go, or what is personal is erased."""
    is_erasure = change.erases or ERASED in change.closings.values()
    return bool(change.buried or change.revived or is_erasure)
