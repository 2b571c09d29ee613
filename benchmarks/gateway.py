"""The gateway against a bare Flask route and against the plain Flask + PyJWT + Celery gateway that
stores nothing.

All three run at the same time on the gateway's own server with the same settings, and are asked in
turns. Then each gets a steady load below its capacity; then Redis freezes and dies under the two
that use it. In the end every delivery that ours answered with 200 must be found in its inbox.
"""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests
from sqlalchemy import func, select

from benchmarks.ground import Ground, ground
from benchmarks.load import Load, post_all, post_steadily
from benchmarks.machine import children_of, memory_of
from sync_sandbox.wix.state import WixState
from sync_worker.config import load_settings
from sync_worker.core import exact_json
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.tables import inbox
from sync_worker.runtime.local.commands import gateway_command
from sync_worker.runtime.local.free_port import free_port
from sync_worker.runtime.local.processes import Child, Processes

OURS, PLAIN, BARE = "ratings-sync", "Flask + PyJWT + delay()", "bare Flask route"
APPS = {
    BARE: ["-m", "benchmarks.gateway_apps", "bare"],
    PLAIN: ["-m", "benchmarks.gateway_apps", "plain"],
    OURS: gateway_command(),
}
CONNECTOR = {
    "CONNECTORS": "own-service",
    "OWN_SERVICE_URL": "http://127.0.0.1:1",
    "OWN_SERVICE_TOKEN": "unused",
    "OWN_SERVICE_WEBHOOK_SECRET": "unused",
}
STEADY_SHARE = 0.7  # of the capacity
STEADY_CLIENTS = 32


@dataclass(frozen=True, slots=True)
class Size:
    """``webhooks``: in each turn and under each fault; ``seconds``: of the steady load, and of a
    fault at most.
    """

    databases: tuple[str, ...] = ("postgresql", "sqlite")
    webhooks: int = 4000
    turns: int = 3
    clients: int = 8
    seconds: float = 15.0


QUICK = Size(databases=("sqlite",), webhooks=60, turns=2, clients=4, seconds=0.5)


@dataclass
class Server:
    """One of the three. ``capacity``: 200s a second; ``faults``: by what happens to Redis."""

    name: str
    url: str
    child: Child
    turns: list[Load] = field(default_factory=list)
    steady: Load = field(default_factory=Load)
    faults: dict[str, Load] = field(default_factory=dict)
    memory_mb: float = 0.0

    @property
    def usual(self) -> Load:
        """The turn in the middle."""
        return sorted(self.turns, key=lambda load: load.each_second)[len(self.turns) // 2]

    @property
    def capacity(self) -> float:
        return self.usual.each_second

    @property
    def loads(self) -> list[Load]:
        return [*self.turns, self.steady, *self.faults.values()]


@dataclass(frozen=True, slots=True)
class Figures:
    """``stored``: rows in the inbox of ours; ``pool``: processes and threads of each server."""

    database: str
    pool: tuple[int, int]
    servers: Mapping[str, Server]
    stored: int

    @property
    def answered(self) -> int:
        """How many deliveries ours has answered with 200."""
        return sum(load.statuses["200"] for load in self.servers[OURS].loads)


def measure(database: str, size: Size) -> Figures:
    """Raises RuntimeError if a server does not start."""
    wix = WixState()
    bodies = signed_webhooks(wix)
    with ground(database) as at:
        environ = at.environ(
            WIX_PUBLIC_KEY=wix.public_key.replace("\n", "\\n"), WIX_APP_ID=wix.app_id, **CONNECTOR
        )
        with _servers(at, environ) as servers:
            for server in servers.values():  # the first requests open connections
                post_all(server.url, _some(bodies, 2 * size.clients), size.clients)
            warm = 2 * size.clients
            _in_turns(servers, bodies, size)
            for server in servers.values():
                some = _some(bodies, int(server.capacity * STEADY_SHARE * size.seconds))
                server.steady = post_steadily(
                    server.url, some, server.capacity * STEADY_SHARE, STEADY_CLIENTS
                )
            _while_redis(at, servers, bodies, size)
            for server in servers.values():
                processes = children_of(server.child.process.pid)
                server.memory_mb = sum(memory_of(pid, "").own for pid in processes) / len(processes)
        return Figures(database, load_settings(environ).gateway_pool, servers, _stored(at) - warm)


def _in_turns(servers: Mapping[str, Server], bodies: Iterator[bytes], size: Size) -> None:
    for _ in range(size.turns):
        some = _some(bodies, size.webhooks)
        for server in servers.values():
            server.turns.append(post_all(server.url, some, size.clients))


def _while_redis(
    at: Ground, servers: Mapping[str, Server], bodies: Iterator[bytes], size: Size
) -> None:
    """Freeze it, thaw it, kill it, under load; it is back in the end."""

    def ask(fault: str, names: tuple[str, ...]) -> None:
        for name in names:
            some = _some(bodies, size.webhooks)
            servers[name].faults[fault] = post_all(
                servers[name].url, some, size.clients, size.seconds
            )

    os.kill(at.redis.pid, signal.SIGSTOP)
    try:
        ask("frozen", (OURS, PLAIN))
    finally:
        os.kill(at.redis.pid, signal.SIGCONT)
    at.redis.kill()
    ask("dead", (OURS, PLAIN))
    at.redis.start()


def _some(bodies: Iterator[bytes], count: int) -> list[bytes]:
    return [next(bodies) for _ in range(count)]


def signed_webhooks(wix: WixState) -> Iterator[bytes]:
    """Signed webhooks, each of a rating of its own."""
    number = 0
    while True:
        rating = {
            "id": str(uuid.uuid4()),
            "revision": "1",
            "attributeName": "overall",
            "value": number % 101,
        }
        rating |= {
            "namespace": "reviews",
            "group": "stores",
            "entityId": "p",
            "owner": {"contactId": "c"},
        }
        event = {
            "id": str(uuid.uuid4()),
            "entityFqdn": "wix.ratings.v1.rating",
            "slug": "created",
            "entityId": rating["id"],
            "createdEvent": {"entity": rating},
            "entityEventSequence": "1",
        }
        data = exact_json.dumps(event)
        yield wix.signed({"eventType": "x", "instanceId": wix.instance_id, "data": data})
        number += 1


@contextmanager
def _servers(at: Ground, environ: Mapping[str, str]) -> Iterator[dict[str, Server]]:
    """All three, up."""
    lines: list[str] = []
    with Processes(lambda who, line: lines.append(f"{who} | {line}"), at.folder) as processes:
        servers = {}
        for number, (name, command) in enumerate(APPS.items()):
            bind = f"127.0.0.1:{free_port()}"
            home = str(at.folder / f"server-{number}")
            child = processes.start(
                name, command, {**environ, "GATEWAY_BIND": bind, "RATINGS_SYNC_HOME": home}
            )
            servers[name] = Server(name, f"http://{bind}/webhooks/wix", child)
        for server in servers.values():
            wait_until_it_answers(server.name, server.url, server.child, lines)
        yield servers


def wait_until_it_answers(name: str, url: str, child: Child, lines: Sequence[str]) -> None:
    """Raises RuntimeError with the last of its lines if a server does not."""
    until = time.monotonic() + 30
    while time.monotonic() < until and child.process.poll() is None:
        try:
            requests.get(url, timeout=1)
        except requests.RequestException:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"the server {name!r} does not answer:\n" + "\n".join(lines[-20:]))


def _stored(at: Ground) -> int:
    engine = open_engine(at.database_url)
    with engine.connect() as connection:
        count: int = connection.execute(select(func.count()).select_from(inbox)).scalar_one()
    engine.dispose()
    return count
