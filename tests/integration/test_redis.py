"""Guard, budget and tokens on a real Redis, and what becomes of them without one; fakeredis where
time must jump.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import fakeredis
import pytest
from redis import Redis

from sync_worker.core.errors import RateLimited
from sync_worker.core.values import Side
from sync_worker.redis.budget import LocalBudget, RedisBudget
from sync_worker.redis.circuit_breaker import Breaker
from sync_worker.redis.client import RedisAway, RedisClient, open_redis
from sync_worker.redis.encryption import Seal
from sync_worker.redis.loop_guard import RedisGuard
from sync_worker.redis.tokens import RedisTokens
from sync_worker.runtime.local.free_port import free_port

SEAL = Seal("app-secret")


@pytest.fixture
def client(redis: Redis) -> RedisClient:
    return RedisClient(redis)


@pytest.fixture
def dead_client() -> RedisClient:
    """Asks a Redis that is not there, once."""
    return RedisClient(
        open_redis(f"redis://127.0.0.1:{free_port()}/0", 0.2), Breaker(open_seconds=9e9)
    )


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


def test_guard_knows_exactly_the_revision_that_our_write_returned(client: RedisClient) -> None:
    guard = RedisGuard(client)
    guard.remember(1, Side.WIX, "rating-1", 4, "intent-1")
    assert guard.recall(1, Side.WIX, "rating-1", 4) == "intent-1"
    assert guard.recall(1, Side.WIX, "rating-1", 5) is None
    assert guard.recall(1, Side.EXTERNAL, "rating-1", 4) is None
    assert guard.recall(2, Side.WIX, "rating-1", 4) is None


def test_guard_remembers_longer_than_wix_redelivers(redis: Redis) -> None:
    RedisGuard(RedisClient(redis)).remember(1, Side.WIX, "rating-1", 4, "intent-1")
    (key,) = redis.keys()
    assert redis.ttl(key) > 48 * 3600


def test_guard_without_redis_is_a_miss(dead_client: RedisClient) -> None:
    guard = RedisGuard(dead_client)
    guard.remember(1, Side.WIX, "rating-1", 4, "intent-1")
    assert guard.recall(1, Side.WIX, "rating-1", 4) is None


def test_dead_redis_is_asked_once_and_then_left_alone_until_its_time(
    dead_client: RedisClient,
) -> None:
    asked, now = [], [0.0]

    def question() -> None:
        asked.append(now[0])
        dead_client.redis.ping()

    client = RedisClient(dead_client.redis, Breaker(open_seconds=5, clock=lambda: now[0]))
    for seconds in (0.0, 0.1, 4.9, 5.0, 5.1, 9.9, 10.0):
        now[0] = seconds
        with pytest.raises(RedisAway):
            client.ask(question)
    assert asked == [0.0, 5.0, 10.0]


def test_breaker_tells_when_it_opens_and_when_it_closes() -> None:
    told: list[bool] = []
    breaker = Breaker(clock=lambda: 0.0, observe=told.append)
    for success in (True, False, False, True, True):
        breaker.report(success=success)
    assert told == [True, False]


def test_guard_is_as_good_on_fakeredis() -> None:
    guard = RedisGuard(RedisClient(fakeredis.FakeRedis()))
    guard.remember(1, Side.WIX, "rating-1", 4, "intent-1")
    assert guard.recall(1, Side.WIX, "rating-1", 4) == "intent-1"


# -- request budget


def test_budget_starts_empty_so_that_a_wiped_redis_never_doubles_the_rate(
    client: RedisClient,
) -> None:
    budget = RedisBudget(client, "budget", capacity=8, per_minute=192)
    with pytest.raises(RateLimited) as limited:
        budget.take()
    assert 0 < (limited.value.retry_after or 0) <= 60 / 192 + 0.01


def test_budget_fills_up_to_its_capacity_and_no_further(client: RedisClient) -> None:
    budget = RedisBudget(client, "budget", capacity=8, per_minute=60_000)
    taken(budget, 1)
    time.sleep(0.1)
    assert taken(budget, 9) >= 8  # a thousand a second: the bucket is full again


def test_fleet_shares_one_budget(redis: Redis) -> None:
    """Eight workers ask for three seconds' worth at once: together they get no more than one bucket
    holds.
    """
    budgets = [
        RedisBudget(RedisClient(redis), "budget", capacity=8, per_minute=192) for _ in range(8)
    ]
    taken(budgets[0], 1)
    started = time.monotonic()
    time.sleep(1.0)
    with ThreadPoolExecutor(8) as pool:
        total = sum(pool.map(lambda budget: taken(budget, 20), budgets))
    assert total <= (time.monotonic() - started) * 192 / 60 + 1


def test_pause_that_a_remote_asked_for_holds_for_the_fleet(redis: Redis) -> None:
    one, other = (
        RedisBudget(RedisClient(redis), "budget", capacity=8, per_minute=60_000) for _ in range(2)
    )
    taken(one, 1)
    time.sleep(0.05)
    assert taken(other, 1) == 1
    one.penalise(30)
    with pytest.raises(RateLimited) as limited:
        other.take()
    assert 28 < (limited.value.retry_after or 0) <= 30


def test_without_redis_each_process_takes_its_share(dead_client: RedisClient) -> None:
    now = [0.0]
    budget = RedisBudget(
        dead_client, "budget", capacity=8, per_minute=240, processes=4, clock=lambda: now[0]
    )
    assert taken(budget, 5) == 0
    now[0] += 10
    assert taken(budget, 50) == 2  # its share of the capacity
    now[0] += 1
    assert taken(budget, 50) == 1  # and of the rate: one a second


# -- tokens


def test_token_is_kept_until_it_ends_and_one_worker_refreshes_it(redis: Redis) -> None:
    tokens = RedisTokens(RedisClient(redis), SEAL)
    tokens.put("site", "secret", 100)
    assert RedisTokens(RedisClient(redis), SEAL).get("site") == "secret"
    assert [tokens.claim("site", 10), tokens.claim("site", 10)] == [True, False]
    tokens.drop("site")
    assert tokens.get("site") is None


def test_token_in_redis_is_readable_only_with_the_app_secret(
    redis: Redis,
) -> None:
    """A token in Redis is readable only with the app secret and under its own name."""
    RedisTokens(RedisClient(redis), SEAL).put("site", "canary-token", 100)
    (sealed,) = [redis.get(key) for key in redis.scan_iter()]
    assert b"canary" not in sealed  # type: ignore[operator]  # redis types sync and async answers as one
    assert RedisTokens(RedisClient(redis), Seal("new-app-secret")).get("site") is None
    redis.set("token:other", sealed)  # type: ignore[arg-type]  # as above
    assert RedisTokens(RedisClient(redis), SEAL).get("other") is None
    redis.set("token:site", "planted")
    assert RedisTokens(RedisClient(redis), SEAL).get("site") is None


def test_without_a_secret_a_token_is_its_own_process_s(redis: Redis) -> None:
    tokens = RedisTokens(RedisClient(redis), Seal(""))
    tokens.put("site", "token", 100)
    assert tokens.get("site") == "token"
    assert RedisTokens(RedisClient(redis), Seal("")).get("site") is None


def test_without_redis_everybody_refreshes_for_himself(dead_client: RedisClient) -> None:
    tokens = RedisTokens(dead_client, SEAL)
    tokens.put("site", "secret", 100)
    assert tokens.get("site") is None
    assert tokens.claim("site", 10)


# -- several installations on one server


def test_installations_on_one_server_do_not_see_each_other(redis: Redis) -> None:
    ours, theirs = (RedisClient(redis, prefix=prefix) for prefix in ("ours:", "theirs:"))
    RedisGuard(ours).remember(1, Side.WIX, "rating-1", 4, "intent-1")
    RedisTokens(ours, SEAL).put("site", "secret", 100)
    assert RedisTokens(ours, SEAL).claim("site", 100)
    assert RedisGuard(theirs).recall(1, Side.WIX, "rating-1", 4) is None
    assert RedisTokens(theirs, SEAL).get("site") is None
    assert RedisTokens(theirs, SEAL).claim("site", 100)
    keys: list[bytes] = redis.keys("*")  # type: ignore[assignment]  # as above
    assert [key for key in keys if not key.startswith((b"ours:", b"theirs:"))] == []


def test_process_of_the_release_before_and_a_new_one_share_one_rate(redis: Redis) -> None:
    """The earlier one knows the bucket by its name without the prefix only."""
    earlier = RedisBudget(RedisClient(redis), "budget:x", capacity=8, per_minute=600)
    new = RedisBudget(RedisClient(redis, prefix="ours:"), "budget:x", capacity=8, per_minute=600)
    for budget in (earlier, new):
        taken(budget, 1)  # makes the bucket
    time.sleep(1.0)
    full_at = time.monotonic()
    first = taken(earlier, 20)
    both = first + taken(new, 20)
    assert first >= 7
    # One bucket's worth for the two, and ten more for each second that this took.
    assert both <= 8 + 10 * (time.monotonic() - full_at) + 1
    empty_at = time.monotonic()
    time.sleep(0.5)
    both = taken(new, 10) + taken(earlier, 10)
    assert 4 <= both <= 10 * (time.monotonic() - empty_at) + 2


def test_pause_that_a_new_process_notes_holds_for_the_earlier_one(redis: Redis) -> None:
    earlier = RedisBudget(RedisClient(redis), "budget:x", capacity=8, per_minute=60_000)
    new = RedisBudget(RedisClient(redis, prefix="ours:"), "budget:x", capacity=8, per_minute=60_000)
    new.penalise(60.0)
    with pytest.raises(RateLimited):
        earlier.take()
