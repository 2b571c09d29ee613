"""The state of sites in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sync_worker.core.hold_reasons import ACCOUNT_PAUSED, FOR_AN_ACCOUNT
from sync_worker.core.values import AccountState, SiteState
from tests.twins.memory_state import MemoryState

HELD_BACK = (SiteState.PAUSED, SiteState.RECOVERY)


@dataclass(frozen=True, slots=True)
class MemorySites:
    """Implements ports.SiteStates."""

    state: MemoryState

    def note_lifecycle(self, site_id: int, state: SiteState, at: float | None) -> list[int]:
        site = self.state.site_rows[site_id]
        if at is not None:
            if self.state.lifecycle_at.get(site_id, 0.0) > at:
                return []
            self.state.lifecycle_at[site_id] = at
        # A person holds it back: installing the app anew does not resume it.
        is_held_back = state is SiteState.ACTIVE and site.state in HELD_BACK
        if not is_held_back:
            ended = site.account_state
            if state is SiteState.REMOVED and ended is not None:
                ended = AccountState.REVOKED
            self.state.site_rows[site_id] = replace(site, state=state, account_state=ended)
        return self.release_if_at_work(site_id) if state is SiteState.ACTIVE else []

    def release_if_at_work(self, site_id: int) -> list[int]:
        site = self.state.site_rows[site_id]
        if site.state not in (SiteState.ACTIVE, SiteState.RECOVERY):
            return []
        reasons = {"site_removed", "site_paused"}
        if site.is_at_work:
            reasons |= {ACCOUNT_PAUSED, *FOR_AN_ACCOUNT}
        if site.state is SiteState.ACTIVE:
            reasons.add("site_recovery")
        waiting = [
            inbox_id
            for inbox_id, row in self.state.rows.items()
            if row.is_held
            and row.delivery.reason in reasons
            and row.delivery.new.source == self.state.source(site_id, row.delivery.new.side)
        ]
        for inbox_id in waiting:
            self.state.release_delivery(inbox_id)
        return waiting
