"""The doorbell of the gateway: a publish that is truly bounded, behind a circuit breaker.

A plain ``delay()`` hangs for ever when Redis freezes. Short socket time-outs, ``max_retries: 0`` and no publish retry
bound it to a fraction of a second; the breaker bounds how often even that is paid.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from sync_worker import metrics
from sync_worker.breaker import Breaker

TASK = "sync_worker.tasks.sync_delivery"
QUEUE = "sync"
BOUNDED_TRANSPORT = {
    "socket_timeout": 0.25,
    "socket_connect_timeout": 0.25,
    "socket_keepalive": True,
    "max_retries": 0,
}

log = structlog.get_logger(__name__)


class CeleryBell:
    """Implements ports.Bell over a bounded Celery producer. A ring that fails is the sweeper's to repeat."""

    def __init__(
        self, broker_url: str, *, transport: dict[str, object] | None = None, breaker: Breaker | None = None
    ) -> None:
        self._breaker = breaker or Breaker()
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
        for inbox_id in inbox_ids:
            if not self._breaker.admits():
                metrics.doorbell_rings.labels("skipped").inc()
                return
            try:
                self._app.send_task(TASK, args=[inbox_id], queue=QUEUE)
            except (OperationalError, OSError) as error:
                self._breaker.report(success=False)
                metrics.doorbell_rings.labels("failed").inc()
                log.warning("doorbell_failed", error=type(error).__name__, inbox_id=inbox_id)
                return
            self._breaker.report(success=True)
            metrics.doorbell_rings.labels("rung").inc()

    def close(self) -> None:
        self._app.close()
