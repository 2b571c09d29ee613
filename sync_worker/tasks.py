"""The Celery application and its tasks: each a few lines around a part of the worker.

``celery -A sync_worker.tasks worker``, ``… beat`` and ``… flower`` run alone, from the environment.
What only a worker needs is imported as it is needed: the scheduler and Flower start in a third of
the time, and with half of the memory.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from prometheus_client.registry import Collector

from sync_worker.alive import show_sign
from sync_worker.config import environment, load_settings, misspelt_names
from sync_worker.core.errors import SyncError
from sync_worker.core.outcome import Outcome, OutcomeKind
from sync_worker.core.ports.doorbell import DELIVERY_TASK
from sync_worker.core.ports.site_sides import PROBE_SECONDS
from sync_worker.doctor.live import asked_tasks
from sync_worker.files.state_folder import make_private_folder
from sync_worker.runtime.celery.batch import Batch
from sync_worker.runtime.celery.bell import BROKER_AWAY, WorkerBell
from sync_worker.runtime.celery.broker import install_safe_transport
from sync_worker.runtime.celery.dashboard import (
    DeliveryRequest,
    Postponed,
    Shown,
    ShownTogether,
    Tick,
)
from sync_worker.runtime.celery.queued import Queued
from sync_worker.runtime.celery.task_events import GatheredEvents
from sync_worker.runtime.celery.worker_signals import ProcessParts, SignalParts, WorkerSignals
from sync_worker.telemetry import metrics

if TYPE_CHECKING:
    from sync_worker.intake.intake import Opened
    from sync_worker.wiring.worker import WorkerWiring

PROBE_TASK_SECONDS = 45.0  # what is left waits for the next sweep
LOOKS_SECONDS = 20.0  # after which no further site's look begins
PRUNE_SECONDS = 45.0  # of each hour; well below the broker's visibility time-out

# What tasks import as they need it, and a worker as it starts.
LATER = (
    "sync_worker.doctor.evidence",
    "sync_worker.doctor.gauges",
    "sync_worker.doctor.live.asked",
    "sync_worker.runtime.celery.schedule",
    "sync_worker.telemetry.figures",
    "sync_worker.wiring.databases",
    "sync_worker.wiring.farewells",
    "sync_worker.wiring.hook_checks",
    "sync_worker.wiring.worker",
)

log = structlog.get_logger(__name__)
install_safe_transport()
app = Celery("sync_worker")
app.config_from_object("sync_worker.runtime.celery.settings")
app.steps["consumer"].add(GatheredEvents)
asked_tasks.add_tasks(app)
bell = WorkerBell(app)


def worker() -> WorkerWiring:
    """The parts of this process, from its environment."""
    from sync_worker.wiring.worker import worker_wiring

    return worker_wiring(bell)


@app.task(name=DELIVERY_TASK, Request=DeliveryRequest)
def sync_delivery(inbox_id: int, *others: int) -> Shown | ShownTogether:
    """Process one delivery, or several of a site, each as by itself.

    Whatever happens, the inbox row knows what comes next.
    """
    if others:
        came = sync_delivery.request.delivery_info or {}
        batch = Batch(sync_delivery.run, bell.ring_for_each, signals.is_stopping)
        return batch.work_off((inbox_id, *others), comes_again=bool(came.get("redelivered")))
    structlog.contextvars.bind_contextvars(inbox_id=inbox_id)
    started = time.monotonic()
    opened: list[Opened] = []
    try:
        outcome = worker().intake.process(inbox_id, opened.append)
    except SyncError as error:
        outcome = _postpone(error)
    except Exception as error:
        outcome = _count_failure(inbox_id, error)
    if outcome.kind is not OutcomeKind.POSTPONED:
        log.info("delivery_processed", outcome=str(outcome))
    metrics.count_outcome(outcome, time.monotonic() - started)
    if outcome.kind is OutcomeKind.RATE_LIMITED:
        signals.sweep_soon()
    return Shown(inbox_id, outcome, opened)


def _postpone(error: SyncError) -> Outcome:
    """The ledger itself did not answer: the row is as it was, and the sweeper rings again."""
    log.warning("delivery_postponed", error=type(error).__name__, **_facts(error))
    return Outcome(OutcomeKind.POSTPONED)


def _count_failure(inbox_id: int, error: Exception) -> Outcome:
    """An unexpected error counts as a failed attempt: tried ever later, and held in the end."""
    name = type(error).__name__
    log.error("delivery_failed", error=name, exc_info=error)
    try:
        worker().ledger.inbox.defer([inbox_id], None, f"unforeseen: {name}", is_failure=True)
    except SyncError as ledger_error:
        return _postpone(ledger_error)
    return Outcome(OutcomeKind.FAILED)


@app.task(name="sync_worker.tasks.sweep", base=Tick)
def sweep(asked_by: str = "beat") -> str:
    """Ring for what is due: new deliveries whose doorbell was lost, retries, a dead worker's."""
    metrics.sweeps.labels(asked_by).inc()
    if asked_by == "beat":
        metrics.last_beat.set_to_current_time()
        signals.note_scheduler(sweep.request.origin)
    queued = _queued()
    try:
        # Without room too: the ledger notes its time.
        room, ids = (queued.room, queued.ids) if queued else (0, ())
        due = worker().ledger.inbox.due_in_lanes(room, ids)
    except SyncError as error:
        log.warning("sweep_postponed", error=type(error).__name__, **_facts(error))
        return Postponed(error.message)
    if queued is None:
        return ""
    count = len(due.all)
    if count:
        log.info("swept", count=count)
        metrics.swept.inc(count)
        bell.ring_in_lanes(due, queued.waiting)
    _ask_accounts()
    return f"rang for {count} deliveries" if count else ""


def _queued() -> Queued | None:
    """What waits in the queue; ``None``: Redis does not answer."""
    try:
        return bell.queued()
    except BROKER_AWAY as error:
        log.warning("sweep_postponed", error=type(error).__name__)
        return None


def _ask_accounts() -> None:
    """Ring for the accounts that remotes refuse, if the turn of one has come."""
    try:
        if worker().ledger.site_sides.are_due():
            probe_accounts.apply_async(expires=PROBE_SECONDS)
    except SyncError as error:
        log.warning("probe_postponed", error=type(error).__name__, **_facts(error))
    except OperationalError as error:
        log.warning("doorbell_failed", error=type(error).__name__)


@app.task(name="sync_worker.tasks.probe_accounts", base=Tick)
def probe_accounts() -> str:
    """Ask the refused accounts whose turn has come; what waited for one that works goes on."""
    until, watch = time.monotonic() + PROBE_TASK_SECONDS, worker().intake.engine.account_watch
    recovered = 0
    try:
        while worker().ledger.site_sides.are_due() and time.monotonic() < until:
            if now_recovered := watch.probe_some():
                log.info("accounts_recovered", count=now_recovered)
                recovered += now_recovered
    except SyncError as error:
        log.warning("probe_postponed", error=type(error).__name__, **_facts(error))
        return Postponed(error.message)
    return f"{recovered} accounts are accepted again" if recovered else ""


@app.task(name="sync_worker.tasks.prune", base=Tick)
def prune() -> str:
    """Forget what is older than the settings say, in batches; the rest waits for the next hour."""
    from sync_worker.wiring.databases import retention_of

    until, forgotten = time.monotonic() + PRUNE_SECONDS, Counter[str]()
    for kind, step in worker().retention.steps(retention_of(worker().settings)).items():
        try:
            while time.monotonic() < until and (count := step()) > 0:
                forgotten[kind] += count
                metrics.pruned.labels(kind).inc(count)
        except SyncError as error:
            log.warning("prune_postponed", error=type(error).__name__, **_facts(error))
            break
        except Exception as error:
            # The other kinds of rows have nothing to do with it.
            log.error("prune_failed", kind=kind, error=type(error).__name__, exc_info=error)
    # What is erased stood in it; a reader may have kept it then.
    worker().retention.forget_log()
    if forgotten:
        log.info("pruned", **forgotten)
    return ", ".join(f"{count} {kind} forgotten" for kind, count in forgotten.items())


@app.task(name="sync_worker.tasks.check_hooks", base=Tick)
def check_hooks() -> str:
    """Enable webhooks again that an external system has disabled: without them only scans see."""
    from sync_worker.wiring.hook_checks import hooks_due, look_at_hooks

    try:
        # What they would have told meanwhile is found by a whole scan, which is due then.
        return look_at_hooks(worker(), hooks_due(worker()), _go_on)
    except SyncError as error:
        log.warning("hook_checks_postponed", error=type(error).__name__, **_facts(error))
        return Postponed(error.message)


@app.task(name="sync_worker.tasks.say_farewell", base=Tick)
def say_farewell() -> str:
    """Take our webhooks from shops that we leave, and wipe the secrets of those that have ended."""
    from sync_worker.wiring.farewells import say_farewells

    try:
        return say_farewells(worker())
    except SyncError as error:
        log.warning("farewells_postponed", error=type(error).__name__, **_facts(error))
        return Postponed(error.message)


@app.task(name="sync_worker.tasks.resume_sites", base=Tick)
def resume_sites() -> str:
    """Let sites go on whose pause is over."""
    try:
        by_site = worker().pauses.resume_due()
    except SyncError as error:
        log.warning("resumptions_postponed", error=type(error).__name__, **_facts(error))
        return Postponed(error.message)
    for released in by_site:
        bell.ring(released)
    return f"{len(by_site)} sites go on" if by_site else ""


@app.task(name="sync_worker.tasks.look_for_products", base=Tick)
def look_for_products() -> str:
    """Read the catalogues of sites where something unknown has come, for less than a minute."""
    try:
        return "; ".join(worker().products.look_where_due(LOOKS_SECONDS))
    except SyncError as error:
        log.warning("looks_postponed", error=type(error).__name__, **_facts(error))
        return Postponed(error.message)


@app.task(name="sync_worker.tasks.reconcile_due", base=Tick)
def reconcile_due() -> str:
    """Sweep the sites whose time has come, for less than a minute; the next slice goes on."""
    from sync_worker.runtime.celery.schedule import SLICE_SECONDS
    from sync_worker.wiring.hook_checks import WATCHED_SECONDS, hooks_watched, look_at_hooks

    until = time.monotonic() + SLICE_SECONDS
    try:
        worker().accounts.look_after_sites(bell)
        if opened := worker().accounts.release_opened(bell):
            log.info("accounts_opened", deliveries=opened)
        # Those to look at sooner than by their schedule.
        if ours := hooks_watched(worker()):
            look_at_hooks(worker(), ours, _go_on, WATCHED_SECONDS)
        # Both together stay below the broker's visibility time-out.
        slice_of_runs = worker().nightly_sweeps(max(0.0, until - time.monotonic()))
        is_left = slice_of_runs.work()
    except SyncError as error:
        log.warning("sweep_of_sites_postponed", error=type(error).__name__, **_facts(error))
        return Postponed(error.message)
    if is_left:
        _go_on()
    return ", ".join(slice_of_runs.turns)


def _go_on() -> None:
    """Ring for the next slice now; beat's tick is the repeat."""
    try:
        reconcile_due.apply_async(expires=60.0)
    except OperationalError as error:
        log.warning("doorbell_failed", error=type(error).__name__)


def _facts(error: SyncError) -> dict[str, Any]:
    return {"facts": str(error.facts)} if str(error.facts) else {}


@cache
def _process_parts() -> ProcessParts:
    settings = load_settings(environment())
    # The scheduler's plan stands there, and the signs of life of both.
    make_private_folder(settings.ratings_sync_home)
    return ProcessParts(
        log_format=settings.log_format,
        log_level=settings.log_level,
        misspelt=misspelt_names(environment()),
        show_sign=lambda part: show_sign(settings.ratings_sync_home, part),
    )


def _prepare() -> None:
    """Open the ledger, with all code in memory: an upgrade on the disk mixes no two versions."""
    for name in LATER:
        import_module(name)
    worker().prepare()


def _signal_parts() -> SignalParts:
    parts, settings = worker(), worker().settings
    token = settings.metrics_token
    return SignalParts(
        prepare=_prepare,
        sweep=lambda: sweep("timer"),
        sweep_seconds=settings.sweep_seconds,
        figures=_figures(parts),
        slots=settings.slots,
        threads=settings.threads,
        metrics_bind=settings.metrics_bind,
        metrics_token=token.get_secret_value() if token is not None else None,
        heartbeats=parts.heartbeats,
        remotes=lambda: parts.remote_names,
    )


def _figures(parts: WorkerWiring) -> Sequence[Collector]:
    from sync_worker.doctor.evidence import addresses, local_evidence, looks_at
    from sync_worker.doctor.gauges import TroubleGauges
    from sync_worker.telemetry.figures import FiguresCollector

    databases, broker = parts.databases, parts.redis.broker_figures
    return [
        FiguresCollector(databases.figures, broker, databases.up_check.is_up),
        TroubleGauges(
            lambda: local_evidence(parts),
            lambda evidence: looks_at(addresses(parts, evidence, {})),
        ),
    ]


signals = WorkerSignals(_process_parts, _signal_parts)
signals.connect()
