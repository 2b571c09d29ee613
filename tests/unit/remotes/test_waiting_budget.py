"""Threads that wait for the request budget of one remote."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from sync_worker.core.errors import RateLimited
from sync_worker.remotes.http.budget import WaitingBudget


@dataclass
class Bucket:
    """Implements Budget: empty until somebody has waited; it notes who had a token."""

    tokens: int = 0
    had: list[str] = field(default_factory=list)

    def take(self) -> None:
        if not self.tokens:
            raise RateLimited(retry_after=1.2)
        self.tokens -= 1
        self.had.append(threading.current_thread().name)

    def penalise(self, seconds: float) -> None:
        raise AssertionError


def test_token_goes_to_who_came_first() -> None:
    """Who came later asks just as the bucket has one again, and must not go before."""
    bucket, later = Bucket(), threading.Thread(name="later", target=lambda: budget.take())

    def wait(seconds: float) -> None:
        bucket.tokens += 1
        if not later.ident:
            later.start()
            later.join(0.2)

    budget = WaitingBudget(bucket, wait)
    first = threading.Thread(name="first", target=budget.take)
    first.start()
    first.join()
    later.join()
    assert bucket.had == ["first", "later"]


def test_stopped_wait_leaves_the_turn_to_the_next() -> None:
    bucket = Bucket()

    def stop(seconds: float) -> None:
        raise KeyboardInterrupt

    budget = WaitingBudget(bucket, stop)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            budget.take()
    bucket.tokens = 1
    budget.take()
    assert len(bucket.had) == 1
