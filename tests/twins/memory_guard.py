"""The loop guard in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from sync_worker.core.values import Side


@dataclass(slots=True)
class MemoryGuard:
    """Implements ports.Guard; ``flush`` is what a wiped Redis does."""

    kept: dict[tuple[int, Side, str], tuple[int, str]] = field(default_factory=dict)
    hits: int = 0

    def remember(
        self, site_id: int, side: Side, remote_id: str, revision: int, intent_id: str
    ) -> None:
        self.kept[site_id, side, remote_id] = (revision, intent_id)

    def recall(self, site_id: int, side: Side, remote_id: str, revision: int) -> str | None:
        kept = self.kept.get((site_id, side, remote_id))
        if kept is None or kept[0] != revision:
            return None
        self.hits += 1
        return kept[1]

    def forget(self, site_id: int, side: Side, remote_id: str) -> None:
        self.kept.pop((site_id, side, remote_id), None)

    def flush(self) -> None:
        self.kept.clear()
