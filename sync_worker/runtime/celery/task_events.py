"""Celery's events, which Flower lives on, published a few times a second.

By itself a worker publishes what it has buffered with every turn of its loop, about three times for
each task. Gathering saves 6 to 23 % of a worker's processor time for a rating on PostgreSQL, 6 to
15 % on SQLite (medians of five runs of ``python -m benchmarks probation``, of 9 to 25 rounds, on
busy cores). Celery has no setting for it: ``worker_send_task_events`` is all or nothing.

The step itself is a documented extension
(https://docs.celeryq.dev/en/stable/userguide/extending.html); what reaches inside is
``on_send_buffered`` of the dispatcher. Made for celery 5.7.0;
tests/integration/test_library_contracts.py fails when that changes.
"""

from __future__ import annotations

from typing import Any

from celery import bootsteps
from celery.worker.consumer.events import Events

EVERY_SECONDS = 0.25


class GatheredEvents(bootsteps.StartStopStep):  # type: ignore[misc]  # celery ships no types
    """A step of the worker's consumer that flushes its events; a full buffer (24) goes at once."""

    requires = (Events,)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._timer: Any = None

    def start(self, consumer: Any) -> None:
        """Start to gather; Celery calls this again, with a new dispatcher, after a lost broker."""
        self.stop(consumer)
        if consumer.hub is not None:
            consumer.event_dispatcher.on_send_buffered = None
            self._timer = consumer.hub.call_repeatedly(
                EVERY_SECONDS, consumer.event_dispatcher.flush
            )

    def stop(self, consumer: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
