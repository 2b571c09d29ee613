"""First looks at records that a status alone calls gone, shared by all workers."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from sync_worker.redis.client import RedisAway, RedisClient

# Half of the least time between two looks.
NEWS_SECONDS = 30.0


class RedisFirstLooks:
    """Implements the remotes' ``FirstLooks``: a restart or another worker goes on from here.

    Redis counts the time. What it loses is looked at once more. A read of a record costs a command
    only while some look is open, and one in half a minute to know that.
    """

    def __init__(
        self, client: RedisClient, remote: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client, self._redis, self._clock = client, client.redis, clock
        self._prefix = f"{client.prefix}gone-look:{remote}"
        self._open_key = f"{self._prefix}:open"
        self._is_open = False
        self._ask_again_at = clock()

    def is_second(self, remote_id: str, wait_seconds: int, forgotten_seconds: int) -> bool | None:
        """Whether the first look is old enough, and not too old; ``None`` without Redis."""
        first, wait = f"{self._prefix}:first:{remote_id}", f"{self._prefix}:wait:{remote_id}"
        self._is_open, self._ask_again_at = True, self._clock() + forgotten_seconds
        try:
            if self._client.ask(self._redis.exists, first):
                return not self._client.ask(self._redis.exists, wait)
            # The look goes in last: what belongs to it is there before it counts.
            for key, seconds in (
                (self._open_key, forgotten_seconds),
                (wait, wait_seconds),
                (first, forgotten_seconds),
            ):
                self._client.ask(self._redis.set, key, "1", ex=seconds)
        except RedisAway:
            return None
        return False

    def forget(self, remote_id: str) -> None:
        with suppress(RedisAway):
            if self._knows_of_open_looks():
                self._client.ask(self._redis.delete, f"{self._prefix}:first:{remote_id}")

    def _knows_of_open_looks(self) -> bool:
        """Raises RedisAway."""
        now = self._clock()
        if now >= self._ask_again_at:
            self._is_open = bool(self._client.ask(self._redis.exists, self._open_key))
            self._ask_again_at = now + NEWS_SECONDS
        return self._is_open
