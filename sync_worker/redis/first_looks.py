"""First looks at records that a status alone calls gone, shared by all workers."""

from __future__ import annotations

from contextlib import suppress

from sync_worker.redis.client import RedisAway, RedisClient


class RedisFirstLooks:
    """Implements the remotes' ``FirstLooks``: a restart or another worker goes on from here.

    Redis counts the time. What it loses is looked at once more.
    """

    def __init__(self, client: RedisClient, remote: str) -> None:
        self._client, self._redis = client, client.redis
        self._prefix = f"{client.prefix}gone-look:{remote}"

    def is_second(self, remote_id: str, wait_seconds: int, forgotten_seconds: int) -> bool | None:
        """Whether the first look is old enough, and not too old; ``None`` without Redis."""
        first, wait = f"{self._prefix}:first:{remote_id}", f"{self._prefix}:wait:{remote_id}"
        # The wait goes in before the look it belongs to: one without the other only delays.
        try:
            if self._client.ask(self._redis.exists, first):
                return not self._client.ask(self._redis.exists, wait)
            self._client.ask(self._redis.set, wait, "1", ex=wait_seconds)
            self._client.ask(self._redis.set, first, "1", ex=forgotten_seconds)
        except RedisAway:
            return None
        return False

    def forget(self, remote_id: str) -> None:
        with suppress(RedisAway):
            self._client.ask(self._redis.delete, f"{self._prefix}:first:{remote_id}")
