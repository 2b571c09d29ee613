"""Deliveries that a gateway takes in the second in which it does not know yet that an account has
ended, while its site has been given another one.
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from sync_worker.core.ports.inbox import UNKNOWN_SITE, Closing
from sync_worker.core.values import Account, InboxState, NewDelivery, Side
from sync_worker.ledger.accounts.giving import OTHER_SHOP
from sync_worker.ledger.accounts.reading import read_account
from sync_worker.ledger.accounts.tables import account
from sync_worker.ledger.statements.inbox import end_deliveries, move_deliveries
from sync_worker.ledger.tables import inbox, site
from sync_worker.ledger.transactions import Transactions

# The account of today was told the same.
TOLD_AGAIN = Closing(InboxState.SUPERSEDED, "told_again")
FROM_ANOTHER = Closing(InboxState.SUPERSEDED, OTHER_SHOP)


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
    with transactions.write() as connection:
        before = _account_of(connection, source)
        today = None if before is None else _source_of(connection, before.site_id)
        if before is None or today is None or today == source:
            return UNKNOWN_SITE
        if not _are_of_one_shop(before, _account_of(connection, today)):
            end_deliveries(connection, Side.EXTERNAL, source, OTHER_SHOP)
            return FROM_ANOTHER
        move_deliveries(connection, Side.EXTERNAL, source, today)
        is_moved = select(inbox.c.source == today).where(inbox.c.id == inbox_id)
        if connection.execute(is_moved).scalar_one():
            return None
    return TOLD_AGAIN


def _account_of(connection: Connection, source: str) -> Account | None:
    return read_account(connection, account.c.public_id == source.partition("/")[2])


def _source_of(connection: Connection, site_id: int) -> str | None:
    found = select(site.c.external_source).where(site.c.id == site_id)
    source: str | None = connection.execute(found).scalar_one()
    return source


def _are_of_one_shop(before: Account, today: Account | None) -> bool:
    if today is None:
        return False
    return (before.connector, before.identity) == (today.connector, today.identity)
