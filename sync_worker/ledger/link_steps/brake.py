"""The brake on deletes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from sync_worker.core.values import IntentState, Operation, Side
from sync_worker.ledger.statements import links
from sync_worker.ledger.tables import history, intent
from sync_worker.ledger.transactions import ledger_now

HOUR_SECONDS = 3600.0
TAKES_AWAY = (str(Operation.DELETE), str(Operation.WITHDRAW))


def deletes_exceeded(connection: Connection, site_id: int, side: Side, more: int) -> bool:
    """As ``Links.deletes_exceeded``."""
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
    counted = select(_count(history, is_recent) + _count(intent, is_under_way))
    deletes = more + int(connection.execute(counted).scalar_one())
    # Below the smallest limit the links need no count.
    if deletes < links.MIN_BRAKE:
        return False
    return deletes >= links.max_deletes(connection, site_id, deletes)


def _count(table: Any, which: Any) -> Any:
    return select(func.count()).select_from(table).where(which).scalar_subquery()
