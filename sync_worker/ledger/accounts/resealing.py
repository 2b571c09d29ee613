"""Sealed secrets as they lie in the ledger, page by page, and put back sealed anew.

They lie in two places: with their account, until its webhooks are gone, and with each shop that an
account has left, until they are gone from there. Nothing is opened here. A secret that is given
anew meanwhile stays as it was given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    case,
    func,
    select,
    tuple_,
    union,
    update,
)

from sync_worker.core.values import AccountState
from sync_worker.ledger.accounts.sealing import FORM, ID_CHARACTERS
from sync_worker.ledger.accounts.tables import account, account_secret, old_shop
from sync_worker.ledger.transactions import Transactions

_IN_USE = account.c.state != str(AccountState.REVOKED)


@dataclass(frozen=True, slots=True)
class SealedRow:
    """One secret; ``account``: the public id, which is bound into what is sealed.

    ``old_shop_id``: of a shop that the account has left; ``None``: it is the account's own.
    """

    account_id: int
    account: str
    name: str
    sealed: str
    previous: str | None
    old_shop_id: int | None = None


class SqlResealing:
    """What ``secrets rotate`` and ``secrets check`` go through. Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def pages(self, limit: int) -> Iterator[list[SealedRow]]:
        """All secrets, some at once."""
        last = (0, "")
        while rows := self._page(last, limit):
            yield rows
            last = (rows[-1].account_id, rows[-1].name)
        shop_id = 0
        while shops := self._old_shops(shop_id, limit):
            if rows := [row for shop in shops.values() for row in shop]:
                yield rows
            shop_id = max(shops)

    def _page(self, after: tuple[int, str], limit: int) -> list[SealedRow]:
        key = (account_secret.c.account_id, account_secret.c.name)
        found = select(account_secret, account.c.public_id).join(
            account, account.c.id == account_secret.c.account_id
        )
        found = found.where(tuple_(*key) > after).order_by(*key).limit(limit)
        with self._transactions.read() as connection:
            return [
                SealedRow(row.account_id, row.public_id, row.name, row.sealed, row.previous)
                for row in connection.execute(found)
            ]

    def _old_shops(self, after: int, limit: int) -> dict[int, list[SealedRow]]:
        """By the shop: all of one stand in one row."""
        found = select(old_shop, account.c.public_id).join(
            account, account.c.id == old_shop.c.account_id
        )
        found = found.where(old_shop.c.id > after).order_by(old_shop.c.id).limit(limit)
        with self._transactions.read() as connection:
            return {
                row.id: [
                    SealedRow(row.account_id, row.public_id, name, sealed, None, row.id)
                    for name, sealed in row.secrets.items()
                ]
                for row in connection.execute(found)
            }

    def replace(self, rows: Sequence[tuple[SealedRow, SealedRow]]) -> int:
        """Put rows (as they were, as they shall be) into the ledger; how many of them it took."""
        if not rows:
            return 0
        with self._transactions.write() as connection:
            return sum(_replace(connection, old, new) for old, new in rows)

    def keys_in_use(self) -> dict[str, int]:
        """How many accounts have secrets that are sealed for each key, by the key's id."""
        left = select(old_shop.c.account_id, old_shop.c.secrets)
        with self._transactions.read() as connection:
            rows = connection.execute(_sealed_for()).all()
            pairs = {(row.key, row.account_id) for row in rows}
            for row in connection.execute(left):
                pairs |= {(_key_of(sealed), row.account_id) for sealed in row.secrets.values()}
        return dict(Counter(key for key, _ in pairs))

    def sites_sealed_otherwise(self, key_ids: Collection[str]) -> frozenset[int]:
        """Sites whose account has a secret that is sealed for none of these keys."""
        sealed = _sealed_for().subquery()
        found = select(account.c.site_id).join(sealed, account.c.id == sealed.c.account_id)
        with self._transactions.read() as connection:
            rows = connection.execute(found.where(_IN_USE, sealed.c.key.not_in(sorted(key_ids))))
            return frozenset(rows.scalars())


def _key_of(sealed: str) -> str:
    return sealed[len(FORM) + 1 :][:ID_CHARACTERS]


def _sealed_for() -> CompoundSelect[tuple[str, int]]:
    """For which key each secret of an account is sealed, and the value before."""

    def of(sealed: ColumnElement[str]) -> ColumnElement[str]:
        return func.substr(sealed, len(FORM) + 2, ID_CHARACTERS).label("key")

    column = account_secret.c
    before = select(of(column.previous), column.account_id).where(column.previous.is_not(None))
    return union(select(of(column.sealed), column.account_id), before)


def _replace(connection: Connection, old: SealedRow, new: SealedRow) -> int:
    if old.old_shop_id is not None:
        return _replace_of_old_shop(connection, old.old_shop_id, old, new)
    column = account_secret.c
    is_it = (column.account_id == old.account_id) & (column.name == old.name)
    # The value before may have come to its end meanwhile: then it stays so.
    previous = case((column.previous == old.previous, new.previous), else_=column.previous)
    changed = update(account_secret).where(is_it, column.sealed == old.sealed)
    return connection.execute(changed.values(sealed=new.sealed, previous=previous)).rowcount


def _replace_of_old_shop(
    connection: Connection, old_shop_id: int, old: SealedRow, new: SealedRow
) -> int:
    its = old_shop.c.id == old_shop_id
    found = select(old_shop.c.secrets).where(its).with_for_update()
    secrets = connection.execute(found).scalar_one_or_none()
    if secrets is None or secrets.get(old.name) != old.sealed:
        return 0
    changed = update(old_shop).where(its).values(secrets={**secrets, old.name: new.sealed})
    return connection.execute(changed).rowcount
