"""Active sites, remembered for a moment: they are read with every delivery."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Connection

from sync_worker.core.values import Side, Site, SiteState
from sync_worker.core.values.sites import USABLE
from sync_worker.ledger.statements.sites import site_by_id, site_by_source

# A pause or a changed policy reaches every process within this time.
SITE_CACHE_SECONDS = 1.0
MAX_NAMES = 10_000  # of sites that are remembered; each has three


class SiteCache:
    """What a process knows of its sites, at most ``seconds`` old.

    One that rests is read each time, so that nothing is held for it that came after its return.
    """

    def __init__(self, seconds: float = SITE_CACHE_SECONDS) -> None:
        self.seconds = seconds
        self._sites: dict[object, tuple[float, Site]] = {}

    def by_id(self, connection: Connection, site_id: int) -> Site:
        """Raises LookupError."""
        found = self._cached(site_id, lambda: site_by_id(connection, site_id))
        if found is None:
            raise LookupError(f"there is no site {site_id}")
        return found

    def by_source(self, connection: Connection, side: Side, source: str) -> Site | None:
        """The site whose deliveries come from this source; ``None`` if nobody has added it."""
        return self._cached((side, source), lambda: site_by_source(connection, side, source))

    def clear(self) -> None:
        """Read every site afresh."""
        self._sites.clear()

    def _cached(self, key: object, read: Callable[[], Site | None]) -> Site | None:
        expires_at, cached = self._sites.get(key, (0.0, None))
        now = time.monotonic()
        # One at work: neither it rests, nor its account does.
        if (
            cached is not None
            and expires_at > now
            and cached.state is SiteState.ACTIVE
            and cached.account_state in USABLE
            and cached.external_source
        ):
            return cached
        found = read()
        if found is not None:
            self._keep(found, now + self.seconds)
        return found

    def _keep(self, found: Site, until: float) -> None:
        """Under each of its names: who looks for one has another in hand a moment later."""
        if len(self._sites) >= MAX_NAMES:
            self.clear()
        known = (until, found)
        self._sites[found.id] = known
        self._sites[Side.WIX, found.instance_id] = known
        if found.external_source:
            self._sites[Side.EXTERNAL, found.external_source] = known
