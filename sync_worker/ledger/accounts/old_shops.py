"""Shops that accounts have left for another address, until our webhooks are gone from them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert, or_, select, update

from sync_worker.core.values import Account, AccountAddress, OldShop, SealedSecret
from sync_worker.ledger.accounts.audit import BY_WORKER, HOOKS_LEFT, write_audit
from sync_worker.ledger.accounts.reading import addresses_over, read_accounts
from sync_worker.ledger.accounts.tables import account, account_secret, old_shop
from sync_worker.ledger.process_tables import hook_state, site_fault
from sync_worker.ledger.transactions import Transactions, ledger_now


def leave_shop(connection: Connection, old: Account) -> None:
    """Keep what opens the shop where an account is, which is about to be another one's."""
    its = account_secret.c.account_id == old.id
    sealed = select(account_secret.c.name, account_secret.c.sealed).where(its)
    now = [one.address for one in old.addresses]
    row = {
        "account_id": old.id,
        "settings": dict(old.settings),
        "secrets": {row.name: row.sealed for row in connection.execute(sealed)},
        # Hooks may be left at those whose day is over, too.
        "addresses": [*now, *addresses_over(connection, old.public_id)],
        "left_at": ledger_now(),
    }
    connection.execute(insert(old_shop).values(row))


class SqlOldShops:
    """Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def due(self, limit: int, work: str) -> list[OldShop]:
        """Some of them, the one that was left first of each account.

        ``work``: the word for their farewell among faults; one that failed has its pause first.
        """
        source = account.c.connector + "/" + account.c.public_id
        fails = (site_fault.c.source == source) & (site_fault.c.work == work)
        again_at = site_fault.c.next_try_at
        found = (
            select(old_shop)
            .join(account, account.c.id == old_shop.c.account_id)
            .outerjoin(site_fault, fails)
            .where(or_(again_at.is_(None), again_at <= ledger_now()))
            .order_by(old_shop.c.id)
            .limit(limit)
        )
        with self._transactions.read() as connection:
            rows = connection.execute(found).all()
            ids = [row.account_id for row in rows]
            theirs = select(account).where(account.c.id.in_(ids))
            accounts = {one.id: one for one in read_accounts(connection, theirs)}
        first: dict[int, OldShop] = {}
        for row in rows:
            then = replace(
                accounts[row.account_id],
                settings=row.settings,
                addresses=tuple(map(AccountAddress, row.addresses)),
            )
            sealed = {name: SealedSecret(text) for name, text in row.secrets.items()}
            left_at = datetime.fromtimestamp(row.left_at, UTC)
            first.setdefault(row.account_id, OldShop(row.id, then, sealed, left_at))
        return list(first.values())

    def forget(self, left: OldShop, why_left: str = "") -> None:
        """Nothing of ours is there any more, or nobody can take it away: that is for a person.

        The account's own webhooks are looked at again: the shop of before may have been this one,
        under another name.
        """
        with self._transactions.write() as connection:
            connection.execute(delete(old_shop).where(old_shop.c.id == left.id))
            its = hook_state.c.source == left.account.source
            connection.execute(update(hook_state).where(its).values(checked_at=None))
            if why_left:
                of, shop = left.account, {"settings": dict(left.account.settings)}
                write_audit(connection, BY_WORKER, HOOKS_LEFT, of, before=shop, why=why_left)
