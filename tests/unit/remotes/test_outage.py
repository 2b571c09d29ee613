"""A remote that hangs is left alone, on a clock of the test's."""

from __future__ import annotations

import pytest

from sync_worker.core.errors import Away
from sync_worker.remotes.http.outage import MAX_SILENT, OPEN_SECONDS, SLOW_SECONDS, Outage

HANGS = 8.0


class Hands:
    """The clock of these tests."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def outage(clock: Hands) -> Outage:
    return Outage(6, clock)


def hang(outage: Outage, clock: Hands, count: int = 1) -> None:
    tickets = [outage.begin() for _ in range(count)]
    clock.now += HANGS
    for ticket in tickets:
        outage.end(ticket, answered=False)


def test_it_tells_when_it_shuts_and_when_an_answer_opens_it_again(clock: Hands) -> None:
    told: list[bool] = []
    outage = Outage(6, clock, told.append)
    hang(outage, clock, MAX_SILENT)
    clock.now += OPEN_SECONDS
    outage.end(outage.begin(), answered=True)
    outage.end(outage.begin(), answered=True)
    assert told == [True, False]


def test_three_calls_that_hang_shut_the_remote_off_and_a_wait_is_named(
    outage: Outage, clock: Hands
) -> None:
    hang(outage, clock, MAX_SILENT - 1)
    outage.check()
    hang(outage, clock)
    with pytest.raises(Away) as refusal:
        outage.begin()
    assert refusal.value.retry_after is not None
    assert 0 < refusal.value.retry_after <= 2 * OPEN_SECONDS


def test_one_call_in_five_seconds_asks_whether_it_is_back(outage: Outage, clock: Hands) -> None:
    hang(outage, clock, MAX_SILENT)
    clock.now += OPEN_SECONDS
    probe = outage.begin()
    with pytest.raises(Away):
        outage.begin()
    clock.now += OPEN_SECONDS  # the probe hangs too: another one
    outage.begin()
    with pytest.raises(Away):
        outage.begin()
    outage.end(probe, answered=True)
    outage.begin()


def test_failures_at_once_are_no_outage(outage: Outage) -> None:
    for _ in range(20):
        outage.end(outage.begin(), answered=False)
    outage.begin()


def test_any_answer_in_between_is_a_sign_of_life(outage: Outage, clock: Hands) -> None:
    for _ in range(10):
        hang(outage, clock, MAX_SILENT - 1)
        outage.end(outage.begin(), answered=True)
    outage.begin()


def test_slow_calls_take_no_more_than_their_share_of_the_slots(
    outage: Outage, clock: Hands
) -> None:
    tickets = [outage.begin() for _ in range(6)]
    outage.begin()  # none of them is slow yet
    clock.now += SLOW_SECONDS
    with pytest.raises(Away):
        outage.begin()
    outage.end(tickets[0], answered=True)
    outage.end(tickets[1], answered=True)
    outage.begin()
