"""Accounts as the ledger has them on file, with their addresses and the names of their secrets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import Account, AccountAddress, AccountState, SealedSecret
from sync_worker.core.values.records import ShownWord
from sync_worker.ledger.accounts.tables import account, account_address, account_secret
from sync_worker.ledger.transactions import ledger_now

MAX_SHOWN = 40  # characters of a name that is none


def read_accounts(connection: Connection, chosen: Select[Any]) -> list[Account]:
    """The accounts that a query over their table finds, in its order: three statements for all."""
    rows = connection.execute(chosen).all()
    ids = [row.id for row in rows]
    if not ids:
        return []
    addresses, names = _addresses(connection, ids), _secret_names(connection, ids)
    return [_account(row, addresses[row.id], names[row.id]) for row in rows]


def read_account(connection: Connection, which: Any) -> Account | None:
    """The account that a condition on its table names."""
    found = read_accounts(connection, select(account).where(which).limit(1))
    return found[0] if found else None


def known_account(connection: Connection, public_id: str) -> Account:
    """The account of a name. Raises Misconfigured."""
    found = read_account(connection, account.c.public_id == public_id)
    if found is None:
        raise Misconfigured(
            f"there is no account {public_id[:MAX_SHOWN]!r}; `ratings-sync account list` shows all"
        )
    return found


def refuse_newer(name: str, state: ShownWord) -> None:
    """Raises Misconfigured for what is in a state that only a newer version knows."""
    if not state.is_known:
        raise Misconfigured(
            f"{name} is in state {state}, which only a newer version of the program knows: do this"
            " with that version; nothing was changed"
        )


def account_in_use(connection: Connection, public_id: str) -> Account:
    """The same, of one that can be changed. Raises Misconfigured."""
    found = known_account(connection, public_id)
    if found.state is AccountState.REVOKED:
        raise Misconfigured(
            f"account {public_id} is revoked and at its end; `ratings-sync account add` gives site"
            f" {found.site_id} a new one"
        )
    refuse_newer(f"account {public_id}", found.state)
    return found


def holds_address(address: str) -> Any:
    """The account of an address that is valid now."""
    until = account_address.c.valid_until
    is_valid = until.is_(None) | (until > ledger_now())
    its_id = select(account_address.c.account_id).where(
        account_address.c.address == address, is_valid
    )
    is_in_use = account.c.state != str(AccountState.REVOKED)
    return (account.c.id == its_id.scalar_subquery()) & is_in_use


def addresses_over(connection: Connection, public_id: str) -> list[str]:
    """Webhook addresses of an account whose time is over: hooks of ours may be there still."""
    found = (
        select(account_address.c.address)
        .join(account, account.c.id == account_address.c.account_id)
        .where(account.c.public_id == public_id, account_address.c.valid_until <= ledger_now())
    )
    return list(connection.execute(found).scalars())


def read_sealed(connection: Connection, account_id: int) -> Mapping[str, SealedSecret]:
    """The sealed secrets of an account, by name; without values whose time is over."""
    until = account_secret.c.previous_until
    counts = (until > ledger_now()).label("counts")
    found = select(account_secret, counts).where(account_secret.c.account_id == account_id)
    return {row.name: _sealed(row) for row in connection.execute(found)}


def _sealed(row: Any) -> SealedSecret:
    if not row.counts:
        return SealedSecret(row.sealed)
    return SealedSecret(row.sealed, row.previous, moment(row.previous_until))


def _addresses(connection: Connection, ids: Sequence[int]) -> dict[int, list[AccountAddress]]:
    """Those that are valid now; the one that stays first."""
    until = account_address.c.valid_until
    is_valid = until.is_(None) | (until > ledger_now())
    found = select(account_address).where(account_address.c.account_id.in_(ids), is_valid)
    by_account = defaultdict[int, list[AccountAddress]](list)
    for row in connection.execute(found.order_by(until.is_not(None), until.desc())):
        by_account[row.account_id].append(AccountAddress(row.address, moment(row.valid_until)))
    return by_account


def _secret_names(connection: Connection, ids: Sequence[int]) -> dict[int, list[str]]:
    columns = (account_secret.c.account_id, account_secret.c.name)
    found = select(*columns).where(account_secret.c.account_id.in_(ids))
    by_account = defaultdict[int, list[str]](list)
    for row in connection.execute(found.order_by(account_secret.c.name)):
        by_account[row.account_id].append(row.name)
    return by_account


def _account(row: Any, addresses: Sequence[AccountAddress], names: Sequence[str]) -> Account:
    return Account(
        id=row.id,
        public_id=row.public_id,
        site_id=row.site_id,
        connector=row.connector,
        identity=row.identity,
        settings=row.settings,
        state=AccountState.kept(row.state),
        version=row.version,
        changed=row.changed,
        addresses=tuple(addresses),
        secret_names=tuple(names),
        paused_why=row.paused_why,
        probed_at=moment(row.probed_at),
        probe=row.probe or {},
        created_at=moment(row.created_at),
        revoked_at=moment(row.revoked_at),
        wiped_at=moment(row.wiped_at),
    )


def moment(seconds: float | None) -> datetime | None:
    """A time of the ledger, in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
