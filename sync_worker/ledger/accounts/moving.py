"""Deliveries of accounts that have ended go over to the account that their site has today.

A shop may have told a hundred thousand: in one statement that exceeds its time, and whoever changes
another account would wait for it. So they go in batches, each a transaction of its own, after the
account was given. What a process that dies leaves is gone on with by a worker.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import IntegrityError

from sync_worker.core.ports.inbox import UNKNOWN_SITE, Closing
from sync_worker.core.values import Account, InboxState, NewDelivery, Side
from sync_worker.ledger.accounts.reading import read_account
from sync_worker.ledger.accounts.tables import account
from sync_worker.ledger.statements.moving import (
    MOVED_AT_ONCE,
    end_deliveries,
    move_deliveries,
    some_of,
)
from sync_worker.ledger.tables import inbox, site
from sync_worker.ledger.transactions import Transactions, ledger_now

OTHER_SHOP = "other_shop"  # told by a shop that the site has no more to do with
# The account of today was told the same.
TOLD_AGAIN = Closing(InboxState.SUPERSEDED, "told_again")
FROM_ANOTHER = Closing(InboxState.SUPERSEDED, OTHER_SHOP)

LOOKED_AT = 5_000  # deliveries of one account in a round, then it is the next one's turn
# A gateway or a worker may go by the account before for a moment, and one that waited for longer.
LATE_SECONDS = 300.0


def begin_to_move(connection: Connection, site_id: int, today: str) -> None:
    """What all accounts of a site but this one were told has to go over to it."""
    of_before = (account.c.site_id == site_id) & (account.c.public_id != today)
    connection.execute(update(account).where(of_before).values(moves_since=ledger_now()))


def sources_that_move(connection: Connection, site_id: int) -> list[str]:
    """Under which names deliveries of a site may be besides that of its account of today."""
    moves = (account.c.site_id == site_id) & account.c.moves_since.is_not(None)
    rows = connection.execute(select(account.c.connector, account.c.public_id).where(moves))
    return [f"{row.connector}/{row.public_id}" for row in rows]


def move_some(transactions: Transactions, until: float, site_id: int | None = None) -> int:
    """Move deliveries until a monotonic time; how many.

    ``site_id``: of this site alone. Raises Transient.
    """
    moved = 0
    while True:
        accounts = _that_move(transactions, site_id)
        before = moved
        for account_id in accounts:
            moved += _move_of(transactions, account_id, until)
            if time.monotonic() > until:
                return moved
        if moved == before:
            return moved


def _that_move(transactions: Transactions, site_id: int | None) -> Sequence[int]:
    found = select(account.c.id).where(account.c.moves_since.is_not(None))
    if site_id is not None:
        found = found.where(account.c.site_id == site_id)
    found = found.order_by(account.c.moves_since, account.c.id)
    with transactions.read() as connection:
        return connection.execute(found).scalars().all()


def _move_of(transactions: Transactions, account_id: int, until: float) -> int:
    """A round of one account."""
    with transactions.read() as connection:
        before = read_account(connection, account.c.id == account_id)
        today = None if before is None else _today_of(connection, before)
        if before is None or today is None:
            return 0
        is_one = _are_of_one_shop(before, today)
        found = some_of(connection, Side.EXTERNAL, before.source, LOOKED_AT, are_open=not is_one)
    if not found:
        _end_moving(transactions, account_id)
    moved = 0
    for start in range(0, len(found), MOVED_AT_ONCE):
        moved += _batch(transactions, before, today, found[start : start + MOVED_AT_ONCE])
        if time.monotonic() > until:
            break
    return moved


def _batch(
    transactions: Transactions, before: Account, today: Account, inbox_ids: Sequence[int]
) -> int:
    try:
        with transactions.write() as connection:
            if not _are_of_one_shop(before, today):
                return end_deliveries(connection, inbox_ids, OTHER_SHOP)
            return move_deliveries(connection, inbox_ids, before.source, today.source)
    except IntegrityError:
        # The same was told under the new name at this moment: the next look finds its twin.
        return 0


def _end_moving(transactions: Transactions, account_id: int) -> None:
    is_over = account.c.moves_since <= ledger_now() - LATE_SECONDS
    ended = update(account).where(account.c.id == account_id, is_over).values(moves_since=None)
    with transactions.write() as connection:
        connection.execute(ended)


def follow_account(
    transactions: Transactions, inbox_id: int, delivery: NewDelivery
) -> Closing | None:
    """How a held delivery of no site's source ends: ``None`` if its site is found by now.

    It is the site's whose account had that source before, and comes from its account of today if
    that is of the same shop.
    """
    source = delivery.source
    if delivery.side is not Side.EXTERNAL or "/" not in source:
        return UNKNOWN_SITE
    with transactions.read() as connection:
        before = read_account(connection, account.c.public_id == source.partition("/")[2])
        today = None if before is None else _today_of(connection, before)
    if before is None or today is None:
        return UNKNOWN_SITE
    _batch(transactions, before, today, [inbox_id])
    if not _are_of_one_shop(before, today):
        return FROM_ANOTHER
    is_closed = inbox.c.state == str(InboxState.SUPERSEDED)
    with transactions.read() as connection:
        ended = connection.execute(select(inbox.c.id).where(inbox.c.id == inbox_id, is_closed))
        return TOLD_AGAIN if ended.first() is not None else None


def _today_of(connection: Connection, before: Account) -> Account | None:
    """The account that the site of an account has today, if that is another one."""
    source = connection.execute(
        select(site.c.external_source).where(site.c.id == before.site_id)
    ).scalar_one()
    if source is None or source == before.source:
        return None
    return read_account(connection, account.c.public_id == source.partition("/")[2])


def _are_of_one_shop(before: Account, today: Account) -> bool:
    return (before.connector, before.identity) == (today.connector, today.identity)
