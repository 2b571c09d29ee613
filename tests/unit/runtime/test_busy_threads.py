"""A worker tells how many of its threads have a task in hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery, signals

from sync_worker.runtime.celery.worker_signals import WorkerSignals
from sync_worker.telemetry import metrics

OURS = (
    signals.setup_logging,
    signals.celeryd_init,
    signals.worker_ready,
    signals.worker_shutting_down,
    signals.heartbeat_sent,
    signals.beat_init,
    signals.task_prerun,
    signals.task_postrun,
)


@pytest.fixture
def connected() -> Iterator[None]:
    """Celery's signals tell ours, once, and afterwards whomever they told before."""
    before = {signal: signal.receivers for signal in OURS}
    for signal in OURS:
        signal.receivers = []
    WorkerSignals(no_parts, no_parts).connect()
    yield
    for signal, receivers in before.items():
        signal.receivers = receivers


def no_parts() -> Any:
    raise AssertionError("a task asks for no parts")


def busy() -> float:
    (family,) = metrics.threads_busy.collect()
    (sample,) = family.samples
    return sample.value


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.usefixtures("connected")
def test_thread_is_busy_while_its_task_runs_however_it_ends(fails: bool) -> None:
    app, seen = Celery("test", set_as_current=False), list[float]()

    def work() -> None:
        seen.append(busy())
        if fails:
            raise LookupError

    before = busy()
    app.task(work, name="work", shared=False).apply()
    assert (seen, busy()) == ([before + 1], before)
