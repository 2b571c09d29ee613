"""The request budget over virtual minutes: never exceeded, used to 95 %, and webhooks before
sweeps.

The real script runs on a real Redis; only ``TIME`` is answered by the test, from arguments behind
the script's own.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from redis import Redis

from sync_worker.core.errors import RateLimited
from sync_worker.redis.budget import LocalBudget, RedisBudget
from sync_worker.redis.circuit_breaker import Breaker
from sync_worker.redis.client import RedisClient, open_redis
from sync_worker.remotes.http.budget import BudgetOfWebhooks, NoBudget
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.runtime.local.free_port import free_port

CAPACITY, PER_MINUTE = 8, 192
VIRTUAL_TIME = """
local server = redis
local redis = {call = function(name, ...)
    if name == 'TIME' then return {ARGV[#ARGV - 1], ARGV[#ARGV]} end
    return server.call(name, ...)
end}
"""


class RedisInVirtualTime(Redis):
    """A real server whose scripts are told the time by us."""

    seconds = 1_000_000.0

    def register_script(self, script: Any) -> Any:
        real = super().register_script(VIRTUAL_TIME + script)

        def run(keys: Sequence[Any], args: Sequence[Any]) -> Any:
            whole = int(self.seconds)
            return real(keys=keys, args=[*args, whole, int((self.seconds - whole) * 1_000_000)])

        return run


@pytest.fixture
def clock(redis: Redis, redis_server: EmbeddedRedis) -> RedisInVirtualTime:
    return RedisInVirtualTime.from_url(redis_server.url)  # type: ignore[return-value]  # typed as its base


def a_budget(clock: RedisInVirtualTime, reserve: float = 0.0) -> RedisBudget:
    return RedisBudget(
        RedisClient(clock), "budget", capacity=CAPACITY, per_minute=PER_MINUTE, reserve=reserve
    )


def wait_of(budget: RedisBudget) -> float:
    """0 if a token was there, else how long to wait for one."""
    try:
        budget.take()
    except RateLimited as limited:
        return max(limited.retry_after or 0.0, 0.001)
    return 0.0


def played(
    clock: RedisInVirtualTime,
    seconds: float,
    callers: Mapping[str, tuple[RedisBudget, Callable[[float], float]]],
) -> list[tuple[float, str]]:
    """When who took a token.

    Each caller: its budget, and when it asks again after a token at a time.
    """
    start = clock.seconds
    due = [(0.0, name) for name in callers]
    taken = []
    while due:
        at, name = heapq.heappop(due)
        if at >= seconds:
            continue
        clock.seconds = start + at
        budget, again = callers[name]
        wait = wait_of(budget)
        if not wait:
            taken.append((at, name))
        heapq.heappush(due, (at + wait if wait else again(at), name))
    return taken


def eager(at: float) -> float:
    return at + 0.001


def most_in(taken: Sequence[tuple[float, str]], seconds: float) -> int:
    """The most tokens in any window of that length."""
    times = [at for at, _ in taken]
    return max(sum(start <= at < start + seconds for at in times) for start in times)


def test_fleet_uses_the_budget_to_95_percent_and_never_exceeds_it(
    clock: RedisInVirtualTime,
) -> None:
    """The fleet never exceeds the budget and uses it to 95 percent over three minutes."""
    taken = played(
        clock, 180.0, {f"worker {number}": (a_budget(clock), eager) for number in range(3)}
    )
    assert 0.95 * 3 * PER_MINUTE <= len(taken) <= 3 * PER_MINUTE
    for seconds in (1.0, 10.0, 60.0):
        assert most_in(taken, seconds) <= CAPACITY + seconds * PER_MINUTE / 60 + 1
    assert most_in(taken, 60.0) <= 200, "what Wix allows"


def test_fleet_that_rested_has_no_more_than_the_bucket_and_the_rate(
    clock: RedisInVirtualTime,
) -> None:
    """A minute's rest saves eight tokens, not 192."""
    wait_of(a_budget(clock))
    clock.seconds += 3600.0
    taken = played(clock, 60.0, {"worker": (a_budget(clock), eager)})
    assert 0.95 * PER_MINUTE <= len(taken) <= CAPACITY + PER_MINUTE + 1


def test_new_bucket_holds_what_nobody_took_since_redis_began(clock: RedisInVirtualTime) -> None:
    """So an account of a new site begins at once. A Redis that was wiped knows of no call and
    starts empty: the rate must not double.
    """

    def of(account: str) -> RedisBudget:
        return RedisBudget(RedisClient(clock), account, capacity=CAPACITY, per_minute=PER_MINUTE)

    assert wait_of(of("first")) > 0
    clock.seconds += 0.5 * CAPACITY * 60 / PER_MINUTE
    assert [wait_of(of("second")) for _ in range(CAPACITY)].count(0.0) == CAPACITY // 2
    clock.seconds += 3600.0
    assert [wait_of(of("third")) for _ in range(CAPACITY + 1)].count(0.0) == CAPACITY
    of("fourth").penalise(30.0)
    assert wait_of(of("fourth")) == pytest.approx(30.0, abs=1.0)
    clock.flushdb()
    assert wait_of(of("third")) > 0


def test_webhooks_find_their_part_of_the_bucket_whatever_sweeps_take(
    clock: RedisInVirtualTime,
) -> None:
    sweeps, webhooks = a_budget(clock, reserve=2.0), a_budget(clock)
    wait_of(webhooks)
    clock.seconds += 60.0
    assert [wait_of(sweeps) for _ in range(7)].count(0.0) == 6
    assert [wait_of(webhooks) for _ in range(3)].count(0.0) == 2
    assert wait_of(sweeps) == pytest.approx(3 / 3.2, abs=0.01), (
        "until its own token is there and the reserve again"
    )


def test_webhooks_hardly_wait_beside_a_sweep_which_gets_what_they_leave(
    clock: RedisInVirtualTime,
) -> None:
    """One webhook each second, and two threads of a sweep that always want more."""
    callers = {"webhook": (a_budget(clock), lambda at: at + 1.0)}
    callers |= {f"sweep {number}": (a_budget(clock, reserve=2.0), eager) for number in range(2)}
    taken = played(clock, 60.0, callers)
    webhooks = sum(name == "webhook" for _, name in taken)
    assert webhooks >= 58, "each within its second"
    assert 0.95 * PER_MINUTE <= len(taken) <= PER_MINUTE


def test_sweeps_rest_while_redis_is_away_and_webhooks_take_their_share() -> None:
    away = RedisClient(
        open_redis(f"redis://127.0.0.1:{free_port()}/0", 0.2), Breaker(open_seconds=9e9)
    )
    now = [0.0]
    shape = {"capacity": 8.0, "per_minute": 240.0, "processes": 4}
    webhooks = RedisBudget(away, "budget", **shape, clock=lambda: now[0])  # type: ignore[arg-type]  # as one dict
    sweeps = RedisBudget(away, "budget", **shape, reserve=2.0, clock=lambda: now[0])  # type: ignore[arg-type]  # too
    taken = 0
    for _ in range(600):
        now[0] += 0.1
        assert wait_of(sweeps) == 5.0
        taken += not wait_of(webhooks)
    assert 58 <= taken <= 61, "a quarter of 240 a minute"


@pytest.mark.parametrize("capacity", [1.0, 2.0, 4.0])
def test_sweep_gets_its_turn_in_the_smallest_bucket(
    clock: RedisInVirtualTime, capacity: float
) -> None:
    """Judge.me's holds one token: what is left to webhooks must not be more than there can be."""
    sweeps = RedisBudget(
        RedisClient(clock), "budget", capacity=capacity, per_minute=60.0, reserve=capacity / 4
    )
    with pytest.raises(RateLimited):
        sweeps.take()
    for _ in range(3):
        clock.seconds += 60.0
        sweeps.take()


# -- work of several calls


def test_work_under_way_gets_its_next_token_and_others_are_refused() -> None:
    """In a bucket of one token, two calls of one thread follow each other."""
    now = [0.0]
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    bucket = LocalBudget(1.0, 60.0, lambda: now[0])
    budget = BudgetOfWebhooks(bucket, wait, lambda: now[0])
    with pytest.raises(RateLimited):
        budget.take()
    now[0] += 1.0
    budget.take()
    budget.take()
    assert waits == [pytest.approx(1.0)]
    with ThreadPoolExecutor(1) as other, pytest.raises(RateLimited):
        other.submit(budget.take).result()
    budget.penalise(60.0)
    with pytest.raises(RateLimited):
        budget.take()
    now[0] += 3600.0
    bucket.take()
    with pytest.raises(RateLimited):
        budget.take()


def test_one_thread_at_a_time_waits_for_its_next_token() -> None:
    """The others leave their slots to other work."""
    is_waiting, may_go_on = Event(), Event()
    tokens = iter([None, None, RateLimited(retry_after=0.1), RateLimited(retry_after=0.1), None])

    class Bucket(NoBudget):
        def take(self) -> None:
            refusal = next(tokens)
            if refusal is not None:
                raise refusal

    def wait(seconds: float) -> None:
        is_waiting.set()
        assert may_go_on.wait(10)

    budget = BudgetOfWebhooks(Bucket(), wait)
    budget.take()
    with ThreadPoolExecutor(1) as first:
        first.submit(budget.take).result()
        # The first refusal lets its call wait; it asks again before it does.
        done = first.submit(budget.take)
        assert is_waiting.wait(10)
        tokens = iter([RateLimited(retry_after=0.1), None])
        with pytest.raises(RateLimited):
            budget.take()
        may_go_on.set()
        done.result()
