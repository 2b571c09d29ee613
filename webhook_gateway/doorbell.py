"""The doorbell of the gateway: a publish that is truly bounded, behind a circuit breaker.

What goes after others has a lower priority, which is a list of its own in Redis: workers look into
it once the first one is empty.

A plain ``delay()`` hangs for ever when Redis freezes. Short socket time-outs, ``max_retries: 0``
and no publish retry bound it to a fraction of a second; the breaker bounds how often that is paid.
No request waits for it: one thread rings for all, and what comes while it does shares the next
publish. What it has not rung for when its process dies is the sweeper's.

While many messages wait, what one source sends beyond its share goes into common messages.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

import structlog
from celery import Celery
from celery.utils import uuid

from sync_worker.core.ports.doorbell import (
    AFTER_OTHERS,
    DELIVERY_TASK,
    FIRST,
    QUEUE,
    batch_size,
    in_batches,
)
from sync_worker.redis.circuit_breaker import Breaker
from sync_worker.telemetry import metrics

GATHER_SECONDS = 0.04  # while many wait: eight of a source that sends all that is rung for
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
        threads: int,
    ) -> None:
        """``threads``: of a worker."""
        self._breaker = breaker or Breaker()
        # Inbox ids, and whose they are where they go after others; ``None``: it is the end.
        self._waiting: SimpleQueue[tuple[Sequence[int], str] | None] = SimpleQueue()
        self._threads, self._size = threads, 1
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
        self._waiting.put((inbox_ids, ""))

    def ring_after_others(self, inbox_ids: Sequence[int], source: str) -> None:
        """As ``ring``, for what one source sends beyond its share."""
        self._waiting.put((inbox_ids, source))

    def _work(self) -> None:
        is_open = True
        while is_open:
            come = [self._waiting.get()]
            if self._size > 1:
                time.sleep(GATHER_SECONDS)
            with suppress(Empty):
                while True:
                    come.append(self._waiting.get_nowait())
            is_open = None not in come
            by_source: dict[str, list[int]] = {}
            for inbox_ids, source in filter(None, come):
                by_source.setdefault(source, []).extend(inbox_ids)
            if count := sum(map(len, by_source.values())):
                result = self._try_to_publish(by_source)
                metrics.doorbell_rings.labels(result).inc(count)

    def _try_to_publish(self, by_source: Mapping[str, Sequence[int]]) -> str:
        """``rung``, ``failed``, or ``skipped`` while the breaker is open."""
        if not self._breaker.admits():
            return "skipped"
        try:
            self._publish(by_source)
        except Exception as error:
            # Whatever it is: without this thread every delivery would wait for the sweeper.
            self._breaker.report(success=False)
            inbox_ids = [one for of_source in by_source.values() for one in of_source]
            log.warning("doorbell_failed", error=type(error).__name__, inbox_ids=inbox_ids)
            return "failed"
        self._breaker.report(success=True)
        return "rung"

    def _publish(self, by_source: Mapping[str, Sequence[int]]) -> None:
        """Send what ``send_task`` would send, in one pipeline.

        ``send_task`` looks up anew for each message what is the same for all.
        """
        with self._app.producer_or_acquire() as producer:
            self._size = 1
            if any(by_source):
                waiting = producer.channel.queue_declare(QUEUE).message_count
                self._size = batch_size(int(waiting), self._threads)
            with producer.batch():
                for source, inbox_ids in by_source.items():
                    size, priority = (self._size, AFTER_OTHERS) if source else (1, FIRST)
                    for together in in_batches(inbox_ids, size):
                        self._send(producer, together, priority)

    def _send(self, producer: Any, inbox_ids: Sequence[int], priority: int) -> None:
        message = self._app.amqp.as_task_v2(
            uuid(), DELIVERY_TASK, args=list(inbox_ids), ignore_result=True
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
