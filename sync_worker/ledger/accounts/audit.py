"""Who changed what of sites, maps, accounts and held ones, when and why.

Never a secret's value, and nobody's address.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from sync_worker.core.values import Account, AuditEntry
from sync_worker.ledger.accounts.tables import audit
from sync_worker.ledger.rows import fitting
from sync_worker.ledger.transactions import Transactions, ledger_now

PAGE = 50
BY_COMMAND = "ratings-sync"  # where a command, or a test, does not say who gives it
BY_WORKER = "worker"  # what no person has done
HOOKS_LEFT = "hooks.left_behind"  # at a shop that we have left: a person takes them away


class SqlAudit:
    """The audit, by site or by account, newest first. Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def add(
        self,
        actor: str,
        what: str,
        *,
        site_id: int | None = None,
        account_id: int | None = None,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        why: str = "",
    ) -> None:
        """Note a change that has its own transaction elsewhere."""
        with self._transactions.write() as connection:
            row = _row(actor, what, site_id, account_id, before, after, why)
            connection.execute(insert(audit).values(row))

    def of_site(
        self, site_id: int, before_id: int | None = None, limit: int = PAGE
    ) -> list[AuditEntry]:
        """Entries of a site and its accounts; ``before_id``: the last one of the page before."""
        return self._page(audit.c.site_id == site_id, before_id, limit)

    def of_account(
        self, account_id: int, before_id: int | None = None, limit: int = PAGE
    ) -> list[AuditEntry]:
        """Entries of an account; ``before_id``: the last one of the page before."""
        return self._page(audit.c.account_id == account_id, before_id, limit)

    def _page(self, which: Any, before_id: int | None, limit: int) -> list[AuditEntry]:
        if before_id is not None:
            which &= audit.c.id < before_id
        found = select(audit).where(which).order_by(audit.c.id.desc()).limit(limit)
        with self._transactions.read() as connection:
            return [_entry(row) for row in connection.execute(found)]


def write_audit(
    connection: Connection,
    actor: str,
    what: str,
    of: Account,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    why: str = "",
) -> None:
    """Note a change of an account, in its own transaction."""
    row = _row(actor, what, of.site_id, of.id, before, after, why)
    connection.execute(insert(audit).values(row))


def note_change(
    connection: Connection,
    actor: str,
    what: str,
    site_id: int | None,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    why: str = "",
) -> None:
    """Note what a person changed of a site, in the transaction that changes it.

    ``site_id``: ``None`` for what belongs to no site (yet).
    """
    row = _row(actor, what, site_id, None, before, after, why)
    connection.execute(insert(audit).values(row))


def _row(
    actor: str,
    what: str,
    site_id: int | None,
    account_id: int | None,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    why: str,
) -> dict[str, Any]:
    return {
        "at": ledger_now(),
        "actor": fitting(actor, audit.c.actor),
        "what": what,
        "site_id": site_id,
        "account_id": account_id,
        "values_before": dict(before or {}),
        "values_after": dict(after or {}),
        "why": fitting(why, audit.c.why),
    }


def _entry(row: Any) -> AuditEntry:
    return AuditEntry(
        row.id,
        datetime.fromtimestamp(row.at, UTC),
        row.actor,
        row.what,
        row.values_before,
        row.values_after,
        row.why,
        row.site_id,
        row.account_id,
    )
