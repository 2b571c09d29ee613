"""The HTTP servers that the door could stand on: the real door, its inbox on disk, in turns.

Ours, gunicorn's threads, and Granian where it is installed (``pip install granian``). Each has one
process of eight threads. After the turns each is met by strangers: bodies that drip, and a body of
262,145 chunks of one byte.
"""

from __future__ import annotations

import importlib.util
import socket
import statistics
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from benchmarks.gateway import CONNECTOR, signed_webhooks, wait_until_it_answers
from benchmarks.ground import Ground, ground
from benchmarks.load import Client, Load, post_all
from benchmarks.machine import children_of, memory_of, processor_seconds_of, versions_of
from benchmarks.report import Section, Table
from sync_sandbox.wix.state import WixState
from sync_worker.runtime.local.commands import gateway_command
from sync_worker.runtime.local.free_port import free_port
from sync_worker.runtime.local.processes import Child, Processes

OURS, GUNICORN, GRANIAN = "waitress (ours)", "gunicorn gthread", "Granian WSGI"
THREADS = 8
FLOOD_CHUNKS = 262_145
HEAD = b"POST /webhooks/wix HTTP/1.1\r\nHost: bench\r\n"
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Size:
    """``webhooks``: of each server in each round. ``slow``: clients that drip a body."""

    database: str = "sqlite"
    rounds: int = 5
    webhooks: int = 1500
    clients: int = 8
    slow: int = 90
    beside_seconds: float = 6.0


QUICK = Size(rounds=1, webhooks=20, slow=4, beside_seconds=0.5)


@dataclass
class Server:
    """``cpu_ms``: processor time for a webhook, of all its processes, by round."""

    name: str
    url: str
    child: Child
    loads: list[Load] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    beside_slow: Load = field(default_factory=Load)
    flood_cpu_seconds: float = 0.0
    flood_answer: str = ""
    memory_mb: float = 0.0

    def processes(self) -> list[int]:
        pids = [self.child.process.pid]
        for pid in pids:  # it grows: children of children too
            pids += children_of(pid)
        return pids

    def processor_seconds(self) -> float:
        return sum(processor_seconds_of(pid) for pid in self.processes())


def run(size: Size) -> Section:
    """Measures. Raises RuntimeError if a server does not start."""
    servers = list(_measured(size))
    packages = [server.name.split()[0].lower() for server in servers]
    versions = ", ".join(f"{name} {version}" for name, version in versions_of(packages).items())
    return Section(
        "servers",
        "Servers for the door",
        f"The real door, its inbox in {size.database} on disk, behind each server: one process,"
        f" {THREADS} threads, {size.clients} clients that keep their connections, {size.rounds}"
        f" rounds of {size.webhooks} webhooks in turns.",
        tables=[_speeds(servers, versions), _strangers(servers, size)],
        figures={server.name: _figures(server) for server in servers},
    )


def _measured(size: Size) -> Iterator[Server]:
    wix = WixState()
    bodies = signed_webhooks(wix)
    with ground(size.database) as at, _servers(at, wix) as servers:
        for number in range(size.rounds + 1):
            # Forwards and backwards, so that what drifts on the machine strikes all alike.
            for server in servers[:: 1 if number % 2 == 0 else -1]:
                some = [next(bodies) for _ in range(size.webhooks)]
                before = server.processor_seconds()
                load = post_all(server.url, some, size.clients)
                worked = server.processor_seconds() - before
                if number > 0:  # the first round opens connections
                    server.loads.append(load)
                    server.cpu_ms.append(worked / len(some) * 1000)
        for server in servers:
            _be_slow(server, bodies, size)
            _flood(server)
            server.memory_mb = sum(memory_of(pid, "").own for pid in server.processes())
        yield from servers


@contextmanager
def _servers(at: Ground, wix: WixState) -> Iterator[list[Server]]:
    lines: list[str] = []
    with Processes(lambda who, line: lines.append(f"{who} | {line}"), at.folder) as processes:
        servers: list[Server] = []
        for name, command in _commands().items():
            port = free_port()
            environ = at.environ(
                WIX_PUBLIC_KEY=wix.public_key.replace("\n", "\\n"),
                WIX_APP_ID=wix.app_id,
                GATEWAY_BIND=f"127.0.0.1:{port}",
                GATEWAY_PROCESSES="1",
                GATEWAY_THREADS=str(THREADS),
                **CONNECTOR,
            )
            home = str(at.folder / f"home-{len(servers)}")
            words = [str(port) if word == "PORT" else word for word in command]
            child = processes.start(name, words, {**environ, "RATINGS_SYNC_HOME": home})
            servers.append(Server(name, f"http://127.0.0.1:{port}/webhooks/wix", child))
        for server in servers:
            wait_until_it_answers(server.name, server.url, server.child, lines)
        yield servers


def _commands() -> Mapping[str, list[str]]:
    app = "webhook_gateway.app:create_app()"
    commands = {
        OURS: gateway_command(),
        GUNICORN: ["-m", "gunicorn", "-c", "python:webhook_gateway.serving", app],
    }
    if importlib.util.find_spec("granian") is not None:
        options = ["--interface", "wsgi", "--factory", "--no-log", "--http", "1", "--no-ws"]
        threads = ["--workers", "1", "--blocking-threads", str(THREADS)]
        where = ["--host", "127.0.0.1", "--port", "PORT"]
        app = app.removesuffix("()")
        commands[GRANIAN] = ["-m", "granian", *options, *threads, *where, app]
    return commands


def _be_slow(server: Server, bodies: Iterator[bytes], size: Size) -> None:
    """An honest sender beside clients that drip their bodies."""
    stop = threading.Event()
    with ExitStack() as stack:
        slow = [stack.enter_context(closing(_connect(server))) for _ in range(size.slow)]
        for sock in slow:
            sock.sendall(HEAD + b"Content-Length: 1000\r\n\r\nab")

        def drip() -> None:
            while not stop.wait(0.3):
                for sock in slow:
                    with suppress(OSError):
                        sock.sendall(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        time.sleep(0.3)  # all of them are accepted
        until = time.monotonic() + size.beside_seconds
        try:
            while time.monotonic() < until:
                client, started = Client(server.url, PATIENCE_SECONDS), time.monotonic()
                server.beside_slow.statuses[client.post(next(bodies))] += 1
                server.beside_slow.times.append(time.monotonic() - started)
                client.close()
        finally:
            stop.set()
            dripping.join()
    server.beside_slow.times.sort()


def _flood(server: Server) -> None:
    """A body of many chunks of one byte each: larger than the limit only when all are read."""
    before, started = server.processor_seconds(), time.monotonic()
    flood = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * FLOOD_CHUNKS
    with closing(_connect(server)) as sock:
        sock.settimeout(15)
        with suppress(OSError):
            sock.sendall(flood + b"0\r\n\r\n")
        try:
            status = sock.recv(65_536)[9:12].decode()
        except OSError as error:
            status = type(error).__name__
    server.flood_answer = f"{status or 'hung up'} after {time.monotonic() - started:.1f} s"
    time.sleep(1.0)  # it may still be at work
    server.flood_cpu_seconds = server.processor_seconds() - before


def _connect(server: Server) -> socket.socket:
    address = urlsplit(server.url)
    return socket.create_connection((address.hostname or "", address.port or 80), PATIENCE_SECONDS)


# -- in words


def _speeds(servers: list[Server], versions: str) -> Table:
    first = servers[0]
    rows = []
    for server in servers:
        ratios = [
            load.each_second / ours.each_second
            for load, ours in zip(server.loads, first.loads, strict=True)
        ]
        rows.append(
            (
                server.name,
                " ".join(f"{load.each_second:,.0f}" for load in server.loads),
                f"{statistics.median(ratios):.2f}",
                f"{statistics.median(load.percentile(0.5) for load in server.loads):.1f}",
                f"{statistics.median(load.percentile(0.99) for load in server.loads):.1f}",
                f"{statistics.median(server.cpu_ms):.2f}",
                f"{min(load.answered for load in server.loads):.1%}",
                f"{server.memory_mb:.0f}",
            )
        )
    head = ("server", "webhooks/s in each round", "÷ ours", "p50 ms", "p99 ms")
    more = ("CPU ms a webhook", "answered 200", "MB")
    return Table((*head, *more), rows, f"Medians of the rounds. {versions}")


def _strangers(servers: list[Server], size: Size) -> Table:
    rows = [
        (
            server.name,
            f"{server.beside_slow.answered:.0%} of {server.beside_slow.count}",
            f"{server.beside_slow.percentile(0.5):.1f}",
            f"{server.beside_slow.percentile(1.0):.0f}",
            f"{server.flood_cpu_seconds:.2f} s",
            server.flood_answer,
        )
        for server in servers
    ]
    beside = f"beside {size.slow} dripping bodies: answered"
    head = ("server", beside, "p50 ms", "slowest ms", "chunk flood: CPU", "its answer")
    return Table(head, rows, f"Clients wait {PATIENCE_SECONDS:.0f} s.")


def _figures(server: Server) -> dict[str, object]:
    return {
        "each_second": [load.each_second for load in server.loads],
        "p99_ms": [load.percentile(0.99) for load in server.loads],
        "cpu_ms": server.cpu_ms,
        "beside_slow": dict(server.beside_slow.statuses),
        "flood_cpu_seconds": server.flood_cpu_seconds,
    }
