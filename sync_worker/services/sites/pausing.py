"""A site rests, for a while or until somebody resumes it, and goes on."""

from __future__ import annotations

from dataclasses import dataclass

from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import SiteState
from sync_worker.ledger.administration.admin import LedgerAdmin
from sync_worker.ledger.console.pauses import SqlPauses
from sync_worker.services.access.who import Right, Role, Who
from sync_worker.services.trouble import at

MAX_PAUSE_SECONDS = 366 * 86_400.0
MAX_WHY = 256
# An owner did not begin these, and does not know whether they may end.
WORDS_OF_OTHERS = {
    SiteState.RECOVERY: "in recovery, and nothing is deleted on either side meanwhile",
    SiteState.REMOVED: "removed, as the app is not installed on it",
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
        ends = "until somebody resumes it" if until is None else f"until {at(until, now)}"
        sentence = f"Site {site_id} is paused {ends}. What comes meanwhile is kept and waits."
        return Rested(site_id, SiteState.PAUSED, until, 0, sentence)

    def resume(self, who: Who, site_id: int, why: str = "") -> Rested:
        """It goes on as before the pause; what had waited is on its way.

        One that was recovering when it was paused recovers on; resuming that ends the recovery.
        """
        who.check(Right.PAUSE, site_id)
        pause, goal = self._pauses.of(site_id), SiteState.ACTIVE
        was = self._admin.sites.find(str(site_id)).state
        if who.role is Role.OWNER and was not in (SiteState.PAUSED, SiteState.ACTIVE):
            raise Misconfigured(
                f"the site is {WORDS_OF_OTHERS[was]}: whoever runs this installation ends that"
            )
        if was is SiteState.PAUSED and pause is not None:
            goal = pause.state_before
        released = self._admin.sites.set_state(site_id, goal, who.name, why[:MAX_WHY])
        now = self._admin.sites.find(str(site_id)).state
        words = "goes on" if now is SiteState.ACTIVE else "goes on, in recovery: nothing is deleted"
        sentence = f"Site {site_id} {words}."
        if released:
            sentence += f" {_deliveries(len(released))} on the way that had waited."
        return Rested(site_id, now, None, len(released), sentence)

    def _refuse_removed(self, site_id: int) -> None:
        if self._admin.sites.find(str(site_id)).state is SiteState.REMOVED:
            raise Misconfigured(
                f"site {site_id} is removed: nothing of it crosses, so there is nothing to pause"
            )


def _refuse_odd_time(until: float | None, now: float) -> None:
    if until is None:
        return
    if until <= now:
        raise Misconfigured(
            f"a pause until {at(until, now)} is over already: name a time to come, in UTC"
        )
    if until > now + MAX_PAUSE_SECONDS:
        raise Misconfigured("a pause is a year at most; without a time it has no end")


def _deliveries(count: int) -> str:
    return "1 delivery is" if count == 1 else f"{count} deliveries are"
