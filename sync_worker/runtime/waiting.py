"""All waiting of commands and of the single machine, on tenacity.

Whoever waits hands in its ``sleep``: a command can be interrupted in it, and a test need not wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
    wait_fixed,
)
from tenacity.wait import wait_base

from sync_worker.core.errors import LeaseLost, RateLimited, Transient

T = TypeVar("T")
Sleep = Callable[[float], None]

TRIES = 6
SHORT_SECONDS = 5.0
FIRST_SECONDS = 0.5
MIN_SECONDS = 0.02


def patiently(call: Callable[[], T], sleep: Sleep) -> T:
    """The call's answer, however long the budget or another worker's lease is in the way.

    Any other failure that may pass is tried six times, 0.5 s doubling or as long as the remote
    asks. Raises the last Transient.
    """
    # A lease ends by itself, and so does an empty budget: neither counts as a try.
    while_refused = Retrying(
        retry=retry_if_exception_type((RateLimited, LeaseLost)),
        wait=_as_asked_or(wait_fixed(FIRST_SECONDS)),
        sleep=sleep,
        reraise=True,
    )
    while_failing = Retrying(
        retry=retry_if_exception_type(Transient),
        stop=stop_after_attempt(TRIES),
        wait=_as_asked_or(wait_exponential(multiplier=FIRST_SECONDS)),
        sleep=sleep,
        reraise=True,
    )
    return while_failing(lambda: while_refused(call))


def shortly(call: Callable[[], T], sleep: Sleep) -> T:
    """The call's answer where a person looks on: at most five seconds in all for the budget.

    Raises RateLimited.
    """
    while_refused = Retrying(
        retry=retry_if_exception_type(RateLimited),
        stop=_waits_longer_than(SHORT_SECONDS),
        wait=_as_asked_or(wait_fixed(FIRST_SECONDS)),
        sleep=sleep,
        reraise=True,
    )
    return while_refused(call)


def wait_for(
    ask: Callable[[], T | None],
    seconds: float,
    *,
    pause_seconds: float,
    sleep: Sleep = time.sleep,
) -> T | None:
    """The first answer that is not ``None``; ``None`` if none came in time."""
    while_missing = Retrying(
        retry=retry_if_result(lambda answer: answer is None),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(pause_seconds),
        sleep=sleep,
        retry_error_callback=lambda state: None,
    )
    return while_missing(ask)


def wait_until(
    is_so: Callable[[], bool],
    seconds: float,
    *,
    pause_seconds: float = 0.05,
    sleep: Sleep = time.sleep,
) -> bool:
    """Whether it came true in time."""
    answer = wait_for(lambda: is_so() or None, seconds, pause_seconds=pause_seconds, sleep=sleep)
    return answer is not None


def _as_asked_or(pause: wait_base) -> Callable[[RetryCallState], float]:
    """As long as the error asks for; else as long as ``pause`` says."""

    def seconds(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        asked = error.retry_after if isinstance(error, Transient) else None
        return max(MIN_SECONDS, pause(state) if asked is None else asked)

    return seconds


def _waits_longer_than(limit_seconds: float) -> Callable[[RetryCallState], bool]:
    """Whether all waits together, the next one too, would pass the limit."""
    return lambda state: state.idle_for + state.upcoming_sleep > limit_seconds
