"""Accounts in SQL: what shops gave, with its secrets sealed, and every change in the audit.

Each change takes the next number of one counter first, whose row it holds to its end: so the
changes have an order, and a process that knows a number misses none of those before it.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from sync_worker.core.errors import Misconfigured
from sync_worker.core.hold_reasons import ACCOUNT_PAUSED, FOR_AN_ACCOUNT
from sync_worker.core.scale import FieldMap
from sync_worker.core.values import (
    Account,
    AccountChange,
    AccountState,
    NewAccount,
    SealedSecret,
)
from sync_worker.ledger.accounts.audit import BY_WORKER, HOOKS_LEFT, SqlAudit, write_audit
from sync_worker.ledger.accounts.changing import (
    change_secrets,
    changed_values,
    differences,
    end_account,
    insert_account,
    kind_of_change,
    next_number,
    update_account,
    wipe_secrets,
)
from sync_worker.ledger.accounts.giving import (
    become_another_shop,
    give_to_site,
    refuse_second_account,
    refuse_what_crosses_sites,
)
from sync_worker.ledger.accounts.moving import move_some
from sync_worker.ledger.accounts.old_shops import leave_shop
from sync_worker.ledger.accounts.reading import (
    account_in_use,
    addresses_over,
    holds_address,
    known_account,
    read_account,
    read_accounts,
    read_sealed,
)
from sync_worker.ledger.accounts.site_sides import ask_soon, its_shop_refuses
from sync_worker.ledger.accounts.tables import account, account_address, account_change
from sync_worker.ledger.administration.held import release_reasons
from sync_worker.ledger.process_tables import site_fault
from sync_worker.ledger.statements.sites import site_by_id
from sync_worker.ledger.transactions import Transactions, ledger_now

PAGE = 50
WAIT_SECONDS = 2.0  # of who changes an account, for deliveries; workers do the rest
REVOKED = str(AccountState.REVOKED)


class StaleVersion(Misconfigured):
    """Somebody else has changed the account meanwhile."""


def new_public_id() -> str:
    """128 random bits that can stand in an address: 26 letters and digits."""
    return base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()


def refuse_stale(found: Account, version: int | None) -> None:
    """``version``: the one that was looked at; ``None``: whichever. Raises StaleVersion."""
    if version is not None and version != found.version:
        raise StaleVersion(
            f"account {found.public_id} was changed by somebody else meanwhile (version"
            f" {found.version}, not {version}): look at it again"
        )


class SqlAccountStore:
    """The accounts of all sites. Raises Transient, and Misconfigured in words for people."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self.audit = SqlAudit(transactions)

    # -- questions

    def of_site(self, site_id: int) -> Account | None:
        """The account that a site uses."""
        return self._one((account.c.site_id == site_id) & (account.c.state != REVOKED))

    def last_of_site(self, site_id: int) -> Account | None:
        """The account that a site uses or, without one, had last."""
        found = select(account).where(account.c.site_id == site_id).order_by(account.c.id.desc())
        with self._transactions.read() as connection:
            accounts = read_accounts(connection, found.limit(1))
        return accounts[0] if accounts else None

    def by_public_id(self, public_id: str) -> Account | None:
        """The account of that name, revoked or not."""
        return self._one(account.c.public_id == public_id)

    def by_address(self, address: str) -> Account | None:
        """The account in use that has this webhook address now."""
        return self._one(holds_address(address))

    def listed(
        self,
        after: int = 0,
        limit: int = PAGE,
        connector: str | None = None,
        state: AccountState | None = None,
        *,
        is_failing: bool = False,
    ) -> list[Account]:
        """A page of accounts in the order in which they were given; ``after``: the id before it."""
        found = select(account).where(account.c.id > after)
        if connector is not None:
            found = found.where(account.c.connector == connector)
        if state is not None:
            found = found.where(account.c.state == str(state))
        if is_failing:
            found = found.where(its_shop_refuses())
        with self._transactions.read() as connection:
            return read_accounts(connection, found.order_by(account.c.id).limit(limit))

    def leaving(self, limit: int, work: str) -> list[Account]:
        """Accounts at an end that have secrets still, the first to end first.

        ``work``: the word for their farewell among faults; one that failed has its pause first, and
        comes after all that nobody has tried.
        """
        source = account.c.connector + "/" + account.c.public_id
        fails = (site_fault.c.source == source) & (site_fault.c.work == work)
        again_at = site_fault.c.next_try_at
        found = (
            select(account)
            .outerjoin(site_fault, fails)
            .where(account.c.state == REVOKED, account.c.wiped_at.is_(None))
            .where(or_(again_at.is_(None), again_at <= ledger_now()))
            .order_by(func.coalesce(site_fault.c.failed_at, 0.0), account.c.revoked_at)
            .limit(limit)
        )
        with self._transactions.read() as connection:
            return read_accounts(connection, found)

    def addresses_over(self, public_id: str) -> list[str]:
        """Webhook addresses of an account whose time is over."""
        with self._transactions.read() as connection:
            return addresses_over(connection, public_id)

    def counter(self) -> int:
        """The number of the last change of any account."""
        with self._transactions.read() as connection:
            return int(connection.execute(select(account_change.c.counter)).scalar_one())

    def changed_since(self, counter: int, limit: int) -> list[Account]:
        """Accounts that changed after this number, in the order of their last change.

        Revoked ones, too.
        """
        found = select(account).where(account.c.changed > counter)
        with self._transactions.read() as connection:
            return read_accounts(connection, found.order_by(account.c.changed).limit(limit))

    def sealed_of(self, account_id: int) -> Mapping[str, SealedSecret]:
        """Its sealed secrets by name; a value before only as long as it counts."""
        with self._transactions.read() as connection:
            return read_sealed(connection, account_id)

    def _one(self, which: Any) -> Account | None:
        with self._transactions.read() as connection:
            return read_account(connection, which)

    # -- changes

    def add(self, new: NewAccount, actor: str, fields: Sequence[FieldMap] = ()) -> Account:
        """Give a site its account: what waited for one goes on.

        ``fields``: what it maps, if it maps nothing yet. Raises Misconfigured if the site has an
        account, or the external account serves another site.
        """
        with self._transactions.write() as connection:
            number = next_number(connection)
            refuse_second_account(connection, new.site_id)
            refuse_what_crosses_sites(connection, new)
            give_to_site(connection, new, fields)
            insert_account(connection, new, number)
            given = {"connector": new.connector, "settings": dict(new.settings)}
            added = known_account(connection, new.public_id)
            write_audit(connection, actor, "account.add", added, after=given)
            ask_soon(connection, new.site_id)
        until = time.monotonic() + WAIT_SECONDS
        move_some(self._transactions, until, new.site_id)
        self._release(new.site_id, FOR_AN_ACCOUNT, until)
        return added

    def change(
        self,
        public_id: str,
        change: AccountChange,
        *,
        version: int | None = None,
        actor: str,
        why: str = "",
    ) -> Account:
        """Change an account; ``version``: the one that was looked at. Raises Misconfigured."""
        with self._transactions.write() as connection:
            number = next_number(connection)
            old = account_in_use(connection, public_id)
            refuse_stale(old, version)
            if change.identity is not None:
                refuse_what_crosses_sites(connection, old, identity=change.identity)
            if change.is_other_shop:
                become_another_shop(connection, old, change.identity)
            if change.leaves_hooks:
                leave_shop(connection, old)
            changed = self._write(connection, old, number, change, actor, why)
        if changed.state is not AccountState.PAUSED:
            self._release(old.site_id, (ACCOUNT_PAUSED, *FOR_AN_ACCOUNT))
        return changed

    def _write(
        self,
        connection: Connection,
        old: Account,
        number: int,
        change: AccountChange,
        actor: str,
        why: str = "",
    ) -> Account:
        update_account(connection, old, number, changed_values(old, change))
        change_secrets(connection, old.id, change)
        ask_soon(connection, old.site_id)
        changed = known_account(connection, old.public_id)
        before, after = differences(old, changed, change)
        what = kind_of_change(old, changed)
        write_audit(connection, actor, what, old, before=before, after=after, why=why)
        return changed

    def rotate_address(
        self, public_id: str, keep_seconds: float, actor: str, version: int | None = None
    ) -> str:
        """A new webhook address; those before stay valid for so long."""
        fresh = new_public_id()
        with self._transactions.write() as connection:
            number = next_number(connection)
            old = account_in_use(connection, public_id)
            refuse_stale(old, version)
            is_its, until = account_address.c.account_id == old.id, account_address.c.valid_until
            over = delete(account_address).where(is_its, until <= ledger_now())
            connection.execute(over)
            ends = {"valid_until": ledger_now() + keep_seconds}
            connection.execute(update(account_address).where(is_its, until.is_(None)).values(ends))
            connection.execute(insert(account_address).values(address=fresh, account_id=old.id))
            update_account(connection, old, number, {})
            kept = {"kept_seconds": keep_seconds}
            write_audit(connection, actor, "account.address", old, after=kept)
        return fresh

    def note_probe(
        self, public_id: str, words: Mapping[str, Any], actor: str, *, works: bool = False
    ) -> Account:
        """What a probe said, in words; a new account that works is active from now on."""
        with self._transactions.write() as connection:
            # Whoever pauses it waits until this is at its end, or was before it.
            number = next_number(connection)
            old = account_in_use(connection, public_id)
            said = {"probed_at": ledger_now(), "probe": dict(words)}
            connection.execute(update(account).where(account.c.id == old.id).values(said))
            write_audit(connection, actor, "account.probe", old, after={"works": works})
            if not works or old.state is not AccountState.NEW:
                return known_account(connection, public_id)
            active = AccountChange(state=AccountState.ACTIVE)
            noted = self._write(connection, old, number, active, actor)
        self._release(old.site_id, (ACCOUNT_PAUSED, *FOR_AN_ACCOUNT))
        return noted

    def revoke(
        self,
        public_id: str,
        actor: str,
        why: str = "",
        *,
        keeps_secrets: bool = False,
        version: int | None = None,
    ) -> Account:
        """The end of an account: its addresses are nobody's, its secrets gone, its identity free.

        ``keeps_secrets``: they are there until ``wipe``, for who takes our webhooks from its shop.
        """
        with self._transactions.write() as connection:
            number = next_number(connection)
            old = account_in_use(connection, public_id)
            refuse_stale(old, version)
            end_account(connection, old, number, actor, why, keeps_secrets=keeps_secrets)
            return known_account(connection, public_id)

    def wipe(self, public_id: str, why_left: str = "") -> None:
        """What a revoked account still had of secrets and addresses goes.

        ``why_left``: why webhooks of ours may be left at its shop.
        """
        with self._transactions.write() as connection:
            number = next_number(connection)
            old = known_account(connection, public_id)
            if old.state is AccountState.REVOKED and old.wiped_at is None:
                wipe_secrets(connection, old.id)
                update_account(connection, old, number, {"wiped_at": ledger_now()})
                if why_left:
                    write_audit(connection, BY_WORKER, HOOKS_LEFT, old, why=why_left)

    def _release(self, site_id: int, reasons: Sequence[str], until: float | None = None) -> None:
        """After the change's own transaction: a worker that holds a delivery now looks once more.

        The sweeper rings. What is left at ``until`` a worker releases within a minute.
        """
        if until is None:
            until = time.monotonic() + WAIT_SECONDS
        with self._transactions.read() as connection:
            site = site_by_id(connection, site_id)
        if site is not None:
            release_reasons(self._transactions, reasons, site, until)
