"""What people find a delivery by, whose rating key is not known yet."""

from __future__ import annotations

from typing import Protocol

from sync_worker.core.values import SearchKeys


class Unlinked(Protocol):
    """Search keys of deliveries without a link. Each method is one transaction."""

    def note(self, site_id: int, inbox_id: int, shown: SearchKeys) -> None:
        """Keep what the record of an open delivery shows, as long as its content is kept.

        Nothing of somebody whom a privacy request has erased.
        """
