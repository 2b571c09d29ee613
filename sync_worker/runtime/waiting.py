"""Waits for commands: a call that the budget or the remote refuses for now is made again, up to a
limit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sync_worker.core.errors import LeaseLost, RateLimited, Transient

T = TypeVar("T")

TRIES = 6
SHORT_SECONDS = 5.0
FIRST_SECONDS = 0.5
LEAST_SECONDS = 0.02


def patiently(call: Callable[[], T], sleep: Callable[[float], None]) -> T:
    """The call's answer.

    The budget and another worker's lease are waited for as long as it takes (a lease ends by
    itself); any other failure that may pass, six times, 0.5 s doubling or as long as the remote
    asks. Raises the last Transient.
    """
    failures = 0
    while True:
        try:
            return call()
        except (RateLimited, LeaseLost) as wait:
            sleep(
                max(
                    LEAST_SECONDS,
                    wait.retry_after if wait.retry_after is not None else FIRST_SECONDS,
                )
            )
        except Transient as failure:
            failures += 1
            if failures >= TRIES:
                raise
            pause = (
                failure.retry_after
                if failure.retry_after is not None
                else FIRST_SECONDS * 2.0 ** (failures - 1)
            )
            sleep(max(LEAST_SECONDS, pause))


def shortly(call: Callable[[], T], sleep: Callable[[float], None]) -> T:
    """The call's answer, where a person looks on: the budget is waited for, for at most five
    seconds in all.
    """
    waited = 0.0
    while True:
        try:
            return call()
        except RateLimited as wait:
            pause = max(
                LEAST_SECONDS, wait.retry_after if wait.retry_after is not None else FIRST_SECONDS
            )
            waited += pause
            if waited > SHORT_SECONDS:
                raise
            sleep(pause)
