"""The state of sites in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sync_worker.core.hold_reasons import ACCOUNT_PAUSED, FOR_AN_ACCOUNT
from sync_worker.core.ports.inbox import SITE_REMOVED, ends_with_site
from sync_worker.core.values import AccountState, SiteState
from tests.twins.memory_state import InboxRow, MemoryState

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
        # Also where the removal before was not told, or is late.
        if state is SiteState.ACTIVE or site.state is SiteState.REMOVED:
            self._ask_for_sweep(site_id)
        if not is_held_back:
            ended = site.account_state
            if state is SiteState.REMOVED and ended is not None:
                ended = AccountState.REVOKED
            self.state.site_rows[site_id] = replace(site, state=state, account_state=ended)
        return self.release_if_at_work(site_id) if state is SiteState.ACTIVE else []

    def _ask_for_sweep(self, site_id: int) -> None:
        """Nobody told what happened meanwhile."""
        self.state.sweep_since[site_id] = self.state.now()

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
        rows = self.state.rows_of(site_id)
        waiting += [row.delivery.id for row in rows if self._begins_anew(row)]
        for inbox_id in waiting:
            self.state.release_delivery(inbox_id)
        return sorted(waiting)

    def _begins_anew(self, row: InboxRow) -> bool:
        """Whether it ended as the app was removed from its site."""
        delivery = row.delivery
        ending = (delivery.state, delivery.reason)
        return ending == (SITE_REMOVED.state, SITE_REMOVED.reason) and ends_with_site(delivery.new)
