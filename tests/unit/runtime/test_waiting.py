"""How commands wait: what for, how often, and how long."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sync_worker.core.errors import LeaseLost, Permanent, RateLimited, Transient
from sync_worker.runtime.waiting import patiently, shortly, wait_for, wait_until


def failing(*errors: Exception) -> Callable[[], str]:
    """A call that raises these, one each time, and answers afterwards."""
    left = list(errors)

    def call() -> str:
        if left:
            raise left.pop(0)
        return "answered"

    return call


def test_patient_call_waits_for_the_budget_as_long_as_it_takes() -> None:
    """A patient call waits for the budget as long as it takes and as it is asked."""
    waits: list[float] = []
    refusals = [RateLimited(retry_after=3.0), LeaseLost(), RateLimited(retry_after=0.0)] * 10
    assert patiently(failing(*refusals), waits.append) == "answered"
    assert waits == [3.0, 0.5, 0.02] * 10


def test_patient_call_tries_six_times_where_the_remote_fails() -> None:
    waits: list[float] = []
    assert patiently(failing(*[Transient()] * 5), waits.append) == "answered"
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0]
    waits.clear()
    with pytest.raises(Transient, match="sixth"):
        patiently(failing(*[Transient(retry_after=7.0)] * 5, Transient("sixth")), waits.append)
    assert waits == [7.0] * 5


def test_waits_for_the_budget_do_not_count_as_tries() -> None:
    errors = [error for _ in range(5) for error in (RateLimited(retry_after=1.0), Transient())]
    waits: list[float] = []
    assert patiently(failing(*errors), waits.append) == "answered"
    assert waits == [1.0, 0.5, 1.0, 1.0, 1.0, 2.0, 1.0, 4.0, 1.0, 8.0]


@pytest.mark.parametrize("wait", [patiently, shortly])
def test_refusal_that_lasts_is_not_waited_for(
    wait: Callable[[Callable[[], str], Callable[[float], None]], str],
) -> None:
    waits: list[float] = []
    with pytest.raises(Permanent):
        wait(failing(Permanent("no")), waits.append)
    assert waits == []


def test_person_who_looks_on_waits_five_seconds_at_most() -> None:
    waits: list[float] = []
    assert shortly(failing(*[RateLimited(retry_after=2.0)] * 2), waits.append) == "answered"
    with pytest.raises(RateLimited):
        shortly(failing(*[RateLimited(retry_after=2.0)] * 3), waits.append)
    with pytest.raises(Transient):
        shortly(failing(Transient()), waits.append)
    assert waits == [2.0] * 4


def test_waiting_ends_with_the_first_answer_or_with_the_time() -> None:
    answers = iter([None, None, 7])
    waits: list[float] = []
    assert wait_for(lambda: next(answers), 60, pause_seconds=0.5, sleep=waits.append) == 7
    assert waits == [0.5, 0.5]
    assert wait_for(lambda: None, 0.0, pause_seconds=0.5, sleep=waits.append) is None
    assert wait_until(lambda: True, 0.0)
    assert not wait_until(lambda: False, 0.0)
