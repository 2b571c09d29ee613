"""The doorbell of the workers: messages with the deliveries that can be worked on.

Each has one of its own, or shares it with others of its site where many wait.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from celery import Celery
from kombu.exceptions import ConnectionLimitExceeded, OperationalError
from redis.exceptions import RedisError

from sync_worker.core.ports.doorbell import (
    AFTER_OTHERS,
    DELIVERY_TASK,
    FIRST,
    batch_size,
    in_batches,
)
from sync_worker.core.ports.inbox import RING_SHARE, Rung
from sync_worker.runtime.celery.queued import Queued, queued_in

BROKER_AWAY = (OperationalError, ConnectionLimitExceeded, RedisError)

log = structlog.get_logger(__name__)


class WorkerBell:
    """Implements ports.Bell. A ring that fails is the sweeper's to repeat."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def queued(self) -> Queued:
        """What has its message already. Raises one of ``BROKER_AWAY``."""
        with self._app.pool.acquire(block=True, timeout=1.0) as connection:
            return queued_in(connection.default_channel)

    def ring(self, inbox_ids: Sequence[int]) -> None:
        """What is released together is of one site: beyond its share it goes after others."""
        size = batch_size(len(inbox_ids), self._threads)
        self._ring(in_batches(inbox_ids[:RING_SHARE], size), FIRST)
        self._ring(in_batches(inbox_ids[RING_SHARE:], size), AFTER_OTHERS)

    def ring_for_each(self, inbox_ids: Sequence[int]) -> None:
        """Ring with a message for each: for what was left of one that carried several."""
        self._ring(in_batches(inbox_ids, 1), FIRST)

    def ring_in_lanes(self, rung: Rung, waiting: int) -> None:
        """Ring for what the sweeper has found while so many wait already."""
        size = batch_size(waiting + len(rung.all), self._threads)
        self._ring(messages_of(rung, rung.first, size), FIRST)
        self._ring(messages_of(rung, rung.after, size), AFTER_OTHERS)

    @property
    def _threads(self) -> int:
        return int(self._app.conf.worker_concurrency)

    def _ring(self, messages: Sequence[Sequence[int]], priority: int) -> None:
        task = self._app.tasks[DELIVERY_TASK]
        try:
            for inbox_ids in messages:
                task.apply_async(args=list(inbox_ids), priority=priority)
        except OperationalError as error:
            log.warning("doorbell_failed", error=type(error).__name__)


def messages_of(rung: Rung, lane: Sequence[int], size: int) -> list[Sequence[int]]:
    """What is rung for together: of one site, oldest first.

    What was rung for before and has no end yet goes by itself: it may be what a worker died over.
    """
    messages: list[Sequence[int]] = [[one] for one in lane if one in rung.again]
    by_source: dict[str, list[int]] = {}
    for inbox_id in lane:
        if inbox_id not in rung.again:
            by_source.setdefault(rung.sources[inbox_id], []).append(inbox_id)
    for inbox_ids in by_source.values():
        messages += in_batches(inbox_ids, size)
    return sorted(messages, key=min)
