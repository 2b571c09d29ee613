"""Which deliveries have a message in the broker now: their turn comes, nobody need ring for them.

The broker alone knows: what was lost with a worker, or with all of Redis, is not found here, and
the sweeper rings for it. Reads lists and names of kombu's Redis transport; made for kombu 5.7.0.
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from redis import Redis

from sync_worker.core.ports.doorbell import AFTER_OTHERS, DELIVERY_TASK, FIRST, QUEUE
from sync_worker.core.ports.inbox import RING_SHARE
from sync_worker.runtime.celery.broker import is_readable

MOST = 1000  # of each list, from its front; the sweeper rings while fewer wait
# In a worker's hands for longer it is under way, and the ledger knows it; or its worker is dead.
IN_HAND_SECONDS = 5.0


def deliveries_in(channel: Any) -> frozenset[int]:
    """The inbox ids that wait in the queue or were just handed to a worker. Raises RedisError."""
    first, after = (_list_of(channel, priority) for priority in (FIRST, AFTER_OTHERS))
    in_hand = channel.global_keyprefix + channel.unacked_key
    taken_at = channel.global_keyprefix + channel.unacked_index_key
    now = time.time()
    with channel.conn_or_acquire() as client:
        # Without kombu's own prefixing, which knows some commands only.
        redis: Any = Redis(connection_pool=client.connection_pool)
        # At one moment: a message is in the queue or in somebody's hands.
        with redis.pipeline(transaction=True) as asked:
            asked.lrange(first, -MOST, -1)
            asked.lrange(after, -MOST, -1)
            # By the clock of the worker that took it: one that is wrong only leads to a ring more.
            asked.zrangebyscore(taken_at, now - IN_HAND_SECONDS, now + IN_HAND_SECONDS, 0, MOST)
            waiting, waiting_after, tags = asked.execute()
        held = [one for one in redis.hmget(in_hand, tags) if one] if tags else []
    # Where more than one share goes first, their turn may not come: they are rung for anew.
    if len(waiting) < RING_SHARE:
        waiting += waiting_after
    found = [_delivery_of(_read(one)) for one in waiting]
    found += [_delivery_of(_first(_read(one))) for one in held]
    return frozenset(one for one in found if one is not None)


def _list_of(channel: Any, priority: int) -> str:
    return str(channel.global_keyprefix + channel._q_for_pri(QUEUE, priority))


def _read(text: bytes) -> Any:
    """What a text says; ``None`` if nobody can read it: such a message is dropped, once taken."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _first(held: object) -> object:
    """The message itself: in a worker's hands it stands before where it came from."""
    return held[0] if isinstance(held, list) and held else None


def _delivery_of(message: Any) -> int | None:
    """The inbox id that a message carries; ``None`` if it is no delivery's."""
    if not is_readable(message) or message["headers"]["task"] != DELIVERY_TASK:
        return None
    match json.loads(base64.b64decode(message["body"]))[0]:
        case [int(inbox_id)]:
            return inbox_id
        case _:
            return None
