"""What each workaround brings that reaches into a library: the processes with it and without it, in
turns.

The figure is processor time, user and system, of the one process that does the work, for a fixed
number of ratings or webhooks. What a workaround prevents is shown as it happens without it. The
table of workarounds is in docs/architecture.md.
"""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field

from redis import Redis

from benchmarks.gateway import CONNECTOR, signed_webhooks, wait_until_it_answers
from benchmarks.ground import Ground, a_database, a_folder, ground, raised_budgets
from benchmarks.load import Client, post_all
from benchmarks.machine import children_of, processor_seconds_of
from benchmarks.probation_app import Workaround
from benchmarks.queue import PREFIX, Queue, check_that_all_crossed, store
from sync_sandbox.server import Sandbox, SandboxOptions
from sync_sandbox.wix.state import WixState
from sync_worker.runtime.local.commands import QUIET, gateway_command
from sync_worker.runtime.local.embedded_redis import embedded_redis
from sync_worker.runtime.local.free_port import free_port
from sync_worker.runtime.local.processes import Child, Processes

ALL, AFFINITY, DEADLINE = "all of them", "cpu-affinity", "deadline-worker"
RATING, NOTHING, WEBHOOK = "rating", "task of nothing", "webhook"
SLOTS = 8
THREADS = 4  # of the gateway, in one process
STAY_SECONDS = 8.0  # a worker that has survived a message for so long has survived it
PATIENCE_SECONDS = 12.0  # of a client at a gateway whose threads are all taken


@dataclass(frozen=True, slots=True)
class Size:
    """Of each round of each variant; one round more warms up.

    ``tasks``: that do nothing, so that only Celery and kombu work.
    """

    database: str = "sqlite"
    rounds: int = 5
    ratings: int = 100
    tasks: int = 500
    webhooks: int = 1000
    clients: int = 4


QUICK = Size(rounds=1, ratings=20, tasks=20, webhooks=40)


@dataclass
class Turns:
    """Processor milliseconds for each rating, task or webhook, one figure a round."""

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
        [*_worker_turns(size), _gateway_turns(size)],
        [*_message_faults(), *_slow_client_faults()],
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
        ratings = self.queue.drain("sync_worker.tasks.sync_delivery", ids)
        check_that_all_crossed(self.queue.at, ids)
        nothing = self.queue.drain("benchmarks.nothing", list(range(self.tasks)))
        return {RATING: ratings.cpu_ms, NOTHING: nothing.cpu_ms}


def _worker_turns(size: Size) -> list[Turns]:
    measured = [Workaround.KEPT_CLIENT, Workaround.GATHERED_EVENTS, AFFINITY]
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
        WORKER_CONCURRENCY=str(SLOTS),
        SWEEP_SECONDS="3600",
        WORKER_ONE_CORE=str(without != AFFINITY),
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


# -- the gateway ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gateway:
    """One process of ``THREADS`` threads behind gunicorn's master."""

    url: str
    child: Child

    def processor_seconds(self) -> float:
        return sum(processor_seconds_of(pid) for pid in children_of(self.child.process.pid))


def _gateway_turns(size: Size) -> Turns:
    turns, wix = Turns(DEADLINE, WEBHOOK), WixState()
    webhooks = signed_webhooks(wix)
    with ExitStack() as stack:
        folder = stack.enter_context(a_folder())
        redis = stack.enter_context(embedded_redis(folder / "redis"))
        url = stack.enter_context(a_database(size.database, folder))
        at = Ground(folder, redis, url)
        ours = stack.enter_context(_a_gateway(at, wix, is_ours=True))
        librarys = stack.enter_context(_a_gateway(at, wix, is_ours=False))
        for number in range(size.rounds + 1):
            figures = {}
            for gateway in (ours, librarys) if number % 2 == 0 else (librarys, ours):
                some = [next(webhooks) for _ in range(size.webhooks)]
                before = gateway.processor_seconds()
                load = post_all(gateway.url, some, size.clients)
                if load.statuses["200"] != len(some):
                    raise RuntimeError(f"the gateway answered {dict(load.statuses)}")
                worked = gateway.processor_seconds() - before
                figures[gateway.url] = worked / len(some) * 1000
            if number > 0:  # the first round opens connections
                turns.on.append(figures[ours.url])
                turns.off.append(figures[librarys.url])
    return turns


@contextmanager
def _a_gateway(at: Ground, wix: WixState, *, is_ours: bool) -> Iterator[Gateway]:
    """``is_ours``: with the worker class that the settings name, else with gunicorn's own."""
    bind, lines = f"127.0.0.1:{free_port()}", list[str]()
    environ = at.environ(
        WIX_PUBLIC_KEY=wix.public_key.replace("\n", "\\n"),
        WIX_APP_ID=wix.app_id,
        GATEWAY_BIND=bind,
        GATEWAY_PROCESSES="1",
        GATEWAY_THREADS=str(THREADS),
        **CONNECTOR,
    )
    environ = {**environ, "RATINGS_SYNC_HOME": str(at.folder / f"gateway-{is_ours}")}
    command = gateway_command() if is_ours else [*gateway_command(), "-k", "gthread"]
    with Processes(lambda name, line: lines.append(line), at.folder) as running:
        gateway = Gateway(f"http://{bind}/webhooks/wix", running.start("gateway", command, environ))
        wait_until_it_answers("gateway", gateway.url, gateway.child, lines)
        yield gateway


def _slow_client_faults() -> Iterator[Fault]:
    wix = WixState()
    body = next(signed_webhooks(wix))
    start = b"POST /webhooks/wix HTTP/1.1\r\nHost: x\r\n"
    situations = {
        "four silent clients for each thread are there first": [b""] * 4 * THREADS,
        "one client for each thread has sent the first lines of a request": [start] * THREADS,
    }
    for situation, starts in situations.items():
        answers = [_answer_beside(starts, body, wix, is_ours=is_ours) for is_ours in (True, False)]
        yield Fault(DEADLINE, situation, *answers)


def _answer_beside(starts: Sequence[bytes], body: bytes, wix: WixState, *, is_ours: bool) -> str:
    """What a webhook gets after a slow client has sent each of these, and nothing more."""
    with ground("sqlite") as at, _a_gateway(at, wix, is_ours=is_ours) as gateway:
        host, _, port = gateway.url.split("/")[2].partition(":")
        with ExitStack() as stack:
            for start in starts:
                slow = stack.enter_context(
                    closing(socket.create_connection((host, int(port)), PATIENCE_SECONDS))
                )
                slow.sendall(start)
            time.sleep(0.5)  # all of them are accepted
            client, started = Client(gateway.url, PATIENCE_SECONDS), time.monotonic()
            status = client.post(body)
            client.close()
            return f"{status} after {time.monotonic() - started:.1f} s"
