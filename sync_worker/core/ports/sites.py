"""Sites: opened by themselves, and what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sync_worker.core.values import Site, SiteState


class Sites(Protocol):
    """Opens sites that install the app by themselves."""

    def open(self, instance_id: str) -> tuple[Site, Sequence[int]] | None:
        """A new site on the one connector that no site uses, and the deliveries that had waited for
        it.

        ``None``: there is not exactly one such connector; a person has to choose (``site add``).
        """


class SiteStates(Protocol):
    """The state of a site. Each method is one transaction."""

    def note_lifecycle(self, site_id: int, state: SiteState, at: float | None) -> list[int]:
        """Installed (``active``) or ``removed`` at Wix's time ``at``, unless something newer is
        known.

        A paused site stays paused. Returns the deliveries that were held for the site's state, and
        those that had ended with it. Of one that comes back a sweep is due: nobody told what
        happened meanwhile.
        """

    def release_if_at_work(self, site_id: int) -> list[int]:
        """Release what is held, or has ended, for the state of a site, if it works (again); ids.

        Asked after a hold: the site may have gone on since the worker looked.
        """
