"""The pace of a check that asks a live system on its own."""

from __future__ import annotations

import pytest

from sync_worker.core.errors import RateLimited
from sync_worker.doctor.live.pace import MAX_WAIT_SECONDS, OwnPace, Patience


class Clock:
    now = 100.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


def test_calls_keep_the_pace_of_the_manifest() -> None:
    clock = Clock()
    pace = OwnPace(2, 10, clock.sleep, clock.monotonic)
    times = []
    for _ in range(5):
        pace.take()
        times.append(clock.now - 100)
    assert times == [0, 0, 10, 10, 20]


def test_wish_of_the_system_is_kept() -> None:
    clock = Clock()
    pace = OwnPace(9, 1, clock.sleep, clock.monotonic)
    pace.penalise(7)
    pace.take()
    assert clock.now == 107


def test_patience_ends() -> None:
    waited: list[float] = []
    wait = Patience(waited.append)
    wait(MAX_WAIT_SECONDS - 1)
    with pytest.raises(RateLimited):
        wait(2)
    assert waited == [MAX_WAIT_SECONDS - 1]
