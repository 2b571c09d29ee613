"""Access tokens that the fleet shares, sealed: who reads Redis, or its file, cannot use them."""

from __future__ import annotations

from contextlib import suppress

from sync_worker.redis.client import RedisAway, RedisClient, text_of
from sync_worker.redis.encryption import Seal


class RedisTokens:
    """Implements the remotes' ``Tokens``: one refresher at a time.

    Without Redis each process fetches and keeps its own.
    """

    def __init__(self, client: RedisClient, seal: Seal) -> None:
        self._client, self._redis, self._seal = client, client.redis, seal

    def get(self, name: str) -> str | None:
        try:
            sealed = text_of(self._client.ask(self._redis.get, self._key(name)))
        except RedisAway:
            return None
        return self._seal.open(name, sealed) if sealed else None

    def put(self, name: str, token: str, seconds: int) -> None:
        sealed = self._seal.close(name, token)
        with suppress(RedisAway):
            self._client.ask(self._redis.set, self._key(name), sealed, ex=max(1, seconds))

    def drop(self, name: str) -> None:
        with suppress(RedisAway):
            self._client.ask(self._redis.delete, self._key(name))

    def claim(self, name: str, seconds: int) -> bool:
        try:
            key = f"{self._client.prefix}token-refresh:{name}"
            return bool(self._client.ask(self._redis.set, key, "1", nx=True, ex=seconds))
        except RedisAway:
            return True

    def _key(self, name: str) -> str:
        return f"{self._client.prefix}token:{name}"
