"""Redis: faster, never the truth.

Loop guard, request budget and token cache; each works on without it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from sync_worker.core.errors import RateLimited
from sync_worker.core.values import Side
from sync_worker.redis.circuit_breaker import Breaker
from sync_worker.redis.encryption import Seal

GUARD_SECONDS = 72 * 3600  # Wix redelivers for 47 h: celery-and-ingest, section 0

AWAY_SECONDS = 5.0

log = structlog.get_logger(__name__)

# Keys: the bucket. Arguments: capacity, tokens each second, tokens that stay for others. A missing
# key starts empty: a wiped Redis must not double the rate. Returns 0, or the milliseconds until a
# token is there.
TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'paused_until')
local capacity, rate, reserve = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local tokens, at = tonumber(bucket[1]) or 0, tonumber(bucket[2]) or now
local paused_until = tonumber(bucket[3]) or 0
tokens = math.min(capacity, tokens + math.max(0, now - at) * rate)
local wait = math.max(paused_until - now, (1 + reserve - tokens) / rate)
if wait <= 0 then tokens = tokens - 1 end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', tostring(now))
redis.call('EXPIRE', KEYS[1], 604800)
if wait <= 0 then return 0 end
return math.ceil(wait * 1000)
"""
PAUSE = """
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'paused_until', tostring(tonumber(time[1]) + tonumber(ARGV[1])))
redis.call('EXPIRE', KEYS[1], 3600)
return 0
"""


def open_redis(url: str, seconds: float) -> Redis:
    """A client that waits ``seconds`` for an answer and never tries twice: the breaker decides
    about the next try.
    """
    return Redis.from_url(
        url,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        health_check_interval=15,
        retry=Retry(
            NoBackoff(), 0
        ),  # the client's own default: three more tries, which are seconds
    )


class RedisAway(Exception):
    """Redis did not answer, or did not a moment ago."""


class Asking:
    """Questions to a Redis that may be away, through a breaker that all its users share."""

    def __init__(self, redis: Redis, breaker: Breaker | None = None) -> None:
        self.redis, self._breaker = redis, breaker or Breaker()

    def __call__(self, question: Callable[[], Any]) -> Any:
        """The answer. Raises RedisAway."""
        if not self._breaker.admits():
            raise RedisAway
        try:
            answer = question()
        except RedisError as error:
            self._breaker.report(success=False)
            log.warning("redis_away", error=type(error).__name__)
            raise RedisAway from error
        self._breaker.report(success=True)
        return answer


class Nobody(Breaker):
    """For where no Redis is meant to be: nobody is asked."""

    def admits(self) -> bool:
        return False


class RedisGuard:
    """Implements ports.Guard.

    Any failure of Redis is a miss: SQL knows all that the guard knows (rule R0).
    """

    def __init__(self, ask: Asking, *, ttl_seconds: int = GUARD_SECONDS) -> None:
        self._ask, self._redis, self._ttl_seconds = ask, ask.redis, ttl_seconds

    def remember(
        self, site_id: int, side: Side, remote_id: str, revision: int, intent_id: str
    ) -> None:
        key, value = _guard_key(site_id, side, remote_id), f"{revision} {intent_id}"
        with suppress(RedisAway):
            self._ask(lambda: self._redis.set(key, value, ex=self._ttl_seconds))

    def recall(self, site_id: int, side: Side, remote_id: str, revision: int) -> str | None:
        try:
            value = self._ask(lambda: self._redis.get(_guard_key(site_id, side, remote_id)))
        except RedisAway:
            return None
        kept_revision, _, intent_id = _text(value).partition(" ")
        return intent_id if kept_revision == str(revision) else None

    def forget(self, site_id: int, side: Side, remote_id: str) -> None:
        with suppress(RedisAway):
            self._ask(lambda: self._redis.delete(_guard_key(site_id, side, remote_id)))


def _guard_key(site_id: int, side: Side, remote_id: str) -> str:
    return f"guard:{site_id}:{side}:{remote_id}"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else (value or "")


class LocalBudget:
    """A token bucket of this process alone; starts empty."""

    def __init__(
        self, capacity: float, per_minute: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._capacity, self._rate, self._clock = capacity, per_minute / 60.0, clock
        self._tokens, self._at, self._paused_until = 0.0, clock(), 0.0
        self._turn = threading.Lock()

    def take(self) -> None:
        with self._turn:
            now = self._clock()
            self._tokens = min(self._capacity, self._tokens + (now - self._at) * self._rate)
            self._at = now
            wait = max(self._paused_until - now, (1.0 - self._tokens) / self._rate)
            if wait > 0:
                raise RateLimited(retry_after=wait)
            self._tokens -= 1.0

    def penalise(self, seconds: float) -> None:
        with self._turn:
            self._paused_until = max(self._paused_until, self._clock() + seconds)


class RedisBudget:
    """The request budget of one remote account, shared by the fleet; implements
    adapters.http.Budget.

    ``processes``: while Redis is away each process takes this share of the rate for itself.
    ``reserve``: so many tokens stay in the bucket for those who have none to leave; who leaves some
    to others rests while Redis is away.
    """

    def __init__(
        self,
        ask: Asking,
        key: str,
        *,
        capacity: float,
        per_minute: float,
        processes: int = 1,
        reserve: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask, self._key, self._reserve = ask, key, reserve
        self._capacity, self._rate = capacity, per_minute / 60.0
        self._take, self._pause = ask.redis.register_script(TAKE), ask.redis.register_script(PAUSE)
        self._local = LocalBudget(max(1.0, capacity / processes), per_minute / processes, clock)

    def take(self) -> None:
        try:
            wait = self._ask(
                lambda: self._take(
                    keys=[self._key], args=[self._capacity, self._rate, self._reserve]
                )
            )
        except RedisAway:
            if self._reserve:
                raise RateLimited(
                    "sweeps rest while Redis is away", retry_after=AWAY_SECONDS
                ) from None
            self._local.take()
            return
        if int(wait) > 0:
            raise RateLimited(retry_after=int(wait) / 1000.0)

    def penalise(self, seconds: float) -> None:
        self._local.penalise(seconds)
        with suppress(RedisAway):
            self._ask(lambda: self._pause(keys=[self._key], args=[seconds]))


class RedisTokens:
    """Implements adapters.wix_auth.Tokens: one refresher at a time; without Redis each process
    keeps its own.

    Tokens lie in Redis sealed: who reads Redis, or its file, cannot use them.
    """

    def __init__(self, ask: Asking, seal: Seal) -> None:
        self._ask, self._redis, self._seal = ask, ask.redis, seal

    def get(self, name: str) -> str | None:
        try:
            sealed = _text(self._ask(lambda: self._redis.get(f"token:{name}")))
        except RedisAway:
            return None
        return self._seal.open(name, sealed) if sealed else None

    def put(self, name: str, token: str, seconds: int) -> None:
        sealed = self._seal.close(name, token)
        with suppress(RedisAway):
            self._ask(lambda: self._redis.set(f"token:{name}", sealed, ex=max(1, seconds)))

    def drop(self, name: str) -> None:
        with suppress(RedisAway):
            self._ask(lambda: self._redis.delete(f"token:{name}"))

    def claim(self, name: str, seconds: int) -> bool:
        try:
            return bool(
                self._ask(
                    lambda: self._redis.set(f"token-refresh:{name}", "1", nx=True, ex=seconds)
                )
            )
        except RedisAway:
            return True
