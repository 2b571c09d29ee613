"""The ledger in SQL: the truth that everything else may lose."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

from sync_worker.core.ports.ledger import Ledger
from sync_worker.ledger.accounts.site_sides import SqlSiteSides
from sync_worker.ledger.console.unlinked import SqlUnlinked
from sync_worker.ledger.directory import SqlDirectory
from sync_worker.ledger.inbox import InboxObserver, SqlInbox
from sync_worker.ledger.links import LEASE_SECONDS, SqlLinks
from sync_worker.ledger.merges import SqlMerges
from sync_worker.ledger.site_cache import SITE_CACHE_SECONDS, SiteCache
from sync_worker.ledger.sites import SqlSiteStates
from sync_worker.ledger.transactions import Transactions


@dataclass(frozen=True)
class SqlLedger(Ledger):
    """The ports over one database, and what entry points ask of it besides."""

    inbox: SqlInbox
    site_sides: SqlSiteSides
    transactions: Transactions
    site_cache: SiteCache

    @property
    def engine(self) -> Engine:
        return self.transactions.engine


def sql_ledger(
    engine: Engine,
    *,
    lease_seconds: float = LEASE_SECONDS,
    site_cache_seconds: float = SITE_CACHE_SECONDS,
    observer: InboxObserver | None = None,
) -> SqlLedger:
    """The ledger of one process: its ports share their transactions and what they know of sites."""
    transactions, sites = Transactions(engine), SiteCache(site_cache_seconds)
    return SqlLedger(
        inbox=SqlInbox(transactions, sites, observer or InboxObserver()),
        directory=SqlDirectory(transactions),
        links=SqlLinks(transactions, sites, lease_seconds),
        merges=SqlMerges(transactions, sites),
        sites=SqlSiteStates(transactions, sites),
        site_sides=SqlSiteSides(transactions, sites),
        unlinked=SqlUnlinked(transactions),
        transactions=transactions,
        site_cache=sites,
    )
