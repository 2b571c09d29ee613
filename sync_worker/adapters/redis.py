"""Redis: faster, never the truth. Loop guard, request budget and token cache; each works on without it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError

from sync_worker.errors import RateLimited
from sync_worker.model import Side

GUARD_SECONDS = 72 * 3600  # Wix redelivers for 47 h: celery-and-ingest, section 0
BREAKER_SECONDS = 5.0  # after a failure Redis is left alone this long: a dead one must not cost every event a time-out

log = structlog.get_logger(__name__)

# Keys: the bucket. Arguments: capacity, tokens each second. A missing key starts empty: a wiped Redis must not double
# the rate. Returns 0, or the milliseconds until a token is there.
TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'paused_until')
local capacity, rate = tonumber(ARGV[1]), tonumber(ARGV[2])
local tokens, at = tonumber(bucket[1]) or 0, tonumber(bucket[2]) or now
local paused_until = tonumber(bucket[3]) or 0
tokens = math.min(capacity, tokens + math.max(0, now - at) * rate)
local wait = math.max(paused_until - now, (1 - tokens) / rate)
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


class Breaker:
    """Open for a few seconds after a failure. ``clock`` gives monotonic seconds."""

    def __init__(self, seconds: float = BREAKER_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock, self._closed_from = seconds, clock, 0.0

    @property
    def is_open(self) -> bool:
        return self._clock() < self._closed_from

    def trip(self) -> None:
        self._closed_from = self._clock() + self._seconds


class RedisGuard:
    """Implements ports.Guard. Any failure of Redis is a miss: SQL knows all that the guard knows (rule R0)."""

    def __init__(self, redis: Redis, *, ttl_seconds: int = GUARD_SECONDS, breaker: Breaker | None = None) -> None:
        self._redis, self._ttl_seconds, self._breaker = redis, ttl_seconds, breaker or Breaker()

    def remember(self, site_id: int, side: Side, remote_id: str, revision: int, intent_id: str) -> None:
        value = f"{revision} {intent_id}"
        self._ask(lambda: self._redis.set(_guard_key(site_id, side, remote_id), value, ex=self._ttl_seconds))

    def recall(self, site_id: int, side: Side, remote_id: str, revision: int) -> str | None:
        value = self._ask(lambda: self._redis.get(_guard_key(site_id, side, remote_id)))
        kept_revision, _, intent_id = _text(value).partition(" ")
        return intent_id if kept_revision == str(revision) else None

    def _ask(self, question: Callable[[], Any]) -> Any:
        if self._breaker.is_open:
            return None
        try:
            return question()
        except RedisError as error:
            self._breaker.trip()
            log.warning("guard_unavailable", error=type(error).__name__)
            return None


def _guard_key(site_id: int, side: Side, remote_id: str) -> str:
    return f"guard:{site_id}:{side}:{remote_id}"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else (value or "")


class LocalBudget:
    """A token bucket of this process alone; starts empty."""

    def __init__(self, capacity: float, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
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
    """The request budget of one remote account, shared by the fleet; implements adapters.http.Budget.

    ``processes``: while Redis is away each process takes this share of the rate for itself.
    """

    def __init__(
        self,
        redis: Redis,
        key: str,
        *,
        capacity: float,
        per_minute: float,
        processes: int = 1,
        breaker: Breaker | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key, self._capacity, self._rate = key, capacity, per_minute / 60.0
        self._take, self._pause = redis.register_script(TAKE), redis.register_script(PAUSE)
        self._breaker = breaker or Breaker()
        self._local = LocalBudget(max(1.0, capacity / processes), per_minute / processes, clock)

    def take(self) -> None:
        if self._breaker.is_open:
            self._local.take()
            return
        try:
            wait_milliseconds = int(self._take(keys=[self._key], args=[self._capacity, self._rate]))
        except RedisError as error:
            self._breaker.trip()
            log.warning("budget_unavailable", error=type(error).__name__)
            self._local.take()
            return
        if wait_milliseconds > 0:
            raise RateLimited(retry_after=wait_milliseconds / 1000.0)

    def penalise(self, seconds: float) -> None:
        self._local.penalise(seconds)
        if not self._breaker.is_open:
            try:
                self._pause(keys=[self._key], args=[seconds])
            except RedisError:
                self._breaker.trip()


class RedisTokens:
    """Implements adapters.wix_auth.Tokens: one refresher at a time; without Redis each process keeps its own."""

    def __init__(self, redis: Redis, breaker: Breaker | None = None) -> None:
        self._redis, self._breaker = redis, breaker or Breaker()

    def get(self, name: str) -> str | None:
        value = self._ask(lambda: self._redis.get(f"token:{name}"))
        return _text(value) or None

    def put(self, name: str, token: str, seconds: int) -> None:
        self._ask(lambda: self._redis.set(f"token:{name}", token, ex=max(1, seconds)))

    def drop(self, name: str) -> None:
        self._ask(lambda: self._redis.delete(f"token:{name}"))

    def claim(self, name: str, seconds: int) -> bool:
        if self._breaker.is_open:
            return True
        return self._ask(lambda: self._redis.set(f"token-refresh:{name}", "1", nx=True, ex=seconds)) is not None

    def _ask(self, question: Callable[[], Any]) -> Any:
        if self._breaker.is_open:
            return None
        try:
            return question()
        except RedisError:
            self._breaker.trip()
            return None
