"""What every part of the SQL ledger shares: transactions, the clock, and the sites.

Statements of the hot path are prepared once, beside the method that runs them: building one costs
six times as much as running it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    Connection,
    Engine,
    String,
    Table,
    any_,
    bindparam,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from sync_worker.core.values import Side, Site
from sync_worker.ledger.column_types import ExactJSON
from sync_worker.ledger.database import Transactions, database_now
from sync_worker.ledger.prepared import Prepared
from sync_worker.ledger.rows import to_site
from sync_worker.ledger.tables import field_map, site

LEASE_SECONDS = 15.0
SITE_CACHE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class InboxObserver:
    """What the ledger sees by the way, for metrics: seconds from the door to a first look, and a
    delivery found in the hands of a worker whose lease has run out.
    """

    first_look: Callable[[float], None] = lambda seconds: None
    takeover: Callable[[], None] = lambda: None


def fixed(words: Iterable[str]) -> list[Any]:
    """Constants for ``in_`` that stand in the statement: plain values are written into it again at
    every execution.
    """
    return [literal_column(f"'{word}'", String) for word in words]


class LedgerBase:
    """Shared by the parts of SqlLedger.

    Active sites are remembered for a second: they are read with every delivery. One that rests is
    read each time, so that nothing is held for it that came after its return.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        lease_seconds: float = LEASE_SECONDS,
        site_cache_seconds: float = SITE_CACHE_SECONDS,
        observer: InboxObserver = InboxObserver(),
    ) -> None:
        self.engine = engine
        self._transactions = Transactions(engine)
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._now = database_now(engine)
        self._lease_seconds, self._sights = lease_seconds, observer
        self.site_cache_seconds = site_cache_seconds
        self._sites: dict[object, tuple[float, Site]] = {}

    def _in(self, seconds: float) -> Any:
        return self._now + seconds

    def _prepared(self, statement: Any) -> Prepared:
        return Prepared(statement, self.engine.dialect)

    def _among(self, column: Any, name: str) -> Any:
        """``column IN`` a list of any length that is one parameter, as a prepared statement needs
        it.
        """
        if self._is_sqlite:
            return column.in_(
                select(
                    func.json_each(bindparam(name, type_=ExactJSON)).table_valued("value").c.value
                )
            )
        return column == any_(bindparam(name, type_=ARRAY(column.type)))

    def _insert(self, table: Table) -> Any:
        """An insert that knows ON CONFLICT, in the dialect of the database."""
        return sqlite.insert(table) if self._is_sqlite else postgresql.insert(table)

    def _site_by_id(self, connection: Connection, site_id: int) -> Site:
        found = self._cached_site(connection, site_id, site.c.id == site_id)
        if found is None:
            raise LookupError(f"there is no site {site_id}")
        return found

    def _site_by_source(self, connection: Connection, side: Side, source: str) -> Site | None:
        column = site.c.instance_id if side is Side.WIX else site.c.connector
        return self._cached_site(connection, (side, source), column == source)

    def _cached_site(self, connection: Connection, key: object, where: Any) -> Site | None:
        cached = self._sites.get(key)
        now = time.monotonic()
        if cached is not None and cached[0] > now and cached[1].state == "active":
            return cached[1]
        found = self._read_site(connection, where)
        if found is not None:
            self._sites[key] = (now + self.site_cache_seconds, found)
        return found

    def _read_site(self, connection: Connection, where: Any) -> Site | None:
        row = connection.execute(select(site).where(where)).first()
        if row is None:
            return None
        fields = select(field_map).where(field_map.c.site_id == row.id).order_by(field_map.c.id)
        return to_site(row, connection.execute(fields).all())
