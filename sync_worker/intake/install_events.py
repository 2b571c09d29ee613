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
from sync_worker.core.ports.inbox import SITE_REMOVED, Closing, Inbox
from sync_worker.core.ports.sites import Sites, SiteStates
from sync_worker.core.values import Change, Delivery, InboxState, Site, SiteState

NEVER_CONNECTED = Closing(InboxState.DONE, "never_connected")
SITE_INSTALLED = Closing(InboxState.DONE, "site_installed")


@dataclass(frozen=True, slots=True)
class InstallEvents:
    """Applies the app's own events.

    ``sites`` opens unknown sites; without it they wait for ``site add``.
    """

    CHANGES = frozenset({Change.APP_INSTALLED, Change.APP_REMOVED})

    inbox: Inbox
    site_states: SiteStates
    bell: Bell
    sites: Sites | None

    def apply(self, delivery: Delivery, site: Site | None) -> Outcome | None:
        """Process an event of the app; ``None``: it has to wait for its site."""
        if delivery.new.change == Change.APP_REMOVED:
            # Removed before anybody connected it: nothing of it is here.
            if site is None:
                return self._close(delivery, NEVER_CONNECTED)
            self._note_state(site, SiteState.REMOVED, delivery)
            return self._close(delivery, SITE_REMOVED)
        # Installed where nobody has added the site.
        if site is None:
            site = self._opened(delivery.new.source)
        # A person has to choose its connector.
        if site is None:
            return None
        self._note_state(site, SiteState.ACTIVE, delivery)
        return self._close(delivery, SITE_INSTALLED)

    def _opened(self, instance_id: str) -> Site | None:
        """The site, opened by itself where that is possible."""
        opened = None if self.sites is None else self.sites.open(instance_id)
        # Not allowed here, or not exactly one connector is free.
        if opened is None:
            return None
        site, waiting = opened
        self.bell.ring(waiting)
        return site

    def _note_state(self, site: Site, state: SiteState, delivery: Delivery) -> None:
        # Wix's own time: installs and removals may come out of order.
        moment = delivery.new.event_time
        at = None if moment is None else moment.timestamp()
        self.bell.ring(self.site_states.note_lifecycle(site.id, state, at))

    def _close(self, delivery: Delivery, closing: Closing) -> Outcome:
        self.inbox.close(delivery.id, closing)
        return Outcome.of(closing)
