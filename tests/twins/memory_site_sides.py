"""Accounts that a remote refuses, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sync_worker.core.hold_keys import account_hold_key
from sync_worker.core.ports.site_sides import ACCOUNT_FAILING, PROBE_SECONDS
from sync_worker.core.values import InboxState, Side, Site, SiteSide
from tests.twins.memory_state import MemoryState


@dataclass(frozen=True, slots=True)
class MemorySiteSides:
    """Implements ports.SiteSides."""

    state: MemoryState

    def fail(self, account: SiteSide, inbox_ids: Sequence[int], why: str) -> None:
        self.state.next_probe_at.setdefault(account, self.state.now() + PROBE_SECONDS)
        self._show(account, is_failing=True)
        self._hold(account, inbox_ids)

    def wait(self, account: SiteSide, inbox_ids: Sequence[int]) -> bool:
        if account not in self.state.next_probe_at:
            return False
        self._hold(account, inbox_ids)
        return True

    def to_probe(self) -> list[tuple[Site, Side]]:
        now = self.state.now()
        due = [account for account, at in self.state.next_probe_at.items() if at <= now]
        for account in due:
            self.state.next_probe_at[account] = now + PROBE_SECONDS
        return [(self.state.site_rows[account.site_id], account.side) for account in due]

    def recover(self, account: SiteSide) -> list[int]:
        self.state.next_probe_at.pop(account, None)
        self._show(account, is_failing=False)
        waiting = [
            inbox_id
            for inbox_id, row in self.state.rows.items()
            if row.is_held
            and row.hold_key == account_hold_key(account.side)
            and self._is_its(account, row.delivery.new.side, row.delivery.new.source)
        ]
        for inbox_id in waiting:
            self.state.release_delivery(inbox_id)
        return waiting

    def _is_its(self, account: SiteSide, side: Side, source: str) -> bool:
        return source == self.state.source(account.site_id, side)

    def _show(self, account: SiteSide, *, is_failing: bool) -> None:
        site = self.state.site_rows[account.site_id]
        failing = site.failing - {account.side} | ({account.side} if is_failing else set())
        self.state.site_rows[site.id] = replace(site, failing=frozenset(failing))

    def _hold(self, account: SiteSide, inbox_ids: Sequence[int]) -> None:
        for inbox_id in inbox_ids:
            row = self.state.rows[inbox_id]
            if row.is_open:
                row.hold_key = account_hold_key(account.side)
                row.delivery = replace(row.delivery, state=InboxState.HELD, reason=ACCOUNT_FAILING)
