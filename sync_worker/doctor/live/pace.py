"""How fast a check asks a live system, and how long it waits for its turn."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from sync_worker.core.errors import RateLimited
from sync_worker.manifest.manifest import Manifest

MAX_WAIT_SECONDS = 10.0  # of one check of the doctor, in all


class OwnPace:
    """Implements Budget for a command on its own: ``requests`` in ``per_seconds``, else it waits.

    ``sleep`` and ``monotonic``: the caller's clock, in seconds.
    """

    def __init__(
        self,
        requests: int,
        per_seconds: float,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_seconds, self._sleep, self._monotonic = per_seconds, sleep, monotonic
        self._taken: deque[float] = deque(maxlen=max(1, requests))
        self._not_before = 0.0

    def take(self) -> None:
        now, free_at = self._monotonic(), self._not_before
        if len(self._taken) == self._taken.maxlen:
            free_at = max(free_at, self._taken[0] + self._per_seconds)
        if free_at > now:
            self._sleep(free_at - now)
        self._taken.append(self._monotonic())

    def penalise(self, seconds: float) -> None:
        self._not_before = self._monotonic() + seconds


def pace_of(manifest: Manifest) -> OwnPace:
    """The pace that a manifest declares."""
    at_once = max(1, int(manifest.http.budget.requests))
    return OwnPace(at_once, at_once * 60 / manifest.http.budget.per_minute)


class Patience:
    """A wait for the fleet's budget that ends: a check must not stand in line for ever."""

    def __init__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep, self._left = sleep, MAX_WAIT_SECONDS

    def __call__(self, seconds: float) -> None:
        """Raises RateLimited."""
        if seconds > self._left:
            raise RateLimited("the request budget is used up for now", retry_after=seconds)
        self._left -= seconds
        self._sleep(seconds)
