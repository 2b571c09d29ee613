"""A Redis that may be away: one short time-out, one breaker, no second try."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from sync_worker.redis.circuit_breaker import Breaker

log = structlog.get_logger(__name__)


def open_redis(url: str, seconds: float) -> Redis:
    """A connection that waits ``seconds`` for an answer and never tries twice."""
    # The client's own default is three more tries, which are seconds; here the breaker decides.
    never_again = Retry(NoBackoff(), 0)
    return Redis.from_url(
        url,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        health_check_interval=15,
        retry=never_again,
    )


class RedisAway(Exception):
    """Redis did not answer, or did not a moment ago."""


class RedisClient:
    """Asks a Redis that may be away, through a breaker that all users of the client share.

    ``prefix``: stands before each of its keys, so that installations may share a server.
    """

    def __init__(self, redis: Redis, breaker: Breaker | None = None, *, prefix: str = "") -> None:
        self.redis, self._breaker, self.prefix = redis, breaker or Breaker(), prefix

    def ask(self, command: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """The answer to a command of ``redis``. Raises RedisAway."""
        if not self._breaker.admits():
            raise RedisAway
        try:
            answer = command(*arguments, **options)
        except RedisError as error:
            self._breaker.report(success=False)
            log.warning("redis_away", error=type(error).__name__)
            raise RedisAway from error
        self._breaker.report(success=True)
        return answer


def text_of(value: Any) -> str:
    """A value of Redis as text; empty for none."""
    if isinstance(value, bytes):
        return value.decode()
    return value or ""
