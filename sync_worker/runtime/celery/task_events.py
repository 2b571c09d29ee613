"""Celery's events, which Flower lives on, published a few times a second.

By itself a worker publishes them with every turn of its loop: about three times for each task,
which was a sixth of a busy worker's time.
"""

from __future__ import annotations

from typing import Any

from celery import bootsteps
from celery.worker.consumer.events import Events

EVERY_SECONDS = 0.25


class GatheredEvents(bootsteps.StartStopStep):  # type: ignore[misc]  # celery ships no types
    """A step of the worker's consumer. A full buffer (24 events) still goes at once."""

    requires = (Events,)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._timer: Any = None

    def start(self, consumer: Any) -> None:
        """Also after each loss of the broker, with a dispatcher that is new."""
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
