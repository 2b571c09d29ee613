"""What one process has in Redis: loop guard, budgets, tokens, and the broker's figures."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property

from sync_worker.config import Settings, cache_url
from sync_worker.redis.account_news import AccountNews
from sync_worker.redis.budget import RedisBudget
from sync_worker.redis.circuit_breaker import AlwaysOpen, Breaker
from sync_worker.redis.client import RedisClient, open_redis
from sync_worker.redis.encryption import Seal
from sync_worker.redis.first_looks import RedisFirstLooks
from sync_worker.redis.loop_guard import RedisGuard
from sync_worker.redis.request_limits import RedisLimits
from sync_worker.redis.tokens import RedisTokens
from sync_worker.remotes.http.budget import Budget
from sync_worker.runtime.local.embedded_redis import running_url
from sync_worker.telemetry.broker_figures import BrokerFigures, broker_figures
from sync_worker.telemetry.figures import QUEUES
from sync_worker.telemetry.metrics import watch_breaker
from sync_worker.wiring.accounts.recent import Recent

REDIS_SECONDS = 0.5
# Of a bucket, left to webhooks by those who can wait.
RESERVED_SHARE = 0.25
MAX_REMOTES = 10_000


class RedisParts:
    """Parts over REDIS_URL; without it over the Redis of ``ratings-sync up`` in this folder.

    ``clock``: of the budgets that this process keeps for itself while there is no Redis.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock = settings, clock
        self._first_looks = Recent[str, RedisFirstLooks](MAX_REMOTES)

    @cached_property
    def cache(self) -> RedisClient:
        """One for all uses of Redis here: what fails for one fails for all."""
        breaker = AlwaysOpen() if self._is_alone else Breaker(observe=watch_breaker("redis"))
        redis = open_redis(self._cache_url, REDIS_SECONDS)
        return RedisClient(redis, breaker, prefix=self._settings.redis_key_prefix)

    @cached_property
    def guard(self) -> RedisGuard:
        return RedisGuard(self.cache)

    @property
    def tokens(self) -> RedisTokens:
        return RedisTokens(self.cache, Seal(self._settings.token_seal))

    @cached_property
    def account_news(self) -> AccountNews:
        """What makes a change of an account known sooner."""
        return AccountNews(self.cache, lambda: open_redis(self._cache_url, REDIS_SECONDS))

    def request_limits(self, per_minute: float) -> RedisLimits:
        """How often each program may ask the console, whichever process it asks."""
        return RedisLimits(self.cache, per_minute)

    def first_looks(self, remote: str) -> RedisFirstLooks:
        """The fleet's first looks at records that a status alone calls gone."""
        known = self._first_looks.get(remote)
        if known is None:
            known = RedisFirstLooks(self.cache, remote)
            self._first_looks.put(remote, known)
        return known

    def budget(self, name: str, capacity: float, per_minute: float, *, is_patient: bool) -> Budget:
        """A token bucket that all processes share.

        ``is_patient``: for sweeps and files, which leave a part of the bucket to webhooks if there
        are any.
        """
        has_webhooks = not self._is_alone
        reserve = capacity * RESERVED_SHARE if is_patient and has_webhooks else 0.0
        return RedisBudget(
            self.cache,
            f"budget:{name}",
            capacity=capacity,
            per_minute=per_minute,
            processes=self._settings.budget_processes,
            reserve=reserve,
            clock=self._clock,
        )

    def broker_figures(self) -> BrokerFigures:
        """The broker's figures of this moment. Raises RedisError, Misconfigured."""
        url = self._own_redis if self._settings.redis_url is None else None
        with open_redis(url or self._settings.broker, REDIS_SECONDS) as redis:
            return broker_figures(redis, QUEUES, self._settings.redis_key_prefix)

    @property
    def _cache_url(self) -> str:
        """The address of the cache; where there is no Redis one where nobody answers.

        A command that runs beside none works without: with a budget of its own and no guard.
        """
        if self._settings.redis_url is not None:
            return self._settings.cache
        if self._own_redis is not None:
            return cache_url(self._own_redis)
        nobody = (self._settings.ratings_sync_home / "redis" / "nobody").absolute()
        return f"unix://{nobody}"

    @cached_property
    def _own_redis(self) -> str | None:
        """The address of the Redis of ``ratings-sync up`` in this folder, if it runs."""
        return running_url(self._settings.ratings_sync_home / "redis")

    @property
    def _is_alone(self) -> bool:
        """No Redis is meant to be there, so no webhook is being worked on either."""
        return self._settings.redis_url is None and self._own_redis is None
