"""What is on its way and could not go yet: the next tries, and how people bring them forward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import literal_column, select, update

from sync_worker.core.values import Side, Site
from sync_worker.ledger.accounts.audit import note_change
from sync_worker.ledger.administration.history_lines import to_time
from sync_worker.ledger.statements.inbox import is_of_site
from sync_worker.ledger.statements.sites import sites_by_source
from sync_worker.ledger.tables import inbox
from sync_worker.ledger.transactions import Transactions, ledger_now

AT_ONCE = 2000  # rows that one look reads, the next tries first
# Written out, so that the index of open ones fits on both databases.
IS_OPEN = inbox.c.state.in_([literal_column("'new'"), literal_column("'taken'")])


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """A delivery that is tried again by itself. ``next_try_seconds``: from now; 0: it is due."""

    number: int
    side: Side
    source: str
    reason: str
    attempts: int
    received_at: datetime
    next_try_seconds: float


class SqlWaitingPages:
    """Questions and acts of the page *On its way*. Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def rows(self, site: Site | None = None, limit: int = AT_ONCE) -> list[WaitingRow]:
        """The next tries first."""
        left = (inbox.c.next_attempt_at - ledger_now()).label("left")
        columns = (inbox.c.id, inbox.c.side, inbox.c.source, inbox.c.reason, inbox.c.attempts)
        asked = select(*columns, inbox.c.received_at, left).where(_waits(site))
        asked = asked.order_by(inbox.c.next_attempt_at, inbox.c.id).limit(limit)
        with self._transactions.read() as connection:
            return [_row(row) for row in connection.execute(asked)]

    def sites(self, rows: Sequence[WaitingRow]) -> dict[tuple[Side, str], Site]:
        """Their sites, by side and source."""
        with self._transactions.read() as connection:
            return sites_by_source(connection, [row.source for row in rows])

    def try_now(self, numbers: Sequence[int], site: Site | None, actor: str) -> list[int]:
        """Due at once: those that still wait; the sweeper rings for them within seconds."""
        which = inbox.c.id.in_(numbers) & _waits(site)
        due = {"next_attempt_at": ledger_now()}
        changed = (
            update(inbox)
            .where(which)
            .values(due)
            .returning(inbox.c.id, inbox.c.side, inbox.c.source)
        )
        with self._transactions.write() as connection:
            rows = connection.execute(changed).all()
            by_site: dict[int | None, int] = {}
            sites = sites_by_source(connection, [row.source for row in rows])
            for row in rows:
                its = sites.get((Side(row.side), row.source))
                site_id = None
                if its is not None:
                    site_id = its.id
                by_site[site_id] = by_site.get(site_id, 0) + 1
            for site_id, number in by_site.items():
                after = {"deliveries": number}
                note_change(connection, actor, "waiting.try_now", site_id, after=after)
        return sorted(row.id for row in rows)


def _row(row: Any) -> WaitingRow:
    left = max(0.0, float(row.left))
    received_at = to_time(row.received_at)
    return WaitingRow(
        row.id, Side(row.side), row.source, row.reason, row.attempts, received_at, left
    )


def _waits(site: Site | None) -> Any:
    which = IS_OPEN & (inbox.c.reason != "")
    if site is not None:
        which &= is_of_site(site)
    return which
