"""The doorbell of the gateway: a publish that is truly bounded, behind a circuit breaker.

What goes after others has a lower priority, which is a list of its own in Redis: workers look into
it once the first one is empty.

A plain ``delay()`` hangs for ever when Redis freezes. Short socket time-outs, ``max_retries: 0``
and no publish retry bound it to a fraction of a second; the breaker bounds how often that is paid.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

import structlog
from celery import Celery
from celery.utils import uuid
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from sync_worker.core.ports.doorbell import AFTER_OTHERS
from sync_worker.redis.circuit_breaker import Breaker
from sync_worker.telemetry import metrics

TASK = "sync_worker.tasks.sync_delivery"
QUEUE = "sync"
FIRST = 0
BOUNDED_TRANSPORT = {
    "socket_timeout": 0.25,
    "socket_connect_timeout": 0.25,
    "socket_keepalive": True,
    "max_retries": 0,
}

log = structlog.get_logger(__name__)


class CeleryBell:
    """Implements ports.Bell over a bounded producer; the sweeper repeats a ring that fails."""

    def __init__(
        self,
        broker_url: str,
        *,
        transport: dict[str, object] | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        self._breaker = breaker or Breaker()
        self._waiting: deque[tuple[int, int]] = deque()
        self._turn = threading.Lock()
        self._app = Celery("webhook_gateway", broker=broker_url, set_as_current=False)
        self._app.conf.update(
            broker_transport_options={**(transport or {}), **BOUNDED_TRANSPORT},
            broker_pool_limit=16,
            broker_pool_acquire_timeout=0.2,
            task_publish_retry=False,
            task_ignore_result=True,
            task_serializer="json",
            accept_content=["json"],
            task_default_queue=QUEUE,
            task_default_exchange_type="direct",
        )

    def ring(self, inbox_ids: Sequence[int]) -> None:
        """One publish for all: the thread that holds the lock publishes for those that wait."""
        self._ring([(inbox_id, FIRST) for inbox_id in inbox_ids])

    def ring_after_others(self, inbox_ids: Sequence[int]) -> None:
        """As ``ring``, for what one source sends beyond its share."""
        self._ring([(inbox_id, AFTER_OTHERS) for inbox_id in inbox_ids])

    def _ring(self, rings: Sequence[tuple[int, int]]) -> None:
        self._waiting.extend(rings)
        with self._turn:
            together = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if together:
                result = self._try_to_publish(together)
                metrics.doorbell_rings.labels(result).inc(len(together))

    def _try_to_publish(self, rings: Sequence[tuple[int, int]]) -> str:
        """``rung``, ``failed``, or ``skipped`` while the breaker is open."""
        if not self._breaker.admits():
            return "skipped"
        try:
            self._publish(rings)
        except (KombuError, RedisError, OSError) as error:
            self._breaker.report(success=False)
            inbox_ids = [inbox_id for inbox_id, _ in rings]
            log.warning("doorbell_failed", error=type(error).__name__, inbox_ids=inbox_ids)
            return "failed"
        self._breaker.report(success=True)
        return "rung"

    def _publish(self, rings: Sequence[tuple[int, int]]) -> None:
        """Send what ``send_task`` would send, in one pipeline.

        ``send_task`` looks up anew for each message what is the same for all.
        """
        with self._app.producer_or_acquire() as producer, producer.batch():
            for inbox_id, priority in rings:
                message = self._app.amqp.as_task_v2(
                    uuid(), TASK, args=[inbox_id], ignore_result=True
                )
                producer.publish(
                    message.body,
                    exchange="",
                    routing_key=QUEUE,
                    serializer="json",
                    headers=message.headers,
                    delivery_mode=2,
                    priority=priority,
                    **message.properties,
                )

    def close(self) -> None:
        self._app.close()
