"""Accounts of sites in memory: what becomes of a site and its deliveries as they come and go."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sync_worker.core.errors import Misconfigured
from sync_worker.core.hold_reasons import ACCOUNT_PAUSED, FOR_AN_ACCOUNT
from sync_worker.core.values import AccountState, SiteState, account_source
from tests.twins.memory_state import MemoryState


@dataclass(frozen=True, slots=True)
class MemoryAccounts:
    """As SqlAccountStore, without settings and secrets."""

    state: MemoryState

    def give(self, site_id: int, public_id: str) -> None:
        """What the account before was told is this one's from now on."""
        site = self.state.site_rows[site_id]
        if site.state is SiteState.REMOVED:
            raise Misconfigured("the app is not installed on the site any more")
        old, new = site.external_source, account_source(site.connector, public_id)
        given = replace(site, external_source=new, account_state=AccountState.ACTIVE)
        self.state.site_rows[site_id] = given
        self.state.ended_accounts[old] = site_id
        self.state.move_deliveries(old, new)
        if old:
            self._ask_for_sweep(site_id)
        self._release(site_id)

    def _ask_for_sweep(self, site_id: int) -> None:
        """Its system told nobody what happened after the account before had ended."""
        self.state.sweep_since[site_id] = self.state.now()

    def state_of(self, site_id: int) -> AccountState:
        return self.state.site_rows[site_id].account_state or AccountState.REVOKED

    def change(self, site_id: int, state: AccountState) -> None:
        site = self.state.site_rows[site_id]
        self.state.site_rows[site_id] = replace(site, account_state=state)
        if state is AccountState.ACTIVE:
            self._release(site_id)

    def _release(self, site_id: int) -> None:
        reasons = (ACCOUNT_PAUSED, *FOR_AN_ACCOUNT)
        for row in self.state.rows_of(site_id):
            if row.is_held and row.delivery.reason in reasons:
                self.state.release_delivery(row.delivery.id)
