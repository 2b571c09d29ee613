"""The loop guard: repeats what SQL knows, faster."""

from __future__ import annotations

from typing import Protocol

from sync_worker.core.values import Side


class Guard(Protocol):
    """The Redis loop guard: repeats what SQL knows (rules R0 to R6).

    Never raises; a failure is a miss.
    """

    def remember(
        self, site_id: int, side: Side, remote_id: str, revision: int, intent_id: str
    ) -> None:
        """Keep the revision that our own write returned; called after the SQL commit."""

    def recall(self, site_id: int, side: Side, remote_id: str, revision: int) -> str | None:
        """The intent whose write returned exactly this revision, or ``None``."""

    def forget(self, site_id: int, side: Side, remote_id: str) -> None:
        """A privacy request has erased this record."""
