"""A circuit breaker: a dead server costs one time-out, not one for each caller."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

OPEN_SECONDS = 5.0


class Breaker:
    """Lets calls pass while the server answers.

    Closed: calls pass. Open: none for some seconds after a failure. Then a single call may try
    (half open).

    Shared by threads. ``clock`` gives monotonic seconds; ``observe`` is told whether it is open.
    Every admitted call reports how it went; one that never does (its thread was killed) lets the
    next try pass after the same seconds.
    """

    def __init__(
        self,
        open_seconds: float = OPEN_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        observe: Callable[[bool], None] = lambda is_open: None,
    ) -> None:
        self._open_seconds, self._clock, self._observe = open_seconds, clock, observe
        self._closed_from: float | None = None  # None: closed
        self._turn = threading.Lock()

    def admits(self) -> bool:
        """Whether this call may pass; when half open, the first caller alone."""
        with self._turn:
            if self._closed_from is None:
                return True
            if self._clock() < self._closed_from:
                return False
            # Half open: this call tries, the others wait for its report.
            self._closed_from = self._clock() + self._open_seconds
            return True

    def report(self, *, success: bool) -> None:
        """How an admitted call went."""
        with self._turn:
            if success != (self._closed_from is None):
                self._observe(not success)
            self._closed_from = None if success else self._clock() + self._open_seconds


class AlwaysOpen(Breaker):
    """For where no server is meant to be: no call passes."""

    def admits(self) -> bool:
        return False
