"""Guard, budget and tokens on a real Redis, and what becomes of them without one; fakeredis where time must jump."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import fakeredis
import pytest
from redis import Redis

from sync_worker.adapters.redis import Breaker, LocalBudget, RedisBudget, RedisGuard, RedisTokens
from sync_worker.embedded_redis import free_port
from sync_worker.errors import RateLimited
from sync_worker.model import Side


@pytest.fixture
def dead() -> Redis:
    """A client of a Redis that is not there."""
    return Redis(host="127.0.0.1", port=free_port(), socket_connect_timeout=0.2)


def taken(budget: RedisBudget | LocalBudget, tries: int) -> int:
    count = 0
    for _ in range(tries):
        try:
            budget.take()
        except RateLimited:
            continue
        count += 1
    return count


# -- loop guard


def test_guard_knows_exactly_the_revision_that_our_write_returned(redis: Redis) -> None:
    guard = RedisGuard(redis)
    guard.remember(1, Side.WIX, "rating-1", 4, "intent-1")
    assert guard.recall(1, Side.WIX, "rating-1", 4) == "intent-1"
    assert guard.recall(1, Side.WIX, "rating-1", 5) is None
    assert guard.recall(1, Side.EXTERNAL, "rating-1", 4) is None
    assert guard.recall(2, Side.WIX, "rating-1", 4) is None


def test_guard_remembers_longer_than_wix_redelivers(redis: Redis) -> None:
    RedisGuard(redis).remember(1, Side.WIX, "rating-1", 4, "intent-1")
    (key,) = redis.keys()
    assert redis.ttl(key) > 48 * 3600


def test_guard_without_redis_is_a_miss_and_costs_one_time_out(dead: Redis) -> None:
    guard = RedisGuard(dead)
    guard.remember(1, Side.WIX, "rating-1", 4, "intent-1")
    started = time.monotonic()
    assert [guard.recall(1, Side.WIX, "rating-1", 4) for _ in range(100)] == [None] * 100
    assert time.monotonic() - started < 1


def test_guard_is_as_good_on_fakeredis() -> None:
    guard = RedisGuard(fakeredis.FakeRedis())
    guard.remember(1, Side.WIX, "rating-1", 4, "intent-1")
    assert guard.recall(1, Side.WIX, "rating-1", 4) == "intent-1"


# -- request budget


def test_budget_starts_empty_so_that_a_wiped_redis_never_doubles_the_rate(redis: Redis) -> None:
    budget = RedisBudget(redis, "budget", capacity=8, per_minute=192)
    with pytest.raises(RateLimited) as limited:
        budget.take()
    assert 0 < (limited.value.retry_after or 0) <= 60 / 192 + 0.01


def test_budget_fills_up_to_its_capacity_and_no_further(redis: Redis) -> None:
    budget = RedisBudget(redis, "budget", capacity=8, per_minute=60_000)
    taken(budget, 1)
    time.sleep(0.1)
    assert taken(budget, 9) >= 8  # a thousand a second: the bucket is full again


def test_fleet_shares_one_budget(redis: Redis) -> None:
    """Eight workers ask for three seconds' worth at once: together they get no more than one bucket holds."""
    budgets = [RedisBudget(redis, "budget", capacity=8, per_minute=192) for _ in range(8)]
    taken(budgets[0], 1)
    started = time.monotonic()
    time.sleep(1.0)
    with ThreadPoolExecutor(8) as pool:
        total = sum(pool.map(lambda budget: taken(budget, 20), budgets))
    assert total <= (time.monotonic() - started) * 192 / 60 + 1


def test_pause_that_a_remote_asked_for_holds_for_the_fleet(redis: Redis) -> None:
    one, other = (RedisBudget(redis, "budget", capacity=8, per_minute=60_000) for _ in range(2))
    taken(one, 1)
    time.sleep(0.05)
    assert taken(other, 1) == 1
    one.penalise(30)
    with pytest.raises(RateLimited) as limited:
        other.take()
    assert 28 < (limited.value.retry_after or 0) <= 30


def test_without_redis_each_process_takes_its_share(dead: Redis) -> None:
    now = [0.0]
    budget = RedisBudget(
        dead, "budget", capacity=8, per_minute=240, processes=4, breaker=Breaker(seconds=9e9), clock=lambda: now[0]
    )
    assert taken(budget, 5) == 0
    now[0] += 10
    assert taken(budget, 50) == 2  # its share of the capacity
    now[0] += 1
    assert taken(budget, 50) == 1  # and of the rate: one a second


# -- tokens


def test_token_is_kept_until_it_ends_and_one_worker_refreshes_it(redis: Redis) -> None:
    tokens = RedisTokens(redis)
    tokens.put("site", "secret", 100)
    assert RedisTokens(redis).get("site") == "secret"
    assert [tokens.claim("site", 10), tokens.claim("site", 10)] == [True, False]
    tokens.drop("site")
    assert tokens.get("site") is None


def test_without_redis_everybody_refreshes_for_himself(dead: Redis) -> None:
    tokens = RedisTokens(dead)
    tokens.put("site", "secret", 100)
    assert tokens.get("site") is None
    assert tokens.claim("site", 10)
