"""The doorbell of the workers: a message for each delivery that can be worked on."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from celery import Celery
from kombu.exceptions import ConnectionLimitExceeded, OperationalError
from redis.exceptions import RedisError

from sync_worker.core.ports.doorbell import AFTER_OTHERS, DELIVERY_TASK
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
        self._ring(inbox_ids[:RING_SHARE])
        self.ring_after_others(inbox_ids[RING_SHARE:])

    def ring_in_lanes(self, rung: Rung) -> None:
        """Ring for what the sweeper has found."""
        self._ring(rung.first)
        self.ring_after_others(rung.after)

    def ring_after_others(self, inbox_ids: Sequence[int]) -> None:
        """For what one site has beyond its share."""
        self._ring(inbox_ids, priority=AFTER_OTHERS)

    def _ring(self, inbox_ids: Sequence[int], **options: int) -> None:
        task = self._app.tasks[DELIVERY_TASK]
        try:
            for inbox_id in inbox_ids:
                task.apply_async(args=[inbox_id], **options)
        except OperationalError as error:
            log.warning("doorbell_failed", error=type(error).__name__)
