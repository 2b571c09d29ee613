"""How far it is from the task to the remote call: frames, files and calls of our own.

``pytest tests/integration/test_hops.py -s`` prints the figures.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from redis import Redis

from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from tests.integration.counted_bench import VISITOR, Bench, opened

pytestmark = pytest.mark.any_redis

ROOT = Path(__file__).parents[2]
MAX_FRAMES = 12  # between the task and requests, neither counted
# Of our functions, methods and properties: 73 or 74 files and 447 to 491 calls. An id that looks
# like a number (`5e2048`) takes two more calls, as its JSON is read with care.
MAX_FILES, MAX_CALLS = 75, 500


class Worker:
    """A process that works on deliveries as a worker does, and counts its own calls."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._orders: IO[str] = process.stdin
        self._answers: IO[str] = process.stdout

    def work_on(self, inbox_id: int) -> dict[str, Any]:
        self._orders.write(f"{inbox_id}\n")
        self._orders.flush()
        told: dict[str, Any] = json.loads(self._answers.readline())
        return told


@contextmanager
def a_worker(settings: Mapping[str, str]) -> Iterator[Worker]:
    environ = {"PATH": os.environ["PATH"], **settings}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.hops"],
        cwd=ROOT,
        env=environ,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield Worker(process)
        finally:
            process.kill()


def next_delivery(bench: Bench) -> int:
    """The one that has just been stored, without an echo of it."""
    assert bench.box.flush(10)
    (inbox_id,) = bench.bell.rung
    bench.bell.rung.clear()
    return inbox_id


def most_first(files: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(files.items(), key=lambda one: -one[1])


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.full)])
def test_one_webhook_to_one_write_takes_few_hops(
    database: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    redis: Redis,
    redis_server: EmbeddedRedis,
) -> None:
    """A change on Wix that is written outside, by a worker that has worked before."""
    fixture = "sqlite_url" if database == "sqlite" else "postgres_url"
    url = request.getfixturevalue(fixture)
    with opened(tmp_path, redis, redis_server, DATABASE_URL=url) as bench:
        settings = {
            **bench.box.settings(),
            "RATINGS_SYNC_HOME": str(tmp_path),
            "REDIS_URL": redis_server.url,
            "WIX_BUDGET_PER_MINUTE": "60000",
            "DATABASE_URL": url,
        }
        found = {}
        with a_worker(settings) as worker:
            wix = bench.rate_on_wix(80)
            worker.work_on(next_delivery(bench))
            bench.drain()
            for what, value in (("changed", 20), ("changed again", 100)):
                bench.box.wix.update_rating(wix, value, VISITOR)
                found[what] = worker.work_on(next_delivery(bench))
                bench.drain()
            bench.box.wix.delete_rating(wix, VISITOR)
            worker.work_on(next_delivery(bench))
            bench.drain()
            bench.rate_on_wix(40)
            found["created"] = worker.work_on(next_delivery(bench))
    for what, told in found.items():
        print(  # noqa: T201 - for whoever asks with -s
            f"\n{database}, {what}: {len(told['frames'])} frames, {len(told['files'])} files,"
            f" {told['calls']} calls\n  " + " > ".join(told["frames"]),
            "\n  calls: "
            + ", ".join(f"{name} {count}" for name, count in most_first(told["files"])),
        )
    assert all(told["frames"] for told in found.values()), "no write"
    assert max(len(told["frames"]) for told in found.values()) <= MAX_FRAMES
    assert max(len(told["files"]) for told in found.values()) <= MAX_FILES
    assert max(told["calls"] for told in found.values()) <= MAX_CALLS
