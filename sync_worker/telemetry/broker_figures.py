"""How the broker stands: what waits in its queues, and whether it keeps what it is given."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

# What kombu puts behind a queue's name for the lowest priority (kombu.transport.redis.Channel).
AFTER_OTHERS_LIST = "\x06\x169"


@dataclass(frozen=True, slots=True)
class BrokerFigures:
    """The broker at one moment.

    ``unacked``: messages in a worker's hands, the oldest since ``unacked_oldest_seconds`` by that
    worker's clock. ``is_saved``: the append-only file could be written lately.
    """

    queues: Mapping[str, int]
    unacked: int
    used_memory_bytes: int
    max_memory_bytes: int
    evicted_keys: int
    is_saved: bool
    uptime_seconds: int
    clients: int
    unacked_oldest_seconds: float = 0.0


def broker_figures(redis: Redis, queues: Sequence[str], key_prefix: str) -> BrokerFigures:
    """The figures of these queues, in two round trips. Raises RedisError."""
    with redis.pipeline(transaction=False) as asked:
        for queue in queues:
            asked.llen(key_prefix + queue)
            asked.llen(key_prefix + queue + AFTER_OTHERS_LIST)
        asked.hlen(key_prefix + "unacked")
        asked.zrange(key_prefix + "unacked_index", 0, 0, withscores=True)
        *lengths, unacked, oldest = asked.execute()
    info: dict[str, Any] = redis.info()
    by_queue = zip(lengths[::2], lengths[1::2], strict=True)
    oldest_seconds = max(0.0, time.time() - float(oldest[0][1])) if oldest else 0.0
    return BrokerFigures(
        queues=dict(zip(queues, (first + after for first, after in by_queue), strict=True)),
        unacked=int(unacked),
        used_memory_bytes=int(info["used_memory"]),
        max_memory_bytes=int(info.get("maxmemory", 0)),
        evicted_keys=int(info["evicted_keys"]),
        is_saved=info.get("aof_last_write_status", "ok") == "ok",
        uptime_seconds=int(info["uptime_in_seconds"]),
        clients=int(info["connected_clients"]),
        unacked_oldest_seconds=oldest_seconds,
    )
