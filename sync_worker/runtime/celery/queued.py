"""Which deliveries have a message in the broker now: their turn comes, nobody need ring for them.

The broker alone knows: what was lost with a worker, or with all of Redis, is not found here, and
the sweeper rings for it. Reads lists and names of kombu's Redis transport; made for kombu 5.7.0.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from sync_worker.core.ports.doorbell import AFTER_OTHERS, DELIVERY_TASK, FIRST, QUEUE
from sync_worker.core.ports.inbox import RING_SHARE
from sync_worker.runtime.celery.broker import is_readable

MOST = 1000  # messages of each list, from its front; the sweeper rings while fewer wait
# The sweeper rings up to here: a longer queue has lost nothing, and more rings only lengthen it.
MAX_QUEUE = 200
# In a worker's hands for longer it is under way, and the ledger knows it; or its worker is dead.
IN_HAND_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Queued:
    """What waits in the queue: deliveries that go first, and those that go after others.

    A message that carries none counts as one. ``ids``: those that have a message, in the queue or
    just handed to a worker; none are read where the queue is long.
    """

    first: int
    after: int
    ids: frozenset[int] = frozenset()

    @property
    def waiting(self) -> int:
        """How many deliveries wait in all."""
        return self.first + self.after

    @property
    def room(self) -> int:
        """For how many more the sweeper rings."""
        if self.waiting < MAX_QUEUE:
            return MAX_QUEUE - self.waiting
        # It is long: a few more go before what single sites have beyond their share.
        return max(0, RING_SHARE - self.first)


def queued_in(channel: Any) -> Queued:
    """What waits in the queue of a broker. Raises RedisError."""
    first, after = (_list_of(channel, priority) for priority in (FIRST, AFTER_OTHERS))
    in_hand = channel.global_keyprefix + channel.unacked_key
    taken_at = channel.global_keyprefix + channel.unacked_index_key
    now = time.time()
    with channel.conn_or_acquire() as client:
        # Without kombu's own prefixing, which knows some commands only.
        redis: Any = Redis(connection_pool=client.connection_pool)
        messages = Queued(redis.llen(first), redis.llen(after))
        if not messages.room:
            return messages
        # At one moment: a message is in the queue or in somebody's hands.
        with redis.pipeline(transaction=True) as asked:
            asked.lrange(first, -MOST, -1)
            asked.lrange(after, -MOST, -1)
            # By the clock of the worker that took it: one that is wrong only leads to a ring more.
            asked.zrangebyscore(taken_at, now - IN_HAND_SECONDS, now + IN_HAND_SECONDS, 0, MOST)
            waiting, waiting_after, tags = asked.execute()
        held = [one for one in redis.hmget(in_hand, tags) if one] if tags else []
    found_first = [_deliveries_of(_read(one)) for one in waiting]
    found_after = [_deliveries_of(_read(one)) for one in waiting_after]
    found = [_deliveries_of(_first(_read(one))) for one in held] + found_first
    count_first = _count(found_first, messages.first)
    # Where more than one share goes first, their turn may not come: they are rung for anew.
    if count_first < RING_SHARE:
        found += found_after
    ids = frozenset(inbox_id for of_message in found for inbox_id in of_message)
    return Queued(count_first, _count(found_after, messages.after), ids)


def _count(found: Sequence[Sequence[int]], messages: int) -> int:
    """How many deliveries a list holds, of which at most ``MOST`` messages were read."""
    beyond = max(0, messages - MOST) if len(found) == MOST else 0
    return sum(max(1, len(of_message)) for of_message in found) + beyond


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


def _deliveries_of(message: Any) -> Sequence[int]:
    """The inbox ids that a message carries; none if it is no delivery's."""
    if not is_readable(message) or message["headers"]["task"] != DELIVERY_TASK:
        return ()
    arguments = json.loads(base64.b64decode(message["body"]))[0]
    if not all(isinstance(one, int) for one in arguments):
        return ()
    return tuple(arguments)
