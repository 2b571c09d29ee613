"""When a process that has ended is started again: at once, or ever later if it ends each time."""

from __future__ import annotations

import time
from collections.abc import Callable

EARLY_SECONDS = 10.0  # a process that ends sooner than this after its start is not just unlucky
MAX_EARLY_ENDS = 3
LONGEST_PAUSE_SECONDS = 60.0


class Restarts:
    """The starts and ends of one process. ``clock``: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started_at = clock()
        self._early_ends = 0
        self._has_worked = False
        self._due_at: float | None = None

    def note_start(self) -> None:
        self._started_at, self._due_at = self._clock(), None

    def note_end(self) -> float | None:
        """The pause before its next start, in seconds; ``None``: its end is known already."""
        if self._due_at is not None:
            return None
        lived = self._clock() - self._started_at
        is_early = lived < EARLY_SECONDS
        self._has_worked |= not is_early
        self._early_ends = self._early_ends + 1 if is_early else 0
        pause = 0.0
        if self._early_ends > 1:
            pause = min(2.0 ** (self._early_ends - 1), LONGEST_PAUSE_SECONDS)
        self._due_at = self._clock() + pause
        return pause

    @property
    def is_due(self) -> bool:
        """Whether it has ended, and its pause is over."""
        return self._due_at is not None and self._clock() >= self._due_at

    @property
    def is_hopeless(self) -> bool:
        """Whether it has ended at each start, and never worked: nothing of it is worth a wait."""
        return not self._has_worked and self._early_ends >= MAX_EARLY_ENDS
