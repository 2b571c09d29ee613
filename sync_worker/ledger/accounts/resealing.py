"""Sealed secrets as they lie in the ledger, page by page, and put back sealed anew.

Nothing is opened here. A secret that is given anew meanwhile stays as it was given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, case, func, select, tuple_, update

from sync_worker.core.values import AccountState
from sync_worker.ledger.accounts.sealing import FORM, ID_CHARACTERS
from sync_worker.ledger.accounts.tables import account, account_secret
from sync_worker.ledger.transactions import Transactions

_IN_USE = account.c.state != str(AccountState.REVOKED)
KEY_ID = func.substr(account_secret.c.sealed, len(FORM) + 2, ID_CHARACTERS)


@dataclass(frozen=True, slots=True)
class SealedRow:
    """One secret; ``account``: the public id, which is bound into what is sealed."""

    account_id: int
    account: str
    name: str
    sealed: str
    previous: str | None


class SqlResealing:
    """What ``secrets rotate`` and ``secrets check`` go through. Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def pages(self, limit: int) -> Iterator[list[SealedRow]]:
        """All secrets of accounts that are in use, some at once."""
        last = (0, "")
        while rows := self._page(last, limit):
            yield rows
            last = (rows[-1].account_id, rows[-1].name)

    def _page(self, after: tuple[int, str], limit: int) -> list[SealedRow]:
        key = (account_secret.c.account_id, account_secret.c.name)
        found = select(account_secret, account.c.public_id).join(
            account, account.c.id == account_secret.c.account_id
        )
        found = found.where(tuple_(*key) > after, _IN_USE).order_by(*key).limit(limit)
        with self._transactions.read() as connection:
            return [
                SealedRow(row.account_id, row.public_id, row.name, row.sealed, row.previous)
                for row in connection.execute(found)
            ]

    def replace(self, rows: Sequence[tuple[SealedRow, SealedRow]]) -> int:
        """Put rows (as they were, as they shall be) into the ledger; how many of them it took."""
        if not rows:
            return 0
        with self._transactions.write() as connection:
            return sum(_replace(connection, old, new) for old, new in rows)

    def keys_in_use(self) -> dict[str, int]:
        """How many accounts have secrets that are sealed for each key, by the key's id."""
        number = func.count(account_secret.c.account_id.distinct()).label("number")
        found = select(KEY_ID.label("key"), number).join(
            account, account.c.id == account_secret.c.account_id
        )
        with self._transactions.read() as connection:
            rows = connection.execute(found.where(_IN_USE).group_by(KEY_ID))
            return {row.key: row.number for row in rows}

    def sites_sealed_otherwise(self, key_ids: Collection[str]) -> frozenset[int]:
        """Sites whose account has a secret that is sealed for none of these keys."""
        found = select(account.c.site_id).join(
            account_secret, account.c.id == account_secret.c.account_id
        )
        with self._transactions.read() as connection:
            rows = connection.execute(found.where(_IN_USE, KEY_ID.not_in(sorted(key_ids))))
            return frozenset(rows.scalars())


def _replace(connection: Connection, old: SealedRow, new: SealedRow) -> int:
    column = account_secret.c
    is_it = (column.account_id == old.account_id) & (column.name == old.name)
    # The value before may have come to its end meanwhile: then it stays so.
    previous = case((column.previous == old.previous, new.previous), else_=column.previous)
    changed = update(account_secret).where(is_it, column.sealed == old.sealed)
    return connection.execute(changed.values(sealed=new.sealed, previous=previous)).rowcount
