"""Pauses of sites, and those whose time is over."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, select, update

from sync_worker.core.values import SiteState
from sync_worker.ledger.accounts.audit import note_change
from sync_worker.ledger.administration.held import release_reasons
from sync_worker.ledger.administration.history_lines import to_time
from sync_worker.ledger.console.pause_rows import Pause, read_pauses, site_pause
from sync_worker.ledger.sites import REST_OVER
from sync_worker.ledger.statements.runs import awaits_baseline
from sync_worker.ledger.statements.sites import site_by_id
from sync_worker.ledger.tables import site
from sync_worker.ledger.transactions import Transactions, is_sqlite, ledger_now

AT_ONCE = 100  # sites in one tick
BY_ITSELF = "ratings-sync"
TIME_IS_OVER = "the time of the pause is over"


class SqlPauses:
    """Why sites rest; lets go on what has rested long enough. Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def of(self, site_id: int) -> Pause | None:
        """``None``: nobody has paused it, or an earlier version of the program has."""
        with self._transactions.read() as connection:
            return read_pauses(connection, [site_id]).get(site_id)

    def resume_due(self) -> list[list[int]]:
        """Sites whose pause is over go on; of each the deliveries that are released by that.

        Whoever dies in the middle leaves the pause on file, and the next tick ends it: nothing
        stays held for a site that has gone on.
        """
        due = select(site_pause.c.site_id).where(_is_due()).order_by(site_pause.c.until)
        with self._transactions.read() as connection:
            sites = connection.execute(due.limit(AT_ONCE)).scalars().all()
        return [self._resume(site_id) for site_id in sites]

    def _resume(self, site_id: int) -> list[int]:
        with self._transactions.write() as connection:
            _go_on(connection, site_id)
        # After the site's own transaction: a worker that holds a delivery now looks once more.
        with self._transactions.read() as connection:
            known = site_by_id(connection, site_id)
        released = list[int]()
        if known is not None and known.state in REST_OVER:
            reasons = [f"site_{state}" for state in REST_OVER[known.state]]
            released = release_reasons(self._transactions, reasons, known)
        with self._transactions.write() as connection:
            connection.execute(delete(site_pause).where(site_pause.c.site_id == site_id, _is_due()))
        return released


def _is_due() -> Any:
    """Its time is over. What only a newer version can end is left to it, with its row."""
    known = [str(state) for state in SiteState]
    ours = select(site.c.id).where(site.c.state.in_(known))
    is_ours = site_pause.c.site_id.in_(ours) & site_pause.c.state_before.in_(known)
    return (site_pause.c.until <= ledger_now()) & is_ours


def _said(until: float) -> str:
    return to_time(until).isoformat(timespec="seconds")


def _go_on(connection: Connection, site_id: int) -> None:
    """Unless a person was quicker: has resumed it, removed it, or paused it for longer."""
    asked = select(site.c.state, site_pause.c.state_before, site_pause.c.until)
    asked = asked.join(site_pause, site_pause.c.site_id == site.c.id)
    asked = asked.where(site.c.id == site_id, _is_due())
    if not is_sqlite(connection):
        asked = asked.with_for_update()
    found = connection.execute(asked).first()
    if found is None or found.state != str(SiteState.PAUSED):
        return
    state = SiteState(found.state_before)
    # Nothing is deleted before a person has seen what a change of its API leads to.
    if awaits_baseline(connection, site_id):
        state = SiteState.RECOVERY
    connection.execute(update(site).where(site.c.id == site_id).values(state=str(state)))
    note_change(
        connection,
        BY_ITSELF,
        "site.resume",
        site_id,
        before={"state": found.state, "until": _said(found.until)},
        after={"state": str(state)},
        why=TIME_IS_OVER,
    )
