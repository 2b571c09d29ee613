"""The app is installed on a site or removed from it: what becomes of the site.

    installed ──▶ a site that we know and that was removed goes on, with all that it had
              ──▶ an unknown one gets the one connector that no site uses, or waits for ``site add``
    removed   ──▶ its work stops, its rows stay

A duplicated site (``originInstanceId``) is a new one: products and contacts have other ids there,
so that nothing of the site it was copied from applies to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sync_worker.core.outcome import Outcome
from sync_worker.core.ports.doorbell import Bell
from sync_worker.core.ports.inbox import Closing
from sync_worker.core.ports.ledger import Ledger
from sync_worker.core.ports.sites import Sites
from sync_worker.core.values import Delivery, InboxState, Site


@dataclass(frozen=True, slots=True)
class SiteChanges:
    """Hears the app's own events."""

    CHANGES = frozenset({"app_installed", "app_removed"})

    ledger: Ledger
    bell: Bell
    sites: Sites | None

    def hear(self, delivery: Delivery, site: Site | None) -> tuple[Site | None, Outcome | None]:
        """The site as it is now, and how it ended; no outcome: it has to wait for its site."""
        is_removed = delivery.new.change == "app_removed"
        if site is None and is_removed:
            return None, self._close(delivery, "never_connected")
        if (
            site is None
            and self.sites is not None
            and (opened := self.sites.open(delivery.new.source)) is not None
        ):
            site, waiting = opened
            self.bell.ring(waiting)
        if site is None:
            return None, None
        moment = delivery.new.event_time
        at = None if moment is None else moment.timestamp()
        self.bell.ring(
            self.ledger.sites.note_lifecycle(site.id, "removed" if is_removed else "active", at)
        )
        return site, self._close(delivery, "site_removed" if is_removed else "site_installed")

    def _close(self, delivery: Delivery, reason: str) -> Outcome:
        done = Closing(InboxState.DONE, reason)
        self.ledger.inbox.close(delivery.id, done)
        return Outcome.of(done)
