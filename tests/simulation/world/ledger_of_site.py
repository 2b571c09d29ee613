"""What a ledger holds of one site, as the oracles ask for it."""

from __future__ import annotations

from typing import Any

from sync_worker.core.values import HistoryEntry


class LedgerOfSite:
    """A ledger that several sites share, seen by one; ports and questions that name a site stay."""

    def __init__(self, ledger: Any, site_id: int) -> None:
        self._ledger, self._site_id = ledger, site_id

    def history_entries(self) -> list[HistoryEntry]:
        entries: list[HistoryEntry] = self._ledger.history_entries(self._site_id)
        return entries

    def closed_with(self, reason: str) -> list[tuple[str, int | None]]:
        closed: list[tuple[str, int | None]] = self._ledger.closed_with(reason, self._site_id)
        return closed

    def open_count(self) -> int:
        return int(self._ledger.open_count(self._site_id))

    def open_intents(self) -> int:
        return int(self._ledger.open_intents(self._site_id))

    def held_reasons(self) -> list[str]:
        reasons: list[str] = self._ledger.held_reasons(self._site_id)
        return reasons

    def everything(self) -> str:
        return str(self._ledger.everything(self._site_id))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)
