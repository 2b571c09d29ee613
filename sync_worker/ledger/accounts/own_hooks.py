"""Our webhooks at the shop of the environment, as its site removes the app and comes back.

removed ──▶ it is noted where they led ──▶ they are taken away
back    ──▶ they are made again where they led ──▶ a sweep is due
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, or_, select, update

from sync_worker.core.values import SiteState
from sync_worker.ledger.accounts.audit import BY_WORKER, HOOKS_LEFT, note_change
from sync_worker.ledger.accounts.removal import sweep_again
from sync_worker.ledger.process_tables import hook_state
from sync_worker.ledger.tables import site
from sync_worker.ledger.transactions import Transactions, insert_into, ledger_now

AT_WORK = (str(SiteState.ACTIVE), str(SiteState.RECOVERY))


class SqlOwnHooks:
    """``source``: the connector whose shop the environment holds. Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def leaving(self, sources: Collection[str]) -> list[str]:
        """Those whose site has removed the app, and whose webhooks may be there since."""
        done_at = hook_state.c.farewell_at
        is_left = site.c.state == str(SiteState.REMOVED)
        is_open = or_(done_at.is_(None), done_at < site.c.removed_at)
        found = (
            select(site.c.external_source)
            .outerjoin(hook_state, hook_state.c.source == site.c.external_source)
            .where(_is_own(sources), is_left, is_open)
            .order_by(site.c.id)
        )
        with self._transactions.read() as connection:
            return list(connection.execute(found).scalars())

    def begin(self, source: str) -> float:
        """Note a try to take them away; how many seconds ago the first one was."""
        since = hook_state.c.farewell_since
        is_it = hook_state.c.source == source
        with self._transactions.write() as connection:
            new = insert_into(connection, hook_state).values(source=source)
            connection.execute(new.on_conflict_do_nothing())
            # One that ended as the site came back says nothing of this removal.
            removed_at = select(site.c.removed_at).where(site.c.external_source == source)
            is_first = or_(since.is_(None), since < removed_at.scalar_subquery())
            first = update(hook_state).where(is_it, is_first)
            connection.execute(first.values(farewell_since=ledger_now()))
            ago = select(ledger_now() - since).where(is_it)
            return float(connection.execute(ago).scalar_one())

    def note_urls(self, source: str, urls: Sequence[str]) -> None:
        """Where they lead, before they are taken away; what was known before stays known."""
        with self._transactions.write() as connection:
            _put(connection, source, {"farewell_urls": _with_known(connection, source, urls)})

    def note_gone(self, source: str, urls: Sequence[str], why_left: str = "") -> None:
        """They are gone. ``why_left``: why some may not be, which is for a person."""
        with self._transactions.write() as connection:
            gone: dict[str, Any] = {"farewell_at": ledger_now(), "farewell_since": None}
            # Somebody may have made them again, as the site came back while they were taken away.
            gone["farewell_urls"] = _with_known(connection, source, urls)
            _put(connection, source, gone)
            if why_left:
                found = select(site.c.id).where(site.c.external_source == source)
                site_id = connection.execute(found).scalar_one_or_none()
                what = {"connector": source}
                note_change(connection, BY_WORKER, HOOKS_LEFT, site_id, before=what, why=why_left)

    def coming_back(self, sources: Collection[str]) -> dict[str, list[str]]:
        """Those whose site works again, and where their webhooks led."""
        urls = hook_state.c.farewell_urls
        found = (
            select(hook_state.c.source, urls)
            .join(site, site.c.external_source == hook_state.c.source)
            .where(_is_own(sources), site.c.state.in_(AT_WORK), urls.is_not(None))
        )
        with self._transactions.read() as connection:
            return {row.source: row.farewell_urls for row in connection.execute(found)}

    def note_back(self, source: str) -> None:
        """They are there again: nobody told what happened meanwhile."""
        nothing = {"farewell_since": None, "farewell_at": None, "farewell_urls": None}
        with self._transactions.write() as connection:
            _put(connection, source, nothing)
            sweep_again(connection, site.c.external_source == source)


def _is_own(sources: Collection[str]) -> Any:
    is_own = site.c.external_source == site.c.connector
    return is_own & site.c.external_source.in_(sorted(sources))


def _with_known(connection: Connection, source: str, urls: Sequence[str]) -> list[str] | None:
    known = select(hook_state.c.farewell_urls).where(hook_state.c.source == source)
    before = connection.execute(known).scalar_one_or_none() or []
    return list(dict.fromkeys([*before, *urls])) or None


def _put(connection: Connection, source: str, values: dict[str, Any]) -> None:
    connection.execute(update(hook_state).where(hook_state.c.source == source).values(values))
