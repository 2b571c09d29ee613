"""Whose turn it is at the doorbell: one source that sends much must not stand before the others.

Each source has its share of a process: what it brings within it goes first, what goes beyond comes
after what others bring, and what no fleet could work on is left to the sweeper, which is fair by
itself.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum, auto

# First, of a source and process. More would let one that floods stand before many that send little;
# less costs nobody anything: while workers have time, what comes after others is taken at once.
SHARE, SHARE_PER_SECOND = 16.0, 1.0
MORE, MORE_PER_SECOND = 2000.0, 200.0  # after others; about as many as a fleet works on
MAX_SOURCES = 10_000  # beyond it the source that was quiet longest is forgotten


class Turn(Enum):
    """When a delivery is rung for."""

    FIRST = auto()
    AFTER_OTHERS = auto()
    LEFT = auto()


class RingShares:
    """The shares of all sources; shared by the threads of a process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # What is left of both shares, and when that was so.
        self._left: OrderedDict[str, tuple[float, float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def turn_of(self, source: str, count: int) -> Turn:
        """When so many new deliveries of a source are rung for."""
        now = self._clock()
        with self._lock:
            share, more, at = self._left.pop(source, (SHARE, MORE, now))
            share = min(SHARE, share + (now - at) * SHARE_PER_SECOND)
            more = min(MORE, more + (now - at) * MORE_PER_SECOND)
            # A full share is enough for any request: a batch may be larger than it.
            if share >= min(count, SHARE):
                turn, share = Turn.FIRST, share - count
            elif more >= min(count, MORE):
                turn, more = Turn.AFTER_OTHERS, more - count
            else:
                turn = Turn.LEFT
            self._left[source] = (share, more, now)
            if len(self._left) > MAX_SOURCES:
                self._left.popitem(last=False)
        return turn

    def __len__(self) -> int:
        return len(self._left)
