"""What the parts of the SQL ledger that are not ports yet share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine

from sync_worker.core.values import Side, Site
from sync_worker.ledger.site_cache import SiteCache
from sync_worker.ledger.statements.inbox import release_rows
from sync_worker.ledger.statements.sites import read_site
from sync_worker.ledger.transactions import Transactions, ledger_now


class LedgerBase:
    """Transactions, the clock and the sites."""

    def __init__(
        self,
        engine: Engine,
        *,
        transactions: Transactions | None = None,
        sites: SiteCache | None = None,
    ) -> None:
        self.engine = engine
        self._transactions = transactions or Transactions(engine)
        self._sites = sites or SiteCache()
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._now: Any = ledger_now()

    def _in(self, seconds: float) -> Any:
        return self._now + seconds

    def _site_by_id(self, connection: Connection, site_id: int) -> Site:
        return self._sites.by_id(connection, site_id)

    def _site_by_source(self, connection: Connection, side: Side, source: str) -> Site | None:
        return self._sites.by_source(connection, side, source)

    def _read_site(self, connection: Connection, which: Any) -> Site | None:
        return read_site(connection, which)

    def _release_rows(self, connection: Connection, which: Any) -> list[int]:
        return release_rows(connection, which)
