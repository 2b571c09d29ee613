"""The two that are compared: a whole installation of ours, and the flow of a tutorial, each between
stand-ins of its own.
"""

from __future__ import annotations

import json
import socket
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from redis import Redis

from benchmarks.ground import a_folder, a_stage, least_environ
from benchmarks.machine import children_of
from sync_sandbox.server import Sandbox, SandboxOptions
from sync_sandbox.stage import Stage
from sync_sandbox.wix_side import NO_WORDS, wix_side
from sync_worker.core.values import WixKind
from sync_worker.runtime.local.commands import QUIET
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis, embedded_redis
from sync_worker.runtime.local.free_port import free_port
from sync_worker.runtime.local.processes import Child, Processes
from sync_worker.runtime.waiting import wait_until

OURS, TUTORIAL = "ours", "tutorial"
START_SECONDS = 60.0


class Flow(Protocol):
    """One of the two, at work. ``products``: Wix id to external id."""

    @property
    def name(self) -> str: ...

    @property
    def box(self) -> Sandbox: ...

    @property
    def products(self) -> Mapping[str, str]: ...

    def processes(self) -> dict[str, list[int]]:
        """Ids of all processes, by what they are; without the stand-ins."""

    def is_quiet(self) -> bool:
        """No webhook on its way, nothing queued or in hand."""

    def kill_worker(self) -> None:
        """SIGKILL to the worker, which is started again at once."""

    def wipe_redis(self) -> None:
        """FLUSHALL."""


@dataclass(frozen=True)
class Ours:
    """Implements Flow."""

    stage: Stage
    name: str = OURS

    @property
    def box(self) -> Sandbox:
        return self.stage.box

    @property
    def products(self) -> Mapping[str, str]:
        return self.stage.products

    def processes(self) -> dict[str, list[int]]:
        parts = self.stage.parts.parts.items()
        found = {name.removesuffix(" 1"): _family(part.child) for name, part in parts}
        if self.stage.parts.redis is not None:
            found["Redis"] = [self.stage.parts.redis.pid]
        postmaster = self.stage.folder / "postgresql" / "postmaster.pid"
        if postmaster.is_file():
            pid = int(postmaster.read_text().splitlines()[0])
            found["PostgreSQL"] = [pid, *children_of(pid)]
        return found

    def is_quiet(self) -> bool:
        return self.stage.is_quiet()

    def kill_worker(self) -> None:
        self.stage.parts.restart(next(one for one in self.stage.parts.parts if "worker" in one))

    def wipe_redis(self) -> None:
        with Redis.from_url(self.stage.redis_url) as redis:
            redis.flushall()


def _family(child: Child) -> list[int]:
    """A process, and those that it has forked before it had threads."""
    return [child.process.pid, *children_of(child.process.pid)]


@dataclass
class Tutorial:
    """Implements Flow."""

    box: Sandbox
    products: Mapping[str, str]
    redis: EmbeddedRedis
    running: Processes
    environ: Mapping[str, str]
    slots: int
    name: str = TUTORIAL
    children: dict[str, Child] = field(default_factory=dict)

    def start(self) -> None:
        """Raises RuntimeError if a process does not come up."""
        gateway = ["-m", "benchmarks.tutorial"]
        self.children["gateway"] = self.running.start("gateway", gateway, self.environ)
        if not wait_until(self._answers, START_SECONDS, pause_seconds=0.05):
            raise RuntimeError("the gateway of the tutorial does not answer")
        self._start_worker()

    def _start_worker(self) -> None:
        command = ["-m", "celery", "-A", "benchmarks.tutorial", "worker", *QUIET]
        command += ["--pool", "threads", "--concurrency", str(self.slots)]
        self.children["worker"] = self.running.start("worker", command, self.environ)
        if not wait_until(self._listens, START_SECONDS, pause_seconds=0.05):
            raise RuntimeError("the worker of the tutorial does not listen")

    def _answers(self) -> bool:
        host, _, port = self.environ["GATEWAY_BIND"].partition(":")
        with suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return True
        return False

    def _listens(self) -> bool:
        with Redis.from_url(self.redis.url) as redis:
            return any(one["cmd"] == "brpop" for one in redis.client_list())

    def processes(self) -> dict[str, list[int]]:
        found = {name: _family(child) for name, child in self.children.items()}
        return {**found, "Redis": [self.redis.pid]}

    def is_quiet(self) -> bool:
        if self.box.wix.webhooks.pending() or self.box.reviews.webhooks.pending():
            return False
        with Redis.from_url(self.redis.url) as redis:
            # Celery acknowledges as it begins: what its threads have in hand stands nowhere.
            return not redis.llen("celery") and not redis.hlen("unacked")

    def kill_worker(self) -> None:
        self.running.kill(self.children["worker"])
        self._start_worker()

    def wipe_redis(self) -> None:
        with Redis.from_url(self.redis.url) as redis:
            redis.flushall()


@contextmanager
def our_flow(database: str, slots: int, products: Mapping[str, str]) -> Iterator[Ours]:
    """A whole installation with one worker process of so many slots."""
    with a_stage(database, products, {"WORKER_SLOTS": str(slots)}) as stage:
        yield Ours(stage)


@contextmanager
def tutorial_flow(slots: int, products: Mapping[str, str]) -> Iterator[Tutorial]:
    """Its route on our server, and one worker process of so many threads.

    If it breaks, what its processes said last is printed on standard error.
    """
    options = SandboxOptions(rate_per_minute=None, sender_threads=8, retry_scale=0.003)
    lines: deque[str] = deque(maxlen=40)
    with (
        a_folder() as folder,
        embedded_redis(folder / "redis") as redis,
        Sandbox(options) as box,
        Processes(lambda name, line: lines.append(f"{name} | {line}"), folder) as running,
    ):
        bind = f"127.0.0.1:{free_port()}"
        settings = {
            "RATINGS_SYNC_HOME": str(folder),
            "GATEWAY_BIND": bind,
            "LOG_LEVEL": "ERROR",
            "REDIS_URL": redis.url,
            "TUTORIAL_FILE": str(_addresses(box, products, folder)),
            "PYTHONPATH": str(Path(__file__).parents[1]),
        }
        environ = {**least_environ(), **box.settings(folder), **settings}
        flow = Tutorial(box, products, redis, running, environ, slots)
        try:
            flow.start()
            box.send_webhooks_to(f"http://{bind}")
            yield flow
        except BaseException:
            sys.stderr.write("\n".join([*lines, ""]))
            raise


def _addresses(box: Sandbox, products: Mapping[str, str], folder: Path) -> Path:
    file = folder / "tutorial.json"
    found = {
        "wix_url": box.wix_url,
        "wix_token": box.wix.new_token(),
        "reviews_url": box.reviews_url,
        "reviews_token": box.reviews.token,
        "products": dict(products),
    }
    file.write_text(json.dumps(found), encoding="utf-8")
    return file


@dataclass(frozen=True, slots=True)
class Person:
    contact_id: str
    email: str


def people_of(flow: Flow, count: int) -> list[Person]:
    """So many new contacts of the Wix site."""
    people = []
    for number in range(count):
        email = f"person{number}@example.com"
        people.append(Person(str(flow.box.wix.add_contact(email, f"Person {number}")["id"]), email))
    return people


def rate(flow: Flow, way: str, person: Person, product: str) -> None:
    """A visitor rates, on the side where the way begins."""
    if way == "Wix to shop":
        wix_side(WixKind.RATINGS, flow.box.wix).rate(person.contact_id, product, 80, NO_WORDS)
        return
    author = {"email": person.email, "display_name": "Person"}
    draft = {"subject": {"id": flow.products[product]}, "author": author, "score": Decimal(4)}
    flow.box.reviews.create(draft, by="visitor")
