"""The loop guard: which revisions our own writes returned, as long as an echo may come."""

from __future__ import annotations

from contextlib import suppress

from sync_worker.core.values import Side
from sync_worker.redis.client import RedisAway, RedisClient, text_of

GUARD_SECONDS = 72 * 3600  # Wix sends an event again for up to 47 hours


class RedisGuard:
    """Implements the port ``Guard``.

    Any failure of Redis is a miss: SQL knows all that the guard knows (rule R0).
    """

    def __init__(self, client: RedisClient, *, ttl_seconds: int = GUARD_SECONDS) -> None:
        self._client, self._redis, self._ttl_seconds = client, client.redis, ttl_seconds

    def remember(
        self, site_id: int, side: Side, remote_id: str, revision: int, intent_id: str
    ) -> None:
        key, value = self._key(site_id, side, remote_id), f"{revision} {intent_id}"
        with suppress(RedisAway):
            self._client.ask(self._redis.set, key, value, ex=self._ttl_seconds)

    def recall(self, site_id: int, side: Side, remote_id: str, revision: int) -> str | None:
        try:
            value = self._client.ask(self._redis.get, self._key(site_id, side, remote_id))
        except RedisAway:
            return None
        kept_revision, _, intent_id = text_of(value).partition(" ")
        # Only the exact revision that our write returned is its echo.
        return intent_id if kept_revision == str(revision) else None

    def forget(self, site_id: int, side: Side, remote_id: str) -> None:
        with suppress(RedisAway):
            self._client.ask(self._redis.delete, self._key(site_id, side, remote_id))

    def _key(self, site_id: int, side: Side, remote_id: str) -> str:
        return f"{self._client.prefix}guard:{site_id}:{side}:{remote_id}"
