"""Calls under way are as many as slots at the most, though a worker has more threads."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Response
from sqlalchemy import func, select

from benchmarks.ground import Ground, raised_budgets
from benchmarks.queue import check_that_all_crossed, store
from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.config import load_settings
from sync_worker.core.errors import SyncError
from sync_worker.core.outcome import OutcomeKind
from sync_worker.ledger.tables import intent
from sync_worker.remotes.http.authorization import FixedHeaders
from sync_worker.remotes.http.budget import AccountSlots, CallSlots, NoBudget
from sync_worker.remotes.http.calls import Call
from sync_worker.remotes.http.client import RemoteHttp
from sync_worker.remotes.http.options import HttpOptions
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.telemetry import metrics
from sync_worker.wiring.sweeps import NoBell
from sync_worker.wiring.worker import WorkerWiring
from tests.integration.remote_server import Asked, RemoteServer, Reply

SLOTS, THREADS = 4, 6
pytestmark = pytest.mark.any_redis


@dataclass
class Counting:
    """The stand-in counts the calls that are under way, and can keep them there."""

    now: int = 0
    most: int = 0
    let_go: threading.Event = field(default_factory=threading.Event)
    turn: threading.Lock = field(default_factory=threading.Lock)

    def watch(self, moment: str, call: str) -> Response | None:
        with self.turn:
            self.now += 1 if moment == "arrived" else -1
            self.most = max(self.most, self.now)
        if moment == "arrived":
            self.let_go.wait(10.0)
        return None


@dataclass
class Worker:
    """A worker's parts in this process, between stand-ins."""

    wiring: WorkerWiring
    counting: Counting
    at: Ground

    def process(self, inbox_id: int) -> OutcomeKind:
        return self.wiring.intake.process(inbox_id).kind


@pytest.fixture
def worker(tmp_path: Path, sqlite_url: str, redis_server: EmbeddedRedis) -> Iterator[Worker]:
    with Sandbox(SandboxOptions(rate_per_minute=None)) as box:
        counting = Counting()
        box.reviews.faults.watch = counting.watch
        box.reviews.faults.latency_ms = 60
        at = Ground(tmp_path, redis_server, sqlite_url)
        environ = at.environ(
            **{**box.settings(), **raised_budgets(tmp_path)}, WORKER_SLOTS=str(SLOTS)
        )
        wiring = WorkerWiring(load_settings(environ), environ, NoBell())
        yield Worker(wiring, counting, at)
        wiring.databases.close()


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 10.0
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.005)


def store_for(worker: Worker, count: int) -> list[int]:
    """Ratings to bring across. The bucket of the budget is empty until it is used first."""
    first, *ids = store(worker.at, "own-service", count + 1)
    worker.counting.let_go.set()
    wait_until(lambda: worker.process(first) is OutcomeKind.SYNCED)
    worker.counting.let_go.clear()
    worker.counting.most = 0
    return ids


@pytest.mark.usefixtures("redis")
def test_never_more_calls_are_under_way_than_slots(worker: Worker) -> None:
    ids = store_for(worker, 60)
    with ThreadPoolExecutor(worker.wiring.settings.threads) as pool:
        outcomes = pool.map(worker.process, ids)
        wait_until(lambda: worker.counting.now == SLOTS)
        worker.counting.let_go.set()
        assert set(outcomes) == {OutcomeKind.SYNCED}
    check_that_all_crossed(worker.at, ids)
    assert worker.counting.most == SLOTS


@pytest.mark.usefixtures("redis")
def test_thread_that_waits_for_a_slot_holds_no_connection(worker: Worker) -> None:
    """Its lease is its own when its turn comes, and it counts as none of the busy slots."""
    ids = store_for(worker, THREADS)
    engine = worker.wiring.ledger.transactions.engine
    pool: Any = engine.pool

    def announced() -> int:
        found = select(func.count()).select_from(intent).where(intent.c.state == "open")
        with engine.connect() as connection:
            return int(connection.execute(found).scalar_one())

    with ThreadPoolExecutor(THREADS) as threads:
        outcomes = [threads.submit(worker.process, inbox_id) for inbox_id in ids]
        wait_until(lambda: announced() == THREADS and worker.counting.now == SLOTS)
        wait_until(lambda: pool.checkedout() == 0)
        assert metrics.busy_slots() == SLOTS
        assert worker.counting.now == SLOTS
        worker.counting.let_go.set()
        assert {one.result() for one in outcomes} == {OutcomeKind.SYNCED}
    assert worker.counting.most == SLOTS
    assert metrics.busy_slots() == 0


# -- however a call ends


def http_of(server: RemoteServer, slots: CallSlots) -> RemoteHttp:
    return RemoteHttp(
        server.url,
        remote="x",
        authorization=FixedHeaders({}),
        budget=NoBudget(),
        options=HttpOptions(allow_private_hosts=True),
        slots=AccountSlots(slots, "x"),
    )


@pytest.mark.parametrize("reply", [Reply(500), Reply(429), Reply(hangs_up=True), Reply(raw=b"{")])
def test_slot_is_free_after_a_call_that_fails(server: RemoteServer, reply: Reply) -> None:
    server.answer = lambda asked: reply
    slots, call = CallSlots(1), Call("POST", "/", "create", json={})
    http = http_of(server, slots)
    for _ in range(2):
        with suppress(SyncError):
            http.call(call)
    assert server.asked
    assert slots.take("x", 0.0)
    http.close()


def test_slot_is_free_after_a_thread_was_ended_in_its_call(server: RemoteServer) -> None:
    came, answers, ended = threading.Event(), threading.Event(), list[bool]()

    def answer(asked: Asked) -> Reply:
        came.set()
        answers.wait(10.0)
        return Reply(body={})

    server.answer = answer
    slots = CallSlots(1)
    http = http_of(server, slots)

    def call() -> None:
        with pytest.raises(SystemExit):
            http.call(Call("GET", "/", "get"))
        ended.append(True)

    thread = threading.Thread(target=call)
    thread.start()
    assert came.wait(10.0)
    assert not slots.take("x", 0.0)
    assert thread.ident is not None
    # Python ends it at its next step, which comes after the answer.
    ident, error = ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, error)
    answers.set()
    thread.join(10.0)
    assert ended
    assert slots.take("x", 0.0)
    http.close()
