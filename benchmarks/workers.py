"""How many ratings a worker process brings across in a second, against Celery tasks that do nothing
on the same pool.

Every rating is new: contact and entity are mapped, the external record is created. One fleet goes
through all rounds:
tasks of nothing, then ratings at each latency of the remotes, then tasks of nothing again.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import requests

from benchmarks.ground import Ground, ground, raised_budgets
from benchmarks.machine import memory_of
from benchmarks.queue import Queue, check_that_all_crossed, store
from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.core.ports.doorbell import DELIVERY_TASK
from sync_worker.runtime.local.commands import QUIET
from sync_worker.runtime.local.processes import Processes

MAX_SECONDS = 15.0  # of a round whose rate a latency bounds
CALLS = 15  # of a bare client, to see what the stand-in itself takes


@dataclass(frozen=True, slots=True)
class Size:
    """``count``: ratings in a round; fewer where the remotes are slow. ``http``: slots and
    latencies over real HTTP.

    ``shared``: of ``http_slots``, those also shared out over two processes, where the database
    serves more than one.
    """

    databases: tuple[str, ...] = ("postgresql", "sqlite")
    slots: tuple[int, ...] = (8, 16, 32)
    latencies_ms: tuple[int, ...] = (0, 20, 80, 200)
    http_slots: tuple[int, ...] = (8, 16, 32)
    http_latencies_ms: tuple[int, ...] = (0, 80)
    shared: tuple[int, ...] = (8, 16)
    count: int = 2000


QUICK = Size(("sqlite",), (4,), (0, 20), (4,), (20,), (), 40)


@dataclass(frozen=True, slots=True)
class Rate:
    """Ratings a second at one latency of the remotes. ``bound``: slots ÷ latency; ``None`` without
    a latency.

    ``cpu_ms``: processor time of the workers for each rating. Python runs one thread at a time, so
    no more than 1,000 ÷ ``cpu_ms`` can cross a process in a second, whatever its slots.
    ``call_ms``: median of what a call over HTTP takes a bare client while nothing else is at work.
    """

    latency_ms: int
    count: int
    each_second: float
    bound: float | None
    cpu_ms: float
    call_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """One fleet. ``slots``: of all its processes; ``remotes``: ``memory`` or ``HTTP``;
    ``memory_mb``: of one process.

    ``nothing_each_second``: tasks that do nothing.
    """

    database: str
    remotes: str
    slots: int
    rates: Sequence[Rate]
    memory_mb: float
    processes: int = 1
    nothing_each_second: float | None = None


def measure(size: Size) -> list[Round]:
    """Raises RuntimeError if a worker does not get through, or a rating has not crossed."""
    rounds = []
    for database in size.databases:
        with ground(database) as at:
            rounds += [_in_memory(at, database, slots, size) for slots in size.slots]
        for slots, processes in _fleets(database, size):
            with ground(database) as at:
                rounds.append(_over_http(at, database, slots, processes, size))
    return rounds


def _fleets(database: str, size: Size) -> list[tuple[int, int]]:
    """Slots and processes. SQLite serves one worker process."""
    fleets = [(slots, 1) for slots in size.http_slots]
    if database != "sqlite":
        fleets += [(slots, 2) for slots in size.http_slots if slots in size.shared]
    return sorted(fleets)


def _in_memory(at: Ground, database: str, slots: int, size: Size) -> Round:
    with workers_at(at, "benchmarks.worker_app", slots, CONNECTORS="own-service") as queue:
        nothing = [queue.drain("benchmarks.nothing", list(range(size.count))).each_second]
        rates = []
        for latency in size.latencies_ms:
            bound, count = _bound(slots, latency), _count(slots, latency, size)
            ids = store(at, f"memory-{latency}-{slots}", count)
            rates.append(_rate(queue, "benchmarks.sync", ids, latency, bound))
        nothing.append(queue.drain("benchmarks.nothing", list(range(size.count))).each_second)
        memory = memory_of(queue.workers[0].process.pid, "worker").resident
        return Round(
            database,
            "memory",
            slots,
            rates,
            memory,
            nothing_each_second=sum(nothing) / len(nothing),
        )


def _over_http(at: Ground, database: str, slots: int, processes: int, size: Size) -> Round:
    """The workers as they run in production, against the stand-in review service."""
    with Sandbox(SandboxOptions(rate_per_minute=None)) as box:
        settings = box.settings() | raised_budgets(at.folder)
        counts = [_count(slots, latency, size) for latency in size.http_latencies_ms]
        ids = store(at, "own-service", sum(counts))
        with workers_at(at, "sync_worker.tasks", slots, processes, **settings) as queue:
            rates = []
            for latency, count in zip(size.http_latencies_ms, counts, strict=True):
                box.reviews.faults.latency_ms = latency
                some, ids = ids[:count], ids[count:]
                call_ms, bound = _call_ms(box), _bound(slots, latency)
                rate = _rate(queue, DELIVERY_TASK, some, latency, bound)
                rates.append(replace(rate, call_ms=call_ms))
            if len(box.reviews.ratings) != sum(counts):
                raise RuntimeError(f"{len(box.reviews.ratings)} of {sum(counts)} ratings crossed")
            memory = memory_of(queue.workers[0].process.pid, "worker").resident
        return Round(database, "HTTP", slots, rates, memory, processes)


def _rate(queue: Queue, task: str, ids: Sequence[int], latency: int, bound: float | None) -> Rate:
    drained = queue.drain(task, ids)
    check_that_all_crossed(queue.at, ids)
    return Rate(latency, len(ids), drained.each_second, bound, drained.cpu_ms)


def _call_ms(box: Sandbox) -> float:
    headers = {"Authorization": f"Bearer {box.reviews.token}"}
    took = []
    with requests.Session() as client:
        for _ in range(CALLS):
            started = time.perf_counter()
            client.get(
                f"{box.reviews_url}/v1/ratings?limit=1", headers=headers, timeout=MAX_SECONDS
            ).raise_for_status()
            took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took)


def _bound(slots: int, latency_ms: int) -> float | None:
    return slots / (latency_ms / 1000) if latency_ms else None


def _count(slots: int, latency_ms: int, size: Size) -> int:
    bound = _bound(slots, latency_ms)
    return size.count if bound is None else min(size.count, int(bound * MAX_SECONDS))


@contextmanager
def workers_at(
    at: Ground, app: str, slots: int, processes: int = 1, **settings: str
) -> Iterator[Queue]:
    """Workers whose own sweepers rest: every message is one that we sent."""
    environ = at.environ(WORKER_SLOTS=str(slots // processes), SWEEP_SECONDS="3600", **settings)
    lines: list[str] = []
    with Processes(lambda name, line: lines.append(line), at.folder) as running:
        command = ["-m", "celery", "-A", app, "worker", "-Q", "sync,maint", *QUIET]
        names = [f"worker {one + 1}" for one in range(processes)]
        yield Queue(
            at,
            [running.start(name, [*command, "-n", f"{name[-1]}@%h"], environ) for name in names],
            lines,
        )
