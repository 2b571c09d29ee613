"""The state of a site, in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select, update

from sync_worker.core.errors import OfNewerVersion
from sync_worker.core.hold_reasons import ACCOUNT_PAUSED, FOR_AN_ACCOUNT
from sync_worker.core.values import AccountState, SiteState
from sync_worker.core.values.records import NEWER_SECONDS
from sync_worker.ledger.accounts.changing import end_account, next_number
from sync_worker.ledger.accounts.reading import read_account, refuse_newer
from sync_worker.ledger.accounts.removal import begin_anew, come_back
from sync_worker.ledger.accounts.tables import account
from sync_worker.ledger.administration.held import release_reasons
from sync_worker.ledger.console.pause_rows import forget_pause
from sync_worker.ledger.site_cache import SiteCache
from sync_worker.ledger.statements.runs import awaits_baseline
from sync_worker.ledger.statements.sites import site_by_id
from sync_worker.ledger.tables import site
from sync_worker.ledger.transactions import Transactions, ledger_now

# By the state of a site: for which states nothing has to wait any more.
REST_OVER = {
    SiteState.ACTIVE: (SiteState.PAUSED, SiteState.REMOVED, SiteState.RECOVERY),
    SiteState.RECOVERY: (SiteState.PAUSED, SiteState.REMOVED),
}


BY_WIX = "wix"  # the actor of what an event of the app brings about


def state_values(
    connection: Connection, site_id: int, state: SiteState, actor: str = BY_WIX
) -> dict[str, Any]:
    """The columns of a site's state; with its removal its account ends in this transaction.

    A pause is over with it, too.
    """
    if state is not SiteState.PAUSED:
        forget_pause(connection, site_id)
    if state is not SiteState.REMOVED:
        return {"state": str(state), "removed_at": None, **come_back(connection, site_id)}
    # The counter first, as with every change of an account: none is given meanwhile.
    number = next_number(connection)
    in_use = (account.c.site_id == site_id) & (account.c.state != str(AccountState.REVOKED))
    if (known := read_account(connection, in_use)) is not None:
        why = "the app was removed from the site"
        end_account(connection, known, number, actor, why, keeps_secrets=True)
    return {"state": str(state), "removed_at": func.coalesce(site.c.removed_at, ledger_now())}


def refuse_newer_site(connection: Connection, site_id: int, wanted: SiteState) -> None:
    """Raises Misconfigured where only a newer version knows what a change would end."""
    refuse_newer(f"site {site_id} before its pause", wanted)
    known = site_by_id(connection, site_id)
    if known is None:
        return
    refuse_newer(f"site {site_id}", known.state)
    # With the removal of a site its account ends.
    if wanted is SiteState.REMOVED and known.account_state is not None:
        refuse_newer(f"the account of site {site_id}", known.account_state)


class SqlSiteStates:
    """Implements ports.SiteStates."""

    def __init__(self, transactions: Transactions, sites: SiteCache) -> None:
        self._transactions, self._sites = transactions, sites

    def note_lifecycle(self, site_id: int, state: SiteState, at: float | None) -> list[int]:
        is_news = site.c.id == site_id
        # Wix delivers late and again: an event older than the newest known says nothing.
        if at is not None:
            is_news &= func.coalesce(site.c.lifecycle_at, 0.0) <= at
        with self._transactions.write() as connection:
            row = connection.execute(select(site.c.state).where(is_news)).first()
            if row is None:
                return []
            known = site_by_id(connection, site_id)
            if known is not None and known.is_of_newer_version:
                raise OfNewerVersion(retry_after=NEWER_SECONDS)
            # Whoever paused or recovers a site resumes it; installing the app anew only brings a
            # removed one back.
            is_held_back = row.state in (SiteState.PAUSED, SiteState.RECOVERY)
            is_back = state is SiteState.ACTIVE
            # Nothing is deleted before a person has seen what a change of its API leads to.
            if is_back and awaits_baseline(connection, site_id):
                state = SiteState.RECOVERY
            if is_held_back and is_back:
                state = SiteState(row.state)
            values = state_values(connection, site_id, state)
            # Also where the removal before was not told, or is late.
            if is_back:
                values["sweep_since"] = ledger_now()
            if at is not None:
                values["lifecycle_at"] = at
            connection.execute(update(site).where(site.c.id == site_id).values(values))
            # This process knows it now, the others when their cache ends.
            self._sites.clear()
        # Installed again: what came while the site was removed goes back to work.
        return self.release_if_at_work(site_id) if is_back else []

    def release_if_at_work(self, site_id: int) -> list[int]:
        with self._transactions.read() as connection:
            its_site = self._sites.by_id(connection, site_id)
        if its_site.state not in REST_OVER:
            return []
        # In recovery a person has to confirm each delete.
        reasons = [f"site_{state}" for state in REST_OVER[its_site.state]]
        # While its account rests, what waited for the site waits for the account.
        if its_site.is_at_work:
            reasons += [ACCOUNT_PAUSED, *FOR_AN_ACCOUNT]
        released = release_reasons(self._transactions, reasons, its_site)
        return sorted([*released, *begin_anew(self._transactions, its_site)])
