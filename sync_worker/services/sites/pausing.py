"""A site rests, for a while or until somebody resumes it, and goes on."""

from __future__ import annotations

from dataclasses import dataclass

from sync_worker.core.errors import Misconfigured
from sync_worker.core.said import joined, said, said_many
from sync_worker.core.values import SiteState
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.ledger.console.pauses import SqlPauses
from sync_worker.services.access.who import Right, Role, Who
from sync_worker.services.trouble import at

MAX_PAUSE_SECONDS = 366 * 86_400.0
MAX_WHY = 256
# An owner did not begin these, and does not know whether they may end.
WORDS_OF_OTHERS = {
    SiteState.RECOVERY: said("in recovery, and nothing is deleted on either side meanwhile"),
    SiteState.REMOVED: said("removed, as the app is not installed on it"),
}


@dataclass(frozen=True, slots=True)
class Rested:
    """How a site stands after it. ``released``: deliveries that had waited for it."""

    site_id: int
    state: SiteState
    until: float | None
    released: int
    sentence: str


class Pausing:
    """Each raises Forbidden, Misconfigured, Transient."""

    def __init__(self, admin: LedgerAdmin) -> None:
        self._admin, self._pauses = admin, SqlPauses(admin.transactions)

    def pause(
        self,
        who: Who,
        site_id: int,
        why: str = "",
        until: float | None = None,
        seconds: float | None = None,
    ) -> Rested:
        """From now on its deliveries are kept and wait; at ``until`` it goes on by itself.

        ``until``: in seconds since 1970 by the ledger's clock; or after so many seconds.
        """
        who.check(Right.PAUSE, site_id)
        now = self._admin.questions.now()
        if seconds is not None:
            until = now + seconds
        _refuse_odd_time(until, now)
        self._refuse_removed(site_id)
        self._admin.sites.set_state(site_id, SiteState.PAUSED, who.name, why[:MAX_WHY], until=until)
        sentence = said(
            "Site %(site)s is paused until somebody resumes it. What comes meanwhile is kept and"
            " waits.",
            site=site_id,
        )
        if until is not None:
            sentence = said(
                "Site %(site)s is paused until %(at)s. What comes meanwhile is kept and waits.",
                site=site_id,
                at=at(until, now),
            )
        return Rested(site_id, SiteState.PAUSED, until, 0, sentence)

    def resume(self, who: Who, site_id: int, why: str = "") -> Rested:
        """It goes on as before the pause; what had waited is on its way.

        One that was recovering when it was paused recovers on; resuming that ends the recovery.
        """
        who.check(Right.PAUSE, site_id)
        pause, goal = self._pauses.of(site_id), SiteState.ACTIVE
        was = self._admin.sites.find(str(site_id)).state
        if who.role is Role.OWNER and was in WORDS_OF_OTHERS:
            raise Misconfigured(
                said(
                    "the site is %(what)s: whoever runs this installation ends that",
                    what=WORDS_OF_OTHERS[was],
                )
            )
        if was is SiteState.PAUSED and pause is not None:
            goal = pause.state_before
        released = self._admin.sites.set_state(site_id, goal, who.name, why[:MAX_WHY])
        now = self._admin.sites.find(str(site_id)).state
        told = [said("Site %(site)s goes on.", site=site_id)]
        if now is not SiteState.ACTIVE:
            told = [said("Site %(site)s goes on, in recovery: nothing is deleted.", site=site_id)]
        if released:
            told.append(
                said_many(
                    "1 delivery is on the way that had waited.",
                    "%(num)s deliveries are on the way that had waited.",
                    len(released),
                )
            )
        return Rested(site_id, now, None, len(released), joined(" ", told))

    def _refuse_removed(self, site_id: int) -> None:
        if self._admin.sites.find(str(site_id)).state is SiteState.REMOVED:
            raise Misconfigured(
                said(
                    "site %(site)s is removed: nothing of it crosses, so there is nothing to pause",
                    site=site_id,
                )
            )


def _refuse_odd_time(until: float | None, now: float) -> None:
    if until is None:
        return
    if until <= now:
        raise Misconfigured(
            said(
                "a pause until %(at)s is over already: name a time to come, in UTC",
                at=at(until, now),
            )
        )
    if until > now + MAX_PAUSE_SECONDS:
        raise Misconfigured(said("a pause is a year at most; without a time it has no end"))
