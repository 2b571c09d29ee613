"""The audit in pages, newest first: of one site or of all, by who did it and by what was done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from sync_worker.ledger.accounts.tables import audit
from sync_worker.ledger.tables import site
from sync_worker.ledger.transactions import Transactions

PAGE = 50


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Empty: all. ``before``: the last one of the page before."""

    site_id: int | None = None
    actor: str = ""
    what: str = ""
    before: int | None = None


@dataclass(frozen=True, slots=True)
class AuditLine:
    """Who changed what, when and why. ``before`` and ``after``: values by their names."""

    id: int
    at: datetime
    actor: str
    what: str
    site_id: int | None
    instance_id: str | None
    account_id: int | None
    before: Any
    after: Any
    why: str


class SqlAuditPages:
    """Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def page(self, which: AuditFilter, limit: int = PAGE) -> Sequence[AuditLine]:
        found = select(audit, site.c.instance_id).select_from(
            audit.outerjoin(site, site.c.id == audit.c.site_id)
        )
        if which.site_id is not None:
            found = found.where(audit.c.site_id == which.site_id)
        if which.actor:
            found = found.where(audit.c.actor == which.actor)
        if which.what:
            found = found.where(audit.c.what == which.what)
        if which.before is not None:
            found = found.where(audit.c.id < which.before)
        with self._transactions.read() as connection:
            rows = connection.execute(found.order_by(audit.c.id.desc()).limit(limit))
            return [_line(row) for row in rows]

    def kinds(self, site_id: int | None) -> Sequence[str]:
        """What was done lately, for the filter."""
        lately = select(audit.c.what).order_by(audit.c.id.desc()).limit(1000)
        if site_id is not None:
            lately = lately.where(audit.c.site_id == site_id)
        kinds = lately.subquery()
        with self._transactions.read() as connection:
            return sorted(connection.execute(select(kinds.c.what).distinct()).scalars())


def _line(row: Any) -> AuditLine:
    return AuditLine(
        row.id,
        datetime.fromtimestamp(row.at, UTC),
        row.actor,
        row.what,
        row.site_id,
        row.instance_id,
        row.account_id,
        row.values_before,
        row.values_after,
        row.why,
    )
