"""What each workaround brings that reaches into a library: the processes with it and without it, in
turns.

The figure is processor time, user and system, of the one process that does the work, for a fixed
number of ratings. What a workaround prevents is shown as it happens without it. The
table of workarounds is in docs/architecture.md.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from redis import Redis

from benchmarks.gateway import CONNECTOR
from benchmarks.ground import Ground, ground, raised_budgets
from benchmarks.probation_app import Workaround
from benchmarks.queue import PREFIX, Queue, check_that_all_crossed, store
from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.core.ports.doorbell import DELIVERY_TASK
from sync_worker.runtime.local.commands import QUIET
from sync_worker.runtime.local.processes import Processes

ALL = "all of them"
RATING, NOTHING = "rating", "task of nothing"
SLOTS = 8
STAY_SECONDS = 8.0  # a worker that has survived a message for so long has survived it


@dataclass(frozen=True, slots=True)
class Size:
    """Of each round of each variant; one round more warms up.

    ``tasks``: that do nothing, so that only Celery and kombu work.
    """

    database: str = "sqlite"
    rounds: int = 5
    ratings: int = 100
    tasks: int = 500


QUICK = Size(rounds=1, ratings=20, tasks=20)


@dataclass
class Turns:
    """Processor milliseconds for each rating or task, one figure a round."""

    workaround: str
    per: str
    on: list[float] = field(default_factory=list)
    off: list[float] = field(default_factory=list)

    @property
    def savings(self) -> list[float]:
        """Of each round: the share of the time without it that it saves."""
        return [1 - on / off for on, off in zip(self.on, self.off, strict=True)]

    @property
    def saving(self) -> float:
        return statistics.median(self.savings)


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens with a workaround, and without it."""

    workaround: str
    situation: str
    on: str
    off: str


@dataclass(frozen=True, slots=True)
class Figures:
    turns: Sequence[Turns]
    faults: Sequence[Fault]


def measure(size: Size) -> Figures:
    """Raises RuntimeError if a process does not get through."""
    return Figures(
        _worker_turns(size),
        list(_message_faults()),
    )


# -- the worker -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Variant:
    """A worker with its own Redis and its own ratings, stored beforehand."""

    queue: Queue
    rounds: list[list[int]]
    tasks: int

    def drain_one(self) -> dict[str, float]:
        """Processor milliseconds for each rating of the next round, and for a task of nothing."""
        ids = self.rounds.pop()
        ratings = self.queue.drain(DELIVERY_TASK, ids)
        check_that_all_crossed(self.queue.at, ids)
        nothing = self.queue.drain("benchmarks.nothing", list(range(self.tasks)))
        return {RATING: ratings.cpu_ms, NOTHING: nothing.cpu_ms}


def _worker_turns(size: Size) -> list[Turns]:
    measured = [Workaround.KEPT_CLIENT, Workaround.GATHERED_EVENTS]
    turns = [Turns(str(name), per) for per in (RATING, NOTHING) for name in measured]
    with ExitStack() as stack:
        box = stack.enter_context(Sandbox(SandboxOptions(rate_per_minute=None)))
        variants = {
            name: stack.enter_context(_worker_without(name, size, box)) for name in [ALL, *measured]
        }
        for variant in variants.values():
            variant.drain_one()
        for number in range(size.rounds):
            # Forwards and backwards, so that what drifts on the machine strikes all alike.
            names = list(variants)[:: 1 if number % 2 == 0 else -1]
            figures = {name: variants[name].drain_one() for name in names}
            for one in turns:
                one.on.append(figures[ALL][one.per])
                one.off.append(figures[one.workaround][one.per])
    return turns


@contextmanager
def _worker_without(name: str, size: Size, box: Sandbox) -> Iterator[Variant]:
    """The whole worker as in production, against the stand-in review service."""
    with ground(size.database) as at:
        settings = {**box.settings(), **raised_budgets(at.folder)}
        ids = store(at, "own-service", size.ratings * (size.rounds + 1))
        rounds = [ids[first : first + size.ratings] for first in range(0, len(ids), size.ratings)]
        with _a_worker(at, name, settings) as queue:
            yield Variant(queue, rounds, size.tasks)


@contextmanager
def _a_worker(at: Ground, without: str, settings: Mapping[str, str]) -> Iterator[Queue]:
    removed = without if without in set(Workaround) else ""
    environ = at.environ(
        WORKER_SLOTS=str(SLOTS),
        SWEEP_SECONDS="3600",
        PROBATION_WITHOUT=removed,
        **settings,
    )
    command = ["-m", "celery", "-A", "benchmarks.probation_app", "worker", "-Q", "sync,maint"]
    lines: list[str] = []
    with Processes(lambda name, line: lines.append(line), at.folder) as running:
        yield Queue(at, [running.start("worker", [*command, *QUIET], environ)], lines)


def _message_faults() -> Iterator[Fault]:
    """One message that no worker can read, in the queue of a worker at rest."""
    situations = {
        Workaround.DROPPED_NO_JSON: ("a message that is no JSON", b"no json"),
        Workaround.DROPPED_NO_TASK: (
            "a message that is JSON, but no task",
            b"[1, 2]",
        ),
    }
    for workaround, (situation, message) in situations.items():
        ends = [_how_a_worker_takes(message, without) for without in (ALL, workaround)]
        yield Fault(str(workaround), situation, *ends)


def _how_a_worker_takes(message: bytes, without: str) -> str:
    with (
        ground("sqlite") as at,
        _a_worker(at, without, CONNECTOR) as queue,
        Redis.from_url(at.redis.url) as redis,
    ):
        queue.wait_until_it_listens(redis)
        redis.lpush(f"{PREFIX}sync", message)
        worker, until = queue.workers[0].process, time.monotonic() + STAY_SECONDS
        while worker.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        status, left = worker.poll(), int(redis.llen(f"{PREFIX}sync"))
        kept = int(redis.hlen(f"{PREFIX}unacked"))
    if status is None:
        return "the worker goes on"
    back = "; the message is back in the queue" if left + kept else ""
    return f"the worker ends with status {status}{back}"
