"""What a change of an account writes: statements of one transaction, in the order of a counter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, update

from sync_worker.core.values import Account, AccountChange, AccountState, NewAccount
from sync_worker.ledger.accounts.audit import write_audit
from sync_worker.ledger.accounts.tables import (
    account,
    account_address,
    account_change,
    account_secret,
)
from sync_worker.ledger.rows import fitting
from sync_worker.ledger.transactions import insert_into, ledger_now


def next_number(connection: Connection) -> int:
    """The number of a change; whoever takes the next one waits until this change is at its end."""
    counted = update(account_change).values(counter=account_change.c.counter + 1)
    return int(connection.execute(counted.returning(account_change.c.counter)).scalar_one())


def insert_account(connection: Connection, new: NewAccount, number: int) -> None:
    """Put a new account on file with its secrets; its first address is its public id."""
    row = {
        "public_id": new.public_id,
        "site_id": new.site_id,
        "connector": new.connector,
        "identity": new.identity,
        "settings": dict(new.settings),
        "state": str(new.state),
        "changed": number,
        "created_at": ledger_now(),
        "updated_at": ledger_now(),
    }
    inserted = insert(account).values(row).returning(account.c.id)
    account_id = connection.execute(inserted).scalar_one()
    connection.execute(insert(account_address).values(address=new.public_id, account_id=account_id))
    change_secrets(connection, account_id, AccountChange(sealed=new.sealed))


def update_account(
    connection: Connection, old: Account, number: int, values: Mapping[str, Any]
) -> None:
    """Change columns of an account; its version grows, and every process takes it up."""
    more = {"version": old.version + 1, "changed": number, "updated_at": ledger_now()}
    connection.execute(update(account).where(account.c.id == old.id).values({**values, **more}))


def changed_values(old: Account, change: AccountChange) -> dict[str, Any]:
    """The columns of an account that a change gives another value."""
    settings = {**old.settings, **(change.settings or {})}
    values: dict[str, Any] = {
        "settings": {name: settings[name] for name in settings if name not in change.left_out}
    }
    if change.identity is not None:
        values["identity"] = change.identity
    if change.state is not None:
        values["state"] = str(change.state)
        values["paused_why"] = fitting(change.paused_why, account.c.paused_why)
    return values


def change_secrets(connection: Connection, account_id: int, change: AccountChange) -> None:
    """Put secrets on file; the value before counts on for as long as it was asked."""
    until = ledger_now() + change.keep_old_seconds
    rotated = change.sealed if change.rotated is None else change.rotated
    # In the order of whoever seals them anew: two that wait for each other would never end.
    for name, sealed in sorted(change.sealed.items()):
        is_kept = name in rotated and change.keep_old_seconds > 0
        given = insert_into(connection, account_secret).values(
            account_id=account_id, name=name, sealed=sealed, changed_at=ledger_now()
        )
        replaced = {
            "sealed": given.excluded.sealed,
            "previous": account_secret.c.sealed if is_kept else None,
            "previous_until": until if is_kept else None,
            "changed_at": ledger_now(),
        }
        columns = ["account_id", "name"]
        connection.execute(given.on_conflict_do_update(index_elements=columns, set_=replaced))
    if change.left_out:
        is_left_out = account_secret.c.name.in_(sorted(change.left_out))
        its = account_secret.c.account_id == account_id
        connection.execute(delete(account_secret).where(its, is_left_out))


def end_account(
    connection: Connection,
    old: Account,
    number: int,
    actor: str,
    why: str,
    *,
    keeps_secrets: bool = False,
) -> None:
    """Revoke an account: nothing comes in for it any more, and its identity is free."""
    values: dict[str, Any] = {"state": str(AccountState.REVOKED), "revoked_at": ledger_now()}
    if not keeps_secrets:
        wipe_secrets(connection, old.id)
        values["wiped_at"] = ledger_now()
    update_account(connection, old, number, values)
    before = {"state": str(old.state)}
    after = {"state": str(AccountState.REVOKED)}
    write_audit(connection, actor, "account.revoke", old, before=before, after=after, why=why)


def wipe_secrets(connection: Connection, account_id: int) -> None:
    """All values of its secrets go, and its addresses; its settings tell whose links there are."""
    for table in (account_secret, account_address):
        connection.execute(delete(table).where(table.c.account_id == account_id))


def kind_of_change(old: Account, new: Account) -> str:
    """The word for a change in the audit."""
    is_paused_anew = old.state is not new.state or old.paused_why != new.paused_why
    if new.state is AccountState.PAUSED and is_paused_anew:
        return "account.pause"
    if old.state is new.state:
        return "account.set"
    if old.state is AccountState.PAUSED:
        return "account.resume"
    return "account.activate"


def differences(
    old: Account, new: Account, change: AccountChange
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the audit says of a change: values before and after; of secrets only their names."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for name in sorted({*old.settings, *new.settings}):
        if old.settings.get(name) != new.settings.get(name):
            before[name], after[name] = old.settings.get(name), new.settings.get(name)
    for word in ("state", "identity", "paused_why"):
        if getattr(old, word) != getattr(new, word):
            before[word], after[word] = str(getattr(old, word)), str(getattr(new, word))
    if change.sealed:
        after["secrets"] = sorted(change.sealed)
    if gone := sorted(set(old.secret_names) - set(new.secret_names)):
        before["secrets"] = gone
    return before, after
