"""What a worker and the scheduler do at their start, with each heartbeat, and at their end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from celery.signals import (
    after_task_publish,
    beat_init,
    celeryd_init,
    heartbeat_sent,
    setup_logging,
    task_postrun,
    task_prerun,
    worker_ready,
    worker_shutting_down,
)
from prometheus_client import REGISTRY
from prometheus_client.registry import Collector

from sync_worker.runtime.celery.sweep_timer import SweepTimer
from sync_worker.runtime.celery.worker_signs import Signs, WorkerSigns
from sync_worker.telemetry import metrics
from sync_worker.telemetry.exposition import serve_metrics
from sync_worker.telemetry.logs import set_up_logs, warn_of_misspelt

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ProcessParts:
    """What a worker and the scheduler need, by the settings alone.

    ``show_sign`` tells health checks that a part works.
    """

    log_format: str
    log_level: str
    misspelt: Mapping[str, str]
    show_sign: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class SignalParts:
    """What only a worker needs.

    ``prepare`` opens the ledger; an empty ``metrics_bind`` or no ``metrics_token``: metrics are not
    served. ``remotes``: those that this worker may call.
    """

    prepare: Callable[[], object]
    sweep: Callable[[], None]
    sweep_seconds: float
    figures: Sequence[Collector]
    slots: int
    threads: int
    metrics_bind: str
    metrics_token: str | None
    heartbeats: Signs
    remotes: Callable[[], Sequence[str]]


class WorkerSignals:
    """Celery's signals, connected.

    ``process`` and ``parts`` are asked at a signal: an import reads no settings.
    """

    def __init__(
        self, process: Callable[[], ProcessParts], parts: Callable[[], SignalParts]
    ) -> None:
        self._process, self._parts = process, parts
        self._timer: SweepTimer | None = None
        self._stop_metrics: Callable[[], None] | None = None
        self._signs: WorkerSigns | None = None
        self._is_stopping = False

    def is_stopping(self) -> bool:
        """Whether this worker is to end: it begins nothing more."""
        return self._is_stopping

    def connect(self) -> None:
        """From now on Celery calls this object."""
        setup_logging.connect(self._set_up_logging, weak=False)
        celeryd_init.connect(self._prepare, weak=False)
        worker_ready.connect(self._start_sweeping, weak=False)
        worker_ready.connect(self._start_metrics, weak=False)
        worker_ready.connect(self._start_signs, weak=False)
        worker_shutting_down.connect(self._stop_aside, weak=False)
        heartbeat_sent.connect(self._show_that_the_worker_lives, weak=False)
        beat_init.connect(self._watch_the_scheduler, weak=False)
        task_prerun.connect(_begin_task, weak=False)
        task_postrun.connect(_end_task, weak=False)

    def sweep_soon(self) -> None:
        """Let this process sweep within a moment, if it is a worker."""
        if self._timer is not None:
            self._timer.sweep_soon()

    def note_scheduler(self, origin: str | None) -> None:
        """A tick of the scheduler has come. ``origin``: of its message, as Celery names it."""
        if self._signs is not None and origin is not None:
            self._signs.note_scheduler(origin)

    def _set_up_logging(self, **_: Any) -> None:
        parts = self._process()
        set_up_logs(parts.log_format, parts.log_level)
        warn_of_misspelt(parts.misspelt)

    def _prepare(self, **_: Any) -> None:
        """Open the ledger (and bring it to the newest schema) before the first task comes."""
        self._parts().prepare()

    def _start_sweeping(self, **_: Any) -> None:
        parts = self._parts()
        self._timer = SweepTimer(parts.sweep_seconds, parts.sweep)
        self._timer.start()

    def _start_metrics(self, **_: Any) -> None:
        parts = self._parts()
        metrics.start_work_at_zero(parts.remotes())
        # The settings refuse an address without a token.
        if not parts.metrics_bind or parts.metrics_token is None:
            return
        metrics.slots.set(parts.slots)
        metrics.threads.set(parts.threads)
        for figures in parts.figures:
            REGISTRY.register(figures)
        try:
            self._stop_metrics = serve_metrics(parts.metrics_bind, parts.metrics_token)
        except OSError as error:
            # The work goes on.
            log.error("metrics_not_served", bind=parts.metrics_bind, error=error.strerror)

    def _start_signs(self, **_: Any) -> None:
        parts = self._parts()
        self._signs = WorkerSigns(
            parts.heartbeats, parts.slots, metrics.busy_slots, parts.sweep_seconds
        )
        self._signs.start()

    def _stop_aside(self, **_: Any) -> None:
        self._is_stopping = True
        if self._timer is not None:
            self._timer.stop()
        if self._stop_metrics is not None:
            self._stop_metrics()
            self._stop_metrics = None
        if self._signs is not None:
            self._signs.stop()

    def _show_that_the_worker_lives(self, **_: Any) -> None:
        """The consumer's own loop sends heartbeats: one that has stopped to consume sends none."""
        self._process().show_sign("worker")

    def _watch_the_scheduler(self, **_: Any) -> None:
        after_task_publish.connect(self._show_that_the_scheduler_lives, weak=False)

    def _show_that_the_scheduler_lives(self, **_: Any) -> None:
        self._process().show_sign("scheduler")


def _begin_task(task_id: str, **_: Any) -> None:
    metrics.threads_busy.inc()
    structlog.contextvars.bind_contextvars(task_id=task_id)


def _end_task(**_: Any) -> None:
    """Celery tells of each end, a failure's too."""
    structlog.contextvars.clear_contextvars()
    metrics.threads_busy.dec()
