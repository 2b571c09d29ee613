"""When one call is tried again: few times, within its own deadline.

What needs longer than that waits in SQL, as the delivery's next attempt.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from functools import partial

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from sync_worker.core.errors import SyncError, Transient, UnknownOutcome
from sync_worker.remotes.http.connection import CallDeadline


class TryAgain(Exception):
    """A failed try that may be repeated; ``error`` is the caller's if no further try helps."""

    def __init__(self, error: SyncError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(slots=True)
class CallTries:
    """What the tries of one call come to, taken together.

    A try that may have landed makes the outcome of the whole call unknown. A later try that is
    refused tells only of itself; a later success alone ends the doubt.
    """

    may_have_landed: bool = False

    def verdict(self, error: SyncError) -> SyncError:
        """The error of the call, by that of its newest try."""
        if isinstance(error, UnknownOutcome):
            self.may_have_landed = True
            return error
        if not self.may_have_landed:
            return error
        wait = error.retry_after if isinstance(error, Transient) else None
        return UnknownOutcome(
            "an earlier try may have landed", retry_after=wait, facts=error.facts, later=error
        )


def tries(most: int, deadline: CallDeadline) -> Retrying:
    """The tries of one call: those after a TryAgain, at most ``most``, within its deadline."""
    return Retrying(
        stop=partial(_is_over, most=most, deadline=deadline),
        retry=retry_if_exception_type(TryAgain),
        wait=_pause_seconds,
        sleep=time.sleep,
        reraise=True,
    )


def _pause_seconds(state: RetryCallState) -> float:
    """The remote's wish, else a jittered pause."""
    failure = state.outcome.exception() if state.outcome else None
    error = failure.error if isinstance(failure, TryAgain) else None
    pause = error.retry_after if isinstance(error, Transient) else None
    if pause is None:
        jitter = random.uniform(0.05, 0.2)  # noqa: S311 - jitter spreads load; nothing to guess
        pause = jitter * 2**state.attempt_number
    return pause


def _is_over(state: RetryCallState, most: int, deadline: CallDeadline) -> bool:
    """Whether no further try follows.

    One that begins with the end of the call would only hide what the last one was told.
    """
    if state.attempt_number >= most:
        return True
    return time.monotonic() + state.upcoming_sleep >= deadline.ends_at
