"""Waiting for what a system shows or tells, on the caller's clock."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from sync_worker.core.errors import Transient

POLL_SECONDS = 0.5
QUIET_SECONDS = 1.5  # no event for so long: those of the last write have come
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Watch:
    """``wait_seconds``: how long a wait may take."""

    sleep: Callable[[float], None]
    monotonic: Callable[[], float]
    wait_seconds: float

    def until(self, look: Callable[[], T]) -> T | None:
        """The first answer that is not empty, within the time; ``None``: there was none."""
        until = self.monotonic() + self.wait_seconds
        while True:
            with suppress(Transient):
                if found := look():
                    return found
            if self.monotonic() > until:
                return None
            self.sleep(POLL_SECONDS)

    def count_when_quiet(self, count_now: Callable[[], int]) -> int:
        """A count of events that has not changed for a while, or what it is when the time is up."""
        quiet_since = self.monotonic()
        until = quiet_since + self.wait_seconds
        count = count_now()
        while self.monotonic() < min(until, quiet_since + QUIET_SECONDS):
            self.sleep(POLL_SECONDS / 2)
            if (now := count_now()) != count:
                count, quiet_since = now, self.monotonic()
        return count
