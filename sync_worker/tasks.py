"""The Celery application and its tasks: each a few lines around the intake.

``celery -A sync_worker.tasks worker``, ``… beat`` and ``… flower`` run alone, from the environment.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from celery import Celery
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
from kombu.exceptions import ConnectionLimitExceeded, OperationalError
from prometheus_client import REGISTRY

from sync_worker.alive import show_sign
from sync_worker.core.errors import SyncError
from sync_worker.core.outcome import Outcome, OutcomeKind
from sync_worker.intake.intake import Intake
from sync_worker.runtime.celery.broker import install_safe_transport
from sync_worker.runtime.celery.schedule import NightlySweeps
from sync_worker.runtime.celery.task_events import GatheredEvents
from sync_worker.runtime.cpu_affinity import CpuAffinity, cpu_affinity
from sync_worker.telemetry import metrics
from sync_worker.telemetry.figures import FiguresCollector
from sync_worker.telemetry.logs import set_up_logs
from sync_worker.wiring import wiring

# The sweeper rings up to here: a longer queue has lost nothing, and more rings would only lengthen
# it
MAX_QUEUE = 200
SOON_SECONDS = 0.5
QUEUE = "sync"
PRUNE_SECONDS = 45.0  # of each hour; well below the broker's visibility time-out

log = structlog.get_logger(__name__)
install_safe_transport()
app = Celery("sync_worker")
app.config_from_object("sync_worker.runtime.celery.settings")
app.steps["consumer"].add(GatheredEvents)


class WorkerBell:
    """Implements ports.Bell. A ring that fails is the sweeper's to repeat."""

    def waiting(self) -> int:
        """Messages in the queue. Raises OperationalError without a broker."""
        with app.pool.acquire(block=True, timeout=1.0) as connection:
            return int(connection.default_channel.queue_declare(QUEUE).message_count)

    def ring(self, inbox_ids: Sequence[int]) -> None:
        try:
            for inbox_id in inbox_ids:
                sync_delivery.apply_async(args=[inbox_id])
        except OperationalError as error:
            log.warning("doorbell_failed", error=type(error).__name__)


def intake() -> Intake:
    return wiring().intake(WorkerBell())


@app.task(name="sync_worker.tasks.sync_delivery")
def sync_delivery(inbox_id: int) -> None:
    """Process one delivery. Whatever happens, the inbox row knows what comes next."""
    structlog.contextvars.bind_contextvars(inbox_id=inbox_id)
    started = time.monotonic()
    try:
        outcome = _process(inbox_id)
    except SyncError as error:
        # The ledger itself did not answer: the row is as it was, and the sweeper rings again.
        log.warning("delivery_postponed", error=type(error).__name__, **_facts(error))
        metrics.count_outcome(Outcome(OutcomeKind.POSTPONED), time.monotonic() - started)
    else:
        log.info("delivery_processed", outcome=str(outcome))
        metrics.count_outcome(outcome, time.monotonic() - started)
        if outcome.kind is OutcomeKind.RATE_LIMITED:
            for timer in _timers:
                timer.sweep_soon()


def _process(inbox_id: int) -> Outcome:
    """What nobody foresaw is tried again as any failure: ever later, and held in the end.

    Raises SyncError.
    """
    try:
        return intake().process(inbox_id)
    except SyncError:
        raise
    except Exception as error:
        log.error("delivery_failed", error=type(error).__name__, exc_info=error)
        wiring().ledger.inbox.defer(
            [inbox_id], None, f"unforeseen: {type(error).__name__}", is_failure=True
        )
        return Outcome(OutcomeKind.FAILED)


@app.task(name="sync_worker.tasks.sweep")
def sweep(asked_by: str = "beat") -> None:
    """Ring for deliveries that are due: new ones whose doorbell was lost, retries, a dead
    worker's.
    """
    metrics.sweeps.labels(asked_by).inc()
    if asked_by == "beat":
        metrics.last_beat.set_to_current_time()
    bell = WorkerBell()
    try:
        room = MAX_QUEUE - bell.waiting()
        due = wiring().ledger.inbox.due(room) if room > 0 else []
    except SyncError as error:
        log.warning("sweep_postponed", error=type(error).__name__, **_facts(error))
    except (OperationalError, ConnectionLimitExceeded) as error:
        log.warning("sweep_postponed", error=type(error).__name__)
    else:
        if due:
            log.info("swept", count=len(due))
            metrics.swept.inc(len(due))
            bell.ring(due)


@app.task(name="sync_worker.tasks.prune")
def prune() -> None:
    """Forget what is older than the settings say, in small batches; what is left waits for the next
    hour.
    """
    until, forgotten = time.monotonic() + PRUNE_SECONDS, Counter[str]()
    try:
        for kind, count in wiring().retention.prune(wiring().kept):
            forgotten[kind] += count
            metrics.pruned.labels(kind).inc(count)
            if time.monotonic() > until:
                break
    except SyncError as error:
        log.warning("prune_postponed", error=type(error).__name__, **_facts(error))
    if forgotten:
        log.info("pruned", **forgotten)


@app.task(name="sync_worker.tasks.check_hooks")
def check_hooks() -> None:
    """Bring back webhooks that an external system has disabled: without them only scans see what
    happens.
    """
    for connector, hooks in wiring().hooks.items():
        try:
            enabled = hooks.enable()
        except SyncError as error:
            log.warning(
                "hook_check_failed",
                connector=connector,
                error=type(error).__name__,
                **_facts(error),
            )
        else:
            for hook in enabled:
                log.warning("hook_enabled_again", connector=connector, topic=hook.topic)


@app.task(name="sync_worker.tasks.reconcile_due")
def reconcile_due() -> None:
    """Sweep the sites whose time has come, for less than a minute; what is left goes on with the
    next tick or ring.
    """
    try:
        is_left = NightlySweeps(wiring()).work()
    except SyncError as error:
        log.warning("sweep_of_sites_postponed", error=type(error).__name__, **_facts(error))
    else:
        if is_left:
            _go_on()


def _go_on() -> None:
    """Ring for the next slice now; beat's tick is the repeat."""
    try:
        reconcile_due.apply_async(expires=60.0)
    except OperationalError as error:
        log.warning("doorbell_failed", error=type(error).__name__)


def _facts(error: SyncError) -> dict[str, Any]:
    return {"facts": str(error.facts)} if str(error.facts) else {}


class SweepTimer:
    """Sweeps from inside each worker too, so that beat is no single point of failure."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._stopped, self._hurried = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._hurried.wait(max(0.0, self._seconds - SOON_SECONDS))
            self._stopped.wait(SOON_SECONDS)
            self._hurried.clear()
            if not self._stopped.is_set():
                self._sweep()

    def _sweep(self) -> None:
        try:
            sweep("timer")
        except (
            Exception
        ) as error:  # whatever it is: without this thread, lost rings would wait for beat alone
            log.error("sweep_failed", error=type(error).__name__, exc_info=error)

    def sweep_soon(self) -> None:
        """The budget refused something for a moment: do not let it wait for the next round."""
        self._hurried.set()

    def stop(self) -> None:
        self._stopped.set()
        self._hurried.set()


_timers: list[SweepTimer] = []
_cores: list[CpuAffinity] = []
_closings: list[Callable[[], None]] = []


@setup_logging.connect
def _set_up_logging(**_: Any) -> None:
    set_up_logs(wiring().settings)


@celeryd_init.connect
def _prepare(**_: Any) -> None:
    """Open the ledger (and bring it to the newest schema) before the first task comes."""
    intake()
    core = cpu_affinity() if wiring().settings.worker_one_core else None
    if core is not None:
        _cores.append(core)


@worker_ready.connect
def _start_sweeping(**_: Any) -> None:
    timer = SweepTimer(wiring().settings.sweep_seconds)
    _timers.append(timer)
    timer.start()


@worker_ready.connect
def _start_metrics(**_: Any) -> None:
    settings = wiring().settings
    token = settings.metrics_token
    if not settings.metrics_bind or token is None:  # the settings refuse an address without a token
        return
    metrics.slots.set(settings.slots)
    REGISTRY.register(FiguresCollector(wiring().ledger_figures, wiring().broker_figures))
    try:
        stop = metrics.serve_metrics(settings.metrics_bind, token.get_secret_value())
    except OSError as error:
        log.error(
            "metrics_not_served", bind=settings.metrics_bind, error=error.strerror
        )  # the work goes on
    else:
        _closings.append(stop)


@worker_shutting_down.connect
def _stop_aside(**_: Any) -> None:
    for timer in _timers:
        timer.stop()
    while _closings:
        _closings.pop()()


@heartbeat_sent.connect
def _show_that_the_worker_lives(**_: Any) -> None:
    """The consumer's own loop sends heartbeats: one that has stopped to consume sends none."""
    show_sign(wiring().settings.ratings_sync_home, "worker")


@heartbeat_sent.connect
def _look_for_a_better_core(**_: Any) -> None:
    """Where the system no longer lets us, the process stays as it is."""
    for core in tuple(_cores):
        try:
            core.look()
        except OSError as error:
            _cores.remove(core)
            log.warning("core_kept", error=error.strerror)


@beat_init.connect
def _show_that_the_scheduler_lives(**_: Any) -> None:
    @after_task_publish.connect(weak=False)
    def _published(**_: Any) -> None:
        show_sign(wiring().settings.ratings_sync_home, "scheduler")


@task_prerun.connect
def _bind_log(task_id: str, **_: Any) -> None:
    metrics.slots_busy.inc()
    structlog.contextvars.bind_contextvars(task_id=task_id)


@task_postrun.connect
def _unbind_log(**_: Any) -> None:
    metrics.slots_busy.dec()
    structlog.contextvars.clear_contextvars()
