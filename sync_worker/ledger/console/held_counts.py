"""How much is held and why, of one site or of all; no count reads more rows than its bound."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import func, select

from sync_worker.core.values import InboxState, Site
from sync_worker.ledger.tables import inbox
from sync_worker.ledger.transactions import Transactions

MAX_COUNTED = 1_000  # more are "1,000 or more"


class SqlHeldCounts:
    """Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def number(self, site: Site | None = None) -> int:
        """How many deliveries are held, of a site or of all; at most ``MAX_COUNTED``."""
        some = select(inbox.c.id).where(_is_held(site)).limit(MAX_COUNTED).subquery()
        with self._transactions.read() as connection:
            counted = select(func.count()).select_from(some)
            return int(connection.execute(counted).scalar_one())

    def by_reason(self, site: Site, reasons: Collection[str]) -> dict[str, int]:
        """How many a site holds for these reasons; together at most ``MAX_COUNTED``."""
        if not reasons:
            return {}
        is_meant = _is_held(site) & inbox.c.reason.in_(sorted(reasons))
        some = select(inbox.c.reason).where(is_meant).limit(MAX_COUNTED).subquery()
        counted = select(some.c.reason, func.count().label("number")).group_by(some.c.reason)
        with self._transactions.read() as connection:
            return {row.reason: int(row.number) for row in connection.execute(counted)}


def _is_held(site: Site | None) -> Any:
    is_held = inbox.c.state == str(InboxState.HELD)
    if site is None:
        return is_held
    return is_held & inbox.c.source.in_(sorted({site.instance_id, site.external_source} - {""}))
