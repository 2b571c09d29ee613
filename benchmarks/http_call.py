"""``python -m benchmarks.http_call --beside FOLDER``: processor time of one call of ours over HTTP,
and the same with the code in another folder, in turns. The server is another process, and answers
at once.
"""

from __future__ import annotations

import logging
import os
import resource
import socketserver
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import structlog

from sync_worker.remotes.http.authorization import FixedHeaders
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.calls import Call
from sync_worker.remotes.http.client import RemoteHttp
from sync_worker.remotes.http.options import HttpOptions

HERE = Path(__file__).parents[1]
RECORD = {"id": "r1", "subject": {"id": "SKU-1"}, "score": 4, "text": "Good beans. " * 20}
BODY = b'{"id": "r1", "revision": 7, "score": 4, "text": "' + b"Good beans. " * 20 + b'"}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
CALLS = {
    "GET": Call("GET", "/v1/ratings/r1", "get"),
    "PUT": Call("PUT", "/v1/ratings/r1", "update", json=RECORD, is_write=True),
}


class Answers(socketserver.StreamRequestHandler):
    """One connection: each request gets the same answer."""

    def handle(self) -> None:
        while self.rfile.readline():
            length = 0
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            self.rfile.read(length)
            self.wfile.write(ANSWER % (len(BODY), BODY))


@click.group(invoke_without_command=True)
@click.option(
    "--beside",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The code in this folder, in turns with ours.",
)
@click.option("--count", default=2000, help="Calls of each kind in a round.")
@click.option("--rounds", default=5)
@click.pass_context
def main(context: click.Context, beside: Path | None, count: int, rounds: int) -> None:
    """Processor microseconds of one call, median of the rounds."""
    if context.invoked_subcommand is not None:
        return
    trees = [HERE] if beside is None else [HERE, beside.resolve()]
    found: dict[tuple[str, Path], list[float]] = {
        (kind, tree): [] for kind in CALLS for tree in trees
    }
    with _server() as port:
        for number in range(rounds + 1):
            # Forwards and backwards, so that what drifts on the machine strikes both alike.
            for tree in trees[:: 1 if number % 2 == 0 else -1]:
                for kind, spent in _measured(tree, port, count).items():
                    # The first round warms up.
                    if number:
                        found[kind, tree].append(spent)
    for (kind, tree), all_spent in found.items():
        each = ", ".join(f"{one:.0f}" for one in all_spent)
        click.echo(f"{kind} {tree.name}: {statistics.median(all_spent):.0f} µs ({each})")


@contextmanager
def _server() -> Iterator[int]:
    command = [sys.executable, "-P", __file__, "serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield int(next(process.stdout or iter(())))
        finally:
            process.kill()


def _measured(tree: Path, port: int, count: int) -> dict[str, float]:
    """By kind of call, by the code in this folder."""
    command = [sys.executable, "-P", __file__, "call", str(port), str(count)]
    environ = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run(
        command, env=environ, cwd=tree, check=True, capture_output=True, text=True
    )
    return {
        kind: float(spent) for kind, spent in (line.split() for line in done.stdout.splitlines())
    }


@main.command(hidden=True)
def serve() -> None:
    """Answer until killed; print the port."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answers) as server:
        server.daemon_threads = True
        print(server.server_address[1], flush=True)
        server.serve_forever()


@main.command("call", hidden=True)
@click.argument("port", type=int)
@click.argument("count", type=int)
def call_often(port: int, count: int) -> None:
    """Print processor microseconds of one call, by kind."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    remote = RemoteHttp(
        f"http://127.0.0.1:{port}",
        remote="bench",
        authorization=FixedHeaders({"Authorization": "Bearer token"}),
        budget=NoBudget(),
        options=HttpOptions(allow_private_hosts=True),
    )
    for kind, call in CALLS.items():
        for _ in range(100):
            remote.call(call)
        before = _spent()
        for _ in range(count):
            remote.call(call)
        print(kind, (_spent() - before) / count * 1e6)
    remote.close()


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
