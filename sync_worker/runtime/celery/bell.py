"""The doorbell of the workers: a message for each delivery that can be worked on."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from celery import Celery
from kombu.exceptions import OperationalError

QUEUE = "sync"
DELIVERY_TASK = "sync_worker.tasks.sync_delivery"

log = structlog.get_logger(__name__)


class WorkerBell:
    """Implements ports.Bell. A ring that fails is the sweeper's to repeat."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def waiting(self) -> int:
        """Messages in the queue. Raises OperationalError without a broker."""
        with self._app.pool.acquire(block=True, timeout=1.0) as connection:
            return int(connection.default_channel.queue_declare(QUEUE).message_count)

    def ring(self, inbox_ids: Sequence[int]) -> None:
        task = self._app.tasks[DELIVERY_TASK]
        try:
            for inbox_id in inbox_ids:
                task.apply_async(args=[inbox_id])
        except OperationalError as error:
            log.warning("doorbell_failed", error=type(error).__name__)
