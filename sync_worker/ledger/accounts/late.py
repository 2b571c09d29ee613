"""Deliveries that a gateway takes in the second in which it does not know yet that an account has
ended, while its site has been given another one.
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from sync_worker.core.ports.inbox import UNKNOWN_SITE, Closing
from sync_worker.core.values import InboxState, NewDelivery, Side
from sync_worker.ledger.accounts.tables import account
from sync_worker.ledger.statements.inbox import move_deliveries
from sync_worker.ledger.tables import inbox, site
from sync_worker.ledger.transactions import Transactions

# The account of today was told the same.
TOLD_AGAIN = Closing(InboxState.SUPERSEDED, "told_again")


def follow_account(
    transactions: Transactions, inbox_id: int, delivery: NewDelivery
) -> Closing | None:
    """How a held delivery of no site's source ends: ``None`` if its site is found by now.

    It is the site's whose account had that source before, and comes from its account of today.
    """
    if delivery.side is not Side.EXTERNAL or "/" not in delivery.source:
        return UNKNOWN_SITE
    with transactions.write() as connection:
        today = _source_of_today(connection, delivery.source)
        if today is None:
            return UNKNOWN_SITE
        move_deliveries(connection, Side.EXTERNAL, delivery.source, today)
        is_moved = select(inbox.c.source == today).where(inbox.c.id == inbox_id)
        if connection.execute(is_moved).scalar_one():
            return None
    return TOLD_AGAIN


def _source_of_today(connection: Connection, source: str) -> str | None:
    public_id = source.partition("/")[2]
    its_site = select(site.c.external_source).join(account, account.c.site_id == site.c.id)
    found = its_site.where(account.c.public_id == public_id, site.c.external_source != source)
    return connection.execute(found).scalar()
