"""The request budget as the client sees it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from sync_worker.core.errors import RateLimited

Wait = Callable[[float], None]

PAUSE_SECONDS = 0.25  # where a refusal does not say for how long
MAX_WAIT_SECONDS = 30.0  # of one call for its token; who asks for longer says no
# With the deadline of a call, 8 s, still within the lease of 15 s that is renewed before it.
NEXT_CALL_SECONDS = 5.0
UNDER_WAY_SECONDS = 10.0  # since the last token: a call at its deadline lies in between


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

    def __init__(self, budget: Budget, wait: Wait, max_seconds: float = MAX_WAIT_SECONDS) -> None:
        self._budget, self._wait, self._max_seconds = budget, wait, max_seconds

    def take(self) -> None:
        """Raises RateLimited where it would take longer than ``max_seconds``."""
        waited = 0.0
        while True:
            try:
                return self._budget.take()
            except RateLimited as refusal:
                seconds = refusal.retry_after or PAUSE_SECONDS
                waited += seconds
                if waited > self._max_seconds:
                    raise
                self._wait(seconds)

    def penalise(self, seconds: float) -> None:
        self._budget.penalise(seconds)


class BudgetOfWebhooks:
    """Implements Budget over another for those who do not wait, but for work that is under way.

    Who had a token a moment ago waits some seconds for the next one, a thread at a time; the others
    are refused at once, and come again later. Else work of two calls never ends where the bucket
    holds one token: each attempt spends it on the first call.
    """

    def __init__(
        self, budget: Budget, wait: Wait = time.sleep, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._budget, self._clock = budget, clock
        self._next = WaitingBudget(budget, wait, NEXT_CALL_SECONDS)
        self._mine, self._turn = threading.local(), threading.Lock()

    def take(self) -> None:
        """One token. Raises RateLimited with the seconds to wait."""
        try:
            self._budget.take()
        except RateLimited:
            if not self._is_under_way() or not self._turn.acquire(blocking=False):
                raise
            try:
                self._next.take()
            finally:
                self._turn.release()
        self._mine.had_one_at = self._clock()

    def _is_under_way(self) -> bool:
        had_one_at: float | None = getattr(self._mine, "had_one_at", None)
        return had_one_at is not None and self._clock() - had_one_at < UNDER_WAY_SECONDS

    def penalise(self, seconds: float) -> None:
        self._budget.penalise(seconds)
