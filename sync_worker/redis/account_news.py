"""News that an account has changed: whoever hears of it looks at the ledger at once.

Without it, and without Redis, each process looks once a second. Nothing is said but that something
has changed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from redis import Redis
from redis.exceptions import RedisError

from sync_worker.redis.client import RedisAway, RedisClient

CHANNEL = "account-news"
LISTEN_SECONDS = 30.0
AWAY_SECONDS = 5.0


class AccountNews:
    """Tells other processes, and hears them. ``open_listener``: a connection of its own."""

    def __init__(self, client: RedisClient, open_listener: Callable[[], Redis]) -> None:
        self._client, self._open_listener = client, open_listener
        self._channel = f"{client.prefix}{CHANNEL}"
        self._turn, self._is_heard = threading.Lock(), False

    def tell(self) -> None:
        """Something has changed; if Redis is away, they see it a moment later."""
        with suppress(RedisAway):
            self._client.ask(self._client.redis.publish, self._channel, "changed")

    def listen(self, heard: Callable[[], None]) -> None:
        """Call ``heard`` with each piece of news, beside everything else; asked again: nothing."""
        with self._turn:
            if self._is_heard:
                return
            self._is_heard = True
        threading.Thread(
            target=self._go_on, args=(heard,), name="account-news", daemon=True
        ).start()

    def _go_on(self, heard: Callable[[], None]) -> None:
        pause = threading.Event()
        while True:
            with suppress(RedisError):
                self._hear(heard)
            pause.wait(AWAY_SECONDS)

    def _hear(self, heard: Callable[[], None]) -> None:
        """Raises RedisError."""
        with self._open_listener() as redis, redis.pubsub() as subscription:
            subscription.subscribe(self._channel)
            # What was told before is looked at, too.
            heard()
            while True:
                news = subscription.get_message(
                    ignore_subscribe_messages=True, timeout=LISTEN_SECONDS
                )
                if news is not None:
                    heard()
