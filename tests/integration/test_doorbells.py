"""A delivery is rung for once: the sweeper leaves alone what has its message in the broker."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from celery import Celery
from redis import Redis
from sqlalchemy import update

from benchmarks.ground import Ground, raised_budgets
from benchmarks.queue import PREFIX, Queue, check_that_all_crossed, store
from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.core.ports.doorbell import AFTER_OTHERS, DELIVERY_TASK, FIRST, MAX_BATCH, QUEUE
from sync_worker.core.ports.inbox import RING_SHARE, Rung
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.tables import inbox
from sync_worker.runtime.celery.bell import WorkerBell
from sync_worker.runtime.celery.broker import install_safe_transport
from sync_worker.runtime.celery.queued import MAX_QUEUE
from sync_worker.runtime.local.commands import QUIET
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.runtime.local.processes import Processes
from sync_worker.telemetry.broker_figures import AFTER_OTHERS_LIST

pytestmark = [pytest.mark.any_redis, pytest.mark.usefixtures("redis")]
# A message on its way from the queue into a worker's hands is seen by nobody for a moment.
MOST_RUNS = 1.05
THREADS = 6  # of four slots


# -- what the broker tells


def sync_delivery(*inbox_ids: int) -> None:
    """Nobody runs it here."""


@pytest.fixture
def app(redis_server: EmbeddedRedis) -> Iterator[Celery]:
    install_safe_transport()
    app = Celery("test", broker=redis_server.url, set_as_current=False)
    app.conf.update(
        broker_transport_options={"global_keyprefix": PREFIX},
        task_default_queue=QUEUE,
        task_default_exchange_type="direct",
        task_ignore_result=True,
        worker_concurrency=THREADS,
    )
    app.finalize()
    # Where this process has imported the task itself, every application has it.
    if DELIVERY_TASK not in app.tasks:
        app.task(sync_delivery, name=DELIVERY_TASK, shared=False)
    yield app
    app.close()


def take(redis: Redis, message: bytes, *, seconds_ago: float) -> None:
    """As a worker takes a message: out of the queue, and into its hands."""
    held = json.dumps([json.loads(message), QUEUE, QUEUE])
    tag = f"tag-{seconds_ago}"
    redis.zadd(f"{PREFIX}unacked_index", {tag: time.time() - seconds_ago})
    redis.hset(f"{PREFIX}unacked", tag, held)


def ring_together(app: Celery, inbox_ids: Sequence[int], priority: int = FIRST) -> None:
    app.send_task(DELIVERY_TASK, args=list(inbox_ids), priority=priority)


def test_what_waits_or_was_just_taken_is_queued(app: Celery, redis: Redis) -> None:
    bell = WorkerBell(app)
    assert bell.queued().ids == frozenset()
    bell.ring([1, 2, 3])
    ring_together(app, [4], AFTER_OTHERS)
    app.send_task("sync_worker.tasks.sweep")
    redis.lpush(f"{PREFIX}{QUEUE}", "no json", "[1, 2]", '{"headers": {}}')
    for seconds_ago in (0.0, 60.0):
        message = redis.rpop(f"{PREFIX}{QUEUE}")
        assert isinstance(message, bytes)
        take(redis, message, seconds_ago=seconds_ago)
    # 2 has been in somebody's hands for a minute: the ledger knows it, or its worker is dead.
    assert bell.queued().ids == {1, 3, 4}
    redis.flushdb()
    assert bell.queued().ids == frozenset()


def test_message_of_several_deliveries_counts_for_each(app: Celery, redis: Redis) -> None:
    """Room in the queue, and a site's share of it, are of deliveries, however they were sent."""
    bell = WorkerBell(app)
    ring_together(app, range(1, 9))
    message = redis.rpop(f"{PREFIX}{QUEUE}")
    assert isinstance(message, bytes)
    take(redis, message, seconds_ago=1.0)
    ring_together(app, range(11, 19))
    bell.ring([20])
    ring_together(app, range(101, 106), AFTER_OTHERS)
    app.send_task("sync_worker.tasks.sweep")
    queued = bell.queued()
    assert queued.ids == {*range(1, 9), *range(11, 21), *range(101, 106)} - {19}
    assert (queued.first, queued.after) == (10, 5)
    assert queued.room == MAX_QUEUE - 15
    for start in range(201, 201 + 8 * 30, 8):
        ring_together(app, range(start, start + 8), AFTER_OTHERS)
    assert bell.queued().room == RING_SHARE - 10, "some of other sites go first still"
    for start in range(1001, 1001 + 8 * 3, 8):
        ring_together(app, range(start, start + 8))
    queued = bell.queued()
    assert queued.room == 0
    assert 101 not in queued.ids, "their turn may not come while others go first"


def carried(redis: Redis, priority: int = FIRST) -> list[list[int]]:
    """What each message of a list carries, oldest first."""
    name = f"{PREFIX}{QUEUE}{AFTER_OTHERS_LIST if priority else ''}"
    bodies = [json.loads(one)["body"] for one in reversed(redis.lrange(name, 0, -1))]
    return [json.loads(base64.b64decode(body))[0] for body in bodies]


def test_few_deliveries_have_a_message_each(app: Celery, redis: Redis) -> None:
    """Whoever has threads for all of them lets none wait behind another."""
    few = list(range(1, 4 * 2 * THREADS))
    WorkerBell(app).ring(few)
    assert carried(redis) + carried(redis, AFTER_OTHERS) == [[one] for one in few]


def test_many_deliveries_of_one_site_share_messages(app: Celery, redis: Redis) -> None:
    WorkerBell(app).ring(list(range(1, 101)))
    assert carried(redis) == [list(range(start, start + 8)) for start in range(1, 33, 8)]
    after = carried(redis, AFTER_OTHERS)
    assert [one for message in after for one in message] == list(range(33, 101))
    assert max(len(message) for message in after) == MAX_BATCH


def test_sweeper_puts_together_what_is_of_one_site(app: Celery, redis: Redis) -> None:
    """And never what it has rung for before: a worker may have died over it."""
    sources = {1: "mine", 2: "theirs", 3: "mine", 4: "mine", 5: "mine", 6: "theirs", 7: "mine"}
    rung = Rung((1, 2, 3, 4, 5, 6), (7,), sources, frozenset({4}))
    bell = WorkerBell(app)
    bell.ring_in_lanes(rung, waiting=MAX_BATCH * 2 * THREADS)
    assert carried(redis) == [[1, 3, 5], [2, 6], [4]]
    assert carried(redis, AFTER_OTHERS) == [[7]]
    redis.flushdb()
    bell.ring_in_lanes(rung, waiting=0)
    assert carried(redis) == [[1], [2], [3], [4], [5], [6]], "workers have time for each"


def test_what_goes_after_a_long_queue_may_be_rung_for_anew(app: Celery) -> None:
    """Its turn may not come while others go first: a ring brings its source's share forward."""
    bell = WorkerBell(app)
    first, after = list(range(1, RING_SHARE)), [1000]
    bell.ring(first)
    ring_together(app, after, AFTER_OTHERS)
    assert bell.queued().ids == {*first, *after}
    bell.ring([RING_SHARE])
    assert bell.queued().ids == {*first, RING_SHARE}


# -- a worker at work


@pytest.fixture
def at(tmp_path: Path, sqlite_url: str, redis_server: EmbeddedRedis) -> Ground:
    return Ground(tmp_path, redis_server, sqlite_url)


def store_old(at: Ground, count: int) -> list[int]:
    """Ratings that were in the queue for longer than the door's ring is waited for."""
    ids = store(at, "own-service", count)
    engine = open_engine(at.database_url)
    with engine.begin() as connection:
        old = update(inbox).where(inbox.c.id.in_(ids))
        connection.execute(old.values(next_attempt_at=inbox.c.next_attempt_at - 60))
    engine.dispose()
    Queue(at, [], []).send(DELIVERY_TASK, ids)
    return ids


def work_off(at: Ground, ids: list[int]) -> Counter[str]:
    """A worker process does; how its runs of the deliveries' task ended, by their first word."""
    lines: list[str] = []
    with (
        Sandbox(SandboxOptions(rate_per_minute=None)) as box,
        Processes(lambda name, line: lines.append(line), at.folder) as processes,
    ):
        box.reviews.faults.latency_ms = 30
        settings = {**box.settings(), **raised_budgets(at.folder), "WORKER_SLOTS": "4"}
        settings |= {"SWEEP_SECONDS": "1", "LOG_LEVEL": "INFO", "LOG_FORMAT": "json"}
        command = ["-m", "celery", "-A", "sync_worker.tasks", "worker", "-Q", "sync,maint", *QUIET]
        worker = processes.start("worker", command, at.environ(**settings))
        check_that_all_crossed(at, ids, seconds=60)
        Queue(at, [worker], lines).wait_until_empty()
    told = [json.loads(line) for line in lines if '"delivery_processed"' in line]
    return Counter(str(one["outcome"]).split()[0] for one in told)


@pytest.mark.full
def test_backlog_is_worked_off_with_one_run_a_delivery(at: Ground) -> None:
    """Sweeps come and go, by themselves and because the budget refuses some: an empty bucket."""
    ids = store_old(at, 200)
    outcomes = work_off(at, ids)
    assert outcomes["synced"] == len(ids)
    assert outcomes["rate_limited"] > 0, "the bucket was empty, and the sweeper hurried"
    assert outcomes.total() <= MOST_RUNS * len(ids), outcomes


@pytest.mark.full
def test_backlog_whose_messages_are_lost_is_rung_for(at: Ground, redis: Redis) -> None:
    """Redis is wiped with all of them, and the sweeper rings for each, once."""
    ids = store_old(at, 60)
    redis.flushall()
    outcomes = work_off(at, ids)
    assert outcomes["synced"] == len(ids)
    assert outcomes.total() <= MOST_RUNS * len(ids) + outcomes["rate_limited"], outcomes
