"""How often each token may ask: so many times a minute, some of them at once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from threading import Lock

MINUTE = 60.0
MAX_KNOWN = 10_000  # names that are kept


def nobody_shares(name: str) -> int | None:
    """There is nothing in which processes count together."""
    return None


class Limits:
    """``shared``: counts for all processes of the console; ``None`` where it cannot just now.

    Then each process counts for itself, so that Redis is needed by nobody.
    """

    def __init__(
        self,
        per_minute: int,
        clock: Callable[[], float] = time.monotonic,
        shared: Callable[[str], int | None] = nobody_shares,
    ) -> None:
        self._most, self._clock, self._shared = float(per_minute), clock, shared
        self._turn = Lock()
        self._left: dict[str, tuple[float, float]] = {}

    def seconds_until_free(self, name: str) -> int:
        """0: it may ask, and has; else after so many seconds."""
        together = self._shared(name)
        return self._of_this_process(name) if together is None else together

    def _of_this_process(self, name: str) -> int:
        with self._turn:
            now = self._clock()
            left, since = self._left.get(name, (self._most, now))
            left = min(self._most, left + (now - since) * self._most / MINUTE)
            if left < 1:
                return math.ceil((1 - left) * MINUTE / self._most)
            if len(self._left) >= MAX_KNOWN:
                self._forget_rested(now)
            self._left[name] = (left - 1, now)
            return 0

    def _forget_rested(self, now: float) -> None:
        """Who has not asked for a minute may ask as often as anybody new."""
        self._left = {name: known for name, known in self._left.items() if now - known[1] < MINUTE}
