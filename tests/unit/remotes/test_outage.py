"""A remote that hangs is left alone, on a clock of the test's."""

from __future__ import annotations

import pytest

from sync_worker.core.errors import Away
from sync_worker.remotes.http.outage import (
    MAX_SILENT,
    OPEN_SECONDS,
    SLOW_SECONDS,
    TOGETHER_SECONDS,
    HostOutage,
    Outage,
)

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


@pytest.fixture
def host(clock: Hands) -> HostOutage:
    return HostOutage(6, clock)


def of_account(host: HostOutage, name: str) -> Outage:
    return Outage(6, account=name, host=host)


def hang_together(host: HostOutage, clock: Hands, *names: str) -> None:
    """One call of each account."""
    calls = [(outage := of_account(host, name), outage.begin()) for name in names]
    clock.now += HANGS
    for outage, ticket in calls:
        outage.end(ticket, answered=False)


def test_account_that_hangs_shuts_no_other_account_of_its_host(
    host: HostOutage, clock: Hands
) -> None:
    one, two = of_account(host, "one"), of_account(host, "two")
    hang(one, clock, 6)
    with pytest.raises(Away):
        one.check()
    two.end(two.begin(), answered=True)


def test_host_is_left_alone_once_three_accounts_found_it_silent(
    host: HostOutage, clock: Hands
) -> None:
    hang_together(host, clock, "one", "two")
    of_account(host, "four").check()
    hang_together(host, clock, "three")
    with pytest.raises(Away):
        of_account(host, "four").begin()


def test_answer_to_any_account_lets_all_of_the_host_call_again(
    host: HostOutage, clock: Hands
) -> None:
    hang_together(host, clock, "one", "two", "three")
    clock.now += OPEN_SECONDS
    four, five = of_account(host, "four"), of_account(host, "five")
    tries = four.begin()
    with pytest.raises(Away):
        five.begin()
    four.end(tries, answered=True)
    five.begin()
    of_account(host, "one").begin()


def test_host_that_stays_silent_costs_one_call_in_five_seconds(
    host: HostOutage, clock: Hands
) -> None:
    hang_together(host, clock, *map(str, range(3)))
    began = 0
    for number in range(3, 1003):
        try:
            hang_together(host, clock, f"later-{number}")
            began += 1
            clock.now -= HANGS
        except Away:
            pass
        clock.now += 0.1
    assert began <= 100 / OPEN_SECONDS + 1
    assert len(host.silent) <= TOGETHER_SECONDS / OPEN_SECONDS + 3


def test_account_that_was_not_silent_tries_first(host: HostOutage, clock: Hands) -> None:
    """The others' silence is known; where they are alone they try a little later."""
    hang_together(host, clock, "one", "two", "three")
    clock.now += OPEN_SECONDS
    with pytest.raises(Away):
        of_account(host, "one").check()
    of_account(host, "four").check()
    clock.now += OPEN_SECONDS
    of_account(host, "one").check()


def test_silences_that_lie_long_apart_shut_no_host(host: HostOutage, clock: Hands) -> None:
    for number in range(9):
        hang_together(host, clock, f"account-{number}")
        clock.now += TOGETHER_SECONDS / 2
    of_account(host, "well").begin()


def test_slow_calls_of_many_accounts_leave_a_quarter_of_the_slots(
    host: HostOutage, clock: Hands
) -> None:
    for number in range(6):
        of_account(host, f"account-{number}").begin()
    clock.now += SLOW_SECONDS
    with pytest.raises(Away):
        of_account(host, "well").begin()


def test_host_tells_when_it_is_shut_and_when_it_is_open(clock: Hands) -> None:
    told: list[bool] = []
    host = HostOutage(6, clock, told.append)
    hang_together(host, clock, "one", "two", "three")
    clock.now += OPEN_SECONDS
    four = of_account(host, "four")
    four.end(four.begin(), answered=True)
    assert told == [True, False]
