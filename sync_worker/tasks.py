"""The Celery application and its tasks: each a few lines around the intake.

``celery -A sync_worker.tasks worker``, ``… beat`` and ``… flower`` run alone, from the environment.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import structlog
from celery import Celery
from celery.signals import celeryd_init, setup_logging, task_postrun, task_prerun, worker_ready, worker_shutting_down
from kombu.exceptions import ConnectionLimitExceeded, OperationalError

from sync_worker.errors import SyncError
from sync_worker.intake import Intake
from sync_worker.logs import set_up_logs
from sync_worker.ports import RATE_LIMITED
from sync_worker.wiring import wiring

QUEUE_MOST = 200  # the sweeper rings up to here: a longer queue has lost nothing, and more rings would only lengthen it
SOON_SECONDS = 0.5
QUEUE = "sync"

log = structlog.get_logger(__name__)
app = Celery("sync_worker")
app.config_from_object("celeryconfig")


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
    try:
        outcome = intake().process(inbox_id)
    except SyncError as error:
        # The ledger itself did not answer: the row is as it was, and the sweeper rings again.
        log.warning("delivery_postponed", inbox_id=inbox_id, error=type(error).__name__, **_facts(error))
    else:
        log.info("delivery_processed", inbox_id=inbox_id, outcome=outcome)
        if outcome == RATE_LIMITED:
            for timer in _timers:
                timer.sweep_soon()


@app.task(name="sync_worker.tasks.sweep")
def sweep() -> None:
    """Ring for deliveries that are due: new ones whose doorbell was lost, retries, a dead worker's."""
    bell = WorkerBell()
    try:
        room = QUEUE_MOST - bell.waiting()
        due = wiring().ledger.due(room) if room > 0 else []
    except SyncError as error:
        log.warning("sweep_postponed", error=type(error).__name__, **_facts(error))
    except (OperationalError, ConnectionLimitExceeded) as error:
        log.warning("sweep_postponed", error=type(error).__name__)
    else:
        if due:
            log.info("swept", count=len(due))
            bell.ring(due)


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
            sweep()
        except Exception as error:  # whatever it is: without this thread, lost rings would wait for beat alone
            log.error("sweep_failed", error=type(error).__name__, exc_info=error)

    def sweep_soon(self) -> None:
        """The budget refused something for a moment: do not let it wait for the next round."""
        self._hurried.set()

    def stop(self) -> None:
        self._stopped.set()
        self._hurried.set()


_timers: list[SweepTimer] = []


@setup_logging.connect
def _set_up_logging(**_: Any) -> None:
    set_up_logs(wiring().settings)


@celeryd_init.connect
def _prepare(**_: Any) -> None:
    """Open the ledger (and bring it to the newest schema) before the first task comes."""
    intake()


@worker_ready.connect
def _start_sweeping(**_: Any) -> None:
    timer = SweepTimer(wiring().settings.sweep_seconds)
    _timers.append(timer)
    timer.start()


@worker_shutting_down.connect
def _stop_sweeping(**_: Any) -> None:
    for timer in _timers:
        timer.stop()


@task_prerun.connect
def _bind_log(task_id: str, **_: Any) -> None:
    structlog.contextvars.bind_contextvars(task_id=task_id)


@task_postrun.connect
def _unbind_log(**_: Any) -> None:
    structlog.contextvars.clear_contextvars()
