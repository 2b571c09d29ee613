"""When one call is tried again: few times, within its own deadline.

What needs longer than that waits in SQL, as the delivery's next attempt.
"""

from __future__ import annotations

import random
import time
from functools import partial

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from sync_worker.core.errors import Transient
from sync_worker.remotes.http.connection import CallDeadline


class TryAgain(Exception):
    """A failed try that may be repeated; ``error`` is the caller's if no further try helps."""

    def __init__(self, error: Transient) -> None:
        super().__init__(str(error))
        self.error = error


def tries(most: int, deadline: CallDeadline) -> Retrying:
    """The tries of one call: those after a TryAgain, at most ``most``."""
    return Retrying(
        stop=stop_after_attempt(most),
        retry=retry_if_exception_type(TryAgain),
        wait=partial(_pause_seconds, deadline=deadline),
        sleep=time.sleep,
        reraise=True,
    )


def _pause_seconds(state: RetryCallState, deadline: CallDeadline) -> float:
    """The remote's wish, else a jittered pause; never beyond the deadline of the call."""
    error = state.outcome.exception() if state.outcome else None
    pause = error.error.retry_after if isinstance(error, TryAgain) else None
    if pause is None:
        jitter = random.uniform(0.05, 0.2)  # noqa: S311 - jitter spreads load; nothing to guess
        pause = jitter * 2**state.attempt_number
    try:
        return min(pause, deadline.remaining())
    except TimeoutError:
        # No time is left: the next try finds that out without a pause.
        return 0.0
