"""The doorbell of the gateway: a publish that is truly bounded, behind a circuit breaker.

What goes after others has a lower priority, which is a list of its own in Redis: workers look into
it once the first one is empty.

A plain ``delay()`` hangs for ever when Redis freezes. Short socket time-outs, ``max_retries: 0``
and no publish retry bound it to a fraction of a second; the breaker bounds how often that is paid.
No request waits for it: one thread rings for all, and what comes while it does shares the next
publish. What it has not rung for when its process dies is the sweeper's.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

import structlog
from celery import Celery
from celery.utils import uuid

from sync_worker.core.ports.doorbell import AFTER_OTHERS, DELIVERY_TASK, FIRST, QUEUE
from sync_worker.redis.circuit_breaker import Breaker
from sync_worker.telemetry import metrics

CLOSE_SECONDS = 2.0  # for what waits at the end: a publish is bounded below that
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
        # Inbox ids and their priority; ``None``: it is the end.
        self._waiting: SimpleQueue[tuple[Sequence[int], int] | None] = SimpleQueue()
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
        self._thread = threading.Thread(target=self._work, name="doorbell", daemon=True)
        self._thread.start()

    def ring(self, inbox_ids: Sequence[int]) -> None:
        """Returns at once: the bell's own thread rings."""
        self._waiting.put((inbox_ids, FIRST))

    def ring_after_others(self, inbox_ids: Sequence[int]) -> None:
        """As ``ring``, for what one source sends beyond its share."""
        self._waiting.put((inbox_ids, AFTER_OTHERS))

    def _work(self) -> None:
        is_open = True
        while is_open:
            come = [self._waiting.get()]
            with suppress(Empty):
                while True:
                    come.append(self._waiting.get_nowait())
            is_open = None not in come
            rings = [(one, priority) for ids, priority in filter(None, come) for one in ids]
            if rings:
                result = self._try_to_publish(rings)
                metrics.doorbell_rings.labels(result).inc(len(rings))

    def _try_to_publish(self, rings: Sequence[tuple[int, int]]) -> str:
        """``rung``, ``failed``, or ``skipped`` while the breaker is open."""
        if not self._breaker.admits():
            return "skipped"
        try:
            self._publish(rings)
        except Exception as error:
            # Whatever it is: without this thread every delivery would wait for the sweeper.
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
                    uuid(), DELIVERY_TASK, args=[inbox_id], ignore_result=True
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
        """Ring for what waits, then end."""
        self._waiting.put(None)
        self._thread.join(CLOSE_SECONDS)
        self._app.close()
