"""Events for Flower are gathered, also after the broker was lost."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from kombu.asynchronous import Hub

from sync_worker.runtime.celery.task_events import GatheredEvents


class Dispatcher:
    """As Celery's: tells at once of what it buffers, until somebody gathers it."""

    def __init__(self) -> None:
        self.on_send_buffered: Any = lambda: None
        self.flushed = 0

    def flush(self) -> None:
        self.flushed += 1


@pytest.fixture
def consumer() -> Iterator[Any]:
    make_hub: Any = Hub  # kombu ships no types
    hub = make_hub()
    yield SimpleNamespace(hub=hub, event_dispatcher=Dispatcher())
    hub.close()


def strike(hub: Any) -> None:
    """What is due sooner or later, now."""
    for one in list(hub.timer.queue):
        if not one.entry.canceled:
            one.entry()


def test_events_are_flushed_now_and_then_and_not_with_each_of_them(consumer: Any) -> None:
    GatheredEvents(consumer).start(consumer)
    assert consumer.event_dispatcher.on_send_buffered is None
    assert consumer.event_dispatcher.flushed == 0
    strike(consumer.hub)
    assert consumer.event_dispatcher.flushed == 1


def test_dispatcher_of_a_new_connection_takes_the_place_of_the_old_one(consumer: Any) -> None:
    step, old = GatheredEvents(consumer), consumer.event_dispatcher
    step.start(consumer)
    consumer.event_dispatcher = Dispatcher()
    step.start(consumer)
    strike(consumer.hub)
    assert (old.flushed, consumer.event_dispatcher.flushed) == (0, 1)
