"""The request budget as the client sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sync_worker.core.errors import RateLimited

Wait = Callable[[float], None]

PAUSE_SECONDS = 0.25  # where a refusal does not say for how long
MAX_WAIT_SECONDS = 30.0  # of one call for its token; who asks for longer says no


class Budget(Protocol):
    """The request budget of one remote account, shared by the fleet."""

    def take(self) -> None:
        """One token. Raises RateLimited with the seconds to wait."""

    def penalise(self, seconds: float) -> None:
        """The remote said 429: nobody of the fleet asks for this long."""


class NoBudget:
    """Implements Budget for calls that do not count."""

    def take(self) -> None:
        return

    def penalise(self, seconds: float) -> None:
        return


class WaitingBudget:
    """Implements Budget over another for those who can wait: a call gets its token in the end.

    Without it work of several calls may never end: it begins anew with each refusal, and somebody
    else has its tokens meanwhile. ``wait`` waits so many seconds, and may raise to stop.
    """

    def __init__(self, budget: Budget, wait: Wait) -> None:
        self._budget, self._wait = budget, wait

    def take(self) -> None:
        """Raises RateLimited where it would take longer than half a minute."""
        waited = 0.0
        while True:
            try:
                return self._budget.take()
            except RateLimited as refusal:
                seconds = refusal.retry_after or PAUSE_SECONDS
                waited += seconds
                if waited > MAX_WAIT_SECONDS:
                    raise
                self._wait(seconds)

    def penalise(self, seconds: float) -> None:
        self._budget.penalise(seconds)
