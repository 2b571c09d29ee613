"""Deliveries that a site's source of before was told: table ``inbox``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, case, exists, literal, select, update

from sync_worker.core.values import InboxState, Side
from sync_worker.ledger.console.forgetting import forget_keys
from sync_worker.ledger.statements.inbox import UNENDED, among
from sync_worker.ledger.tables import inbox
from sync_worker.ledger.transactions import is_sqlite, ledger_now

MOVED_AT_ONCE = 500  # in one statement


def some_of(
    connection: Connection, side: Side, source: str, limit: int, *, are_open: bool = False
) -> list[int]:
    """Ids of deliveries under a name; ``are_open``: of those that have not ended."""
    its = select(inbox.c.id).where(inbox.c.side == str(side), inbox.c.source == source)
    if are_open:
        its = its.where(inbox.c.state.in_(UNENDED))
    return list(connection.execute(its.limit(limit)).scalars())


def move_all(connection: Connection, side: Side, old: str, new: str) -> None:
    """All that a side has told of a site is kept under another name of it from now on.

    Many statements in one transaction: one alone would exceed its time.
    """
    while found := some_of(connection, side, old, MOVED_AT_ONCE):
        # Whoever writes one at this moment is at its end soon.
        move_deliveries(connection, found, old, new, are_waited_for=True)


def move_deliveries(
    connection: Connection,
    inbox_ids: Sequence[int],
    old: str,
    new: str,
    *,
    are_waited_for: bool = False,
) -> int:
    """Some that a side has told of a site are kept under another name of it; how many there were.

    One that another worker writes at this moment is left out, unless it is waited for.
    """
    ids = list(inbox_ids)
    if not are_waited_for:
        ids = _free(connection, among(ids, inbox.c.source == old))
    is_old = among(ids, inbox.c.source == old)
    there = inbox.alias("there")
    is_there = (there.c.side == inbox.c.side) & (there.c.source == new)
    same_id = exists().where(is_there, there.c.dedupe_id == inbox.c.dedupe_id)
    same_hint = there.c.dedupe_id.is_(None) & inbox.c.dedupe_id.is_(None)
    same_hint &= (there.c.remote_id == inbox.c.remote_id) & (there.c.change == inbox.c.change)
    # A look that has begun does not serve for what is told after it.
    same_hint &= there.c.state == str(InboxState.NEW)
    # Two questions, each with an index of its own.
    is_single = ~same_id & ~exists().where(is_there, same_hint)
    connection.execute(update(inbox).where(is_old, is_single).values(source=new))
    # What is there under the new name, too, serves for both.
    waits = inbox.c.state.in_(UNENDED)
    ended: dict[str, Any] = {
        "source": new,
        "dedupe_id": None,
        "state": case((waits, literal(str(InboxState.SUPERSEDED))), else_=inbox.c.state),
        "closed_at": case((waits, ledger_now()), else_=inbox.c.closed_at),
    }
    connection.execute(update(inbox).where(is_old).values(ended))
    return len(ids)


def end_deliveries(connection: Connection, inbox_ids: Sequence[int], reason: str) -> int:
    """What waits of these ends without content, which no erasure would find; how many it was."""
    ids = _free(connection, among(inbox_ids, inbox.c.state.in_(UNENDED)))
    ended: dict[str, Any] = {"state": str(InboxState.SUPERSEDED), "reason": reason}
    ended |= {"hold_key": None, "payload": {}, "closed_at": ledger_now()}
    forget_keys(connection, ids)
    connection.execute(update(inbox).where(inbox.c.id.in_(ids)).values(**ended))
    return len(ids)


def _free(connection: Connection, which: Any) -> list[int]:
    """Those that nobody else writes at this moment: they are ours until the commit."""
    free = select(inbox.c.id).where(which).order_by(inbox.c.id)
    if not is_sqlite(connection):
        free = free.with_for_update(skip_locked=True)
    return list(connection.execute(free).scalars())
