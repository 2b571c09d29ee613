"""Deliveries that come together are committed and rung for together; none of them pays for another
one's trouble.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from celery import Celery
from kombu import connection as kombu_connection
from redis import Redis

from sync_worker.core.errors import Transient
from sync_worker.core.ports.doorbell import DELIVERY_TASK, QUEUE
from sync_worker.core.ports.inbox import Stored
from sync_worker.core.values import NewDelivery
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.sql_ledger import SqlLedger, sql_ledger
from sync_worker.redis.circuit_breaker import Breaker
from sync_worker.runtime.celery.broker import SafeTransport
from sync_worker.runtime.celery.queued import queued_in
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis, embedded_redis
from sync_worker.runtime.waiting import wait_until
from sync_worker.telemetry.broker_figures import AFTER_OTHERS_LIST
from tests.factories import a_named_delivery
from webhook_gateway.doorbell import CeleryBell
from webhook_gateway.group_commit import COMMITTERS, GroupCommit

THREADS = 2


class Held:
    """A store that waits until it is let go, then notes its groups; ``poison`` is the remote id it
    cannot store.
    """

    def __init__(self, poison: str = "") -> None:
        self.groups: list[list[str]] = []
        self.is_open = threading.Event()
        self._poison = poison

    def __call__(self, deliveries: Sequence[NewDelivery]) -> Sequence[Stored]:
        names = [one.remote_id for one in deliveries]
        self.groups.append(names)
        assert self.is_open.wait(10)
        if self._poison in names:
            raise Transient("cannot be stored")
        return [Stored(int(name), is_duplicate=False) for name in names]


def commit_all(group: GroupCommit, names: Sequence[str], store: Held) -> dict[str, object]:
    """What each request got that came while the store was busy with those before it."""

    def ask(name: str) -> object:
        try:
            return [
                one.inbox_id for one in group.commit([a_named_delivery(name, dedupe_id=None)], 10)
            ]
        except Transient as error:
            return error.message

    with ThreadPoolExecutor(len(names)) as pool:
        asked = {name: pool.submit(ask, name) for name in names}
        # All are there; as many groups as there are committers are in the store.
        assert wait_until(
            lambda: sum(map(len, store.groups)) + group._queue.qsize() == len(names), 10.0
        )
        store.is_open.set()
        return {name: one.result(10) for name, one in asked.items()}


def test_requests_that_come_during_a_commit_share_the_next_one() -> None:
    """Requests that come during a commit share the next one and each gets its own answer."""
    store, names = Held(), [str(number) for number in range(20)]
    answers = commit_all(GroupCommit(store), names, store)
    assert answers == {name: [int(name)] for name in names}
    assert sorted(name for group in store.groups for name in group) == sorted(names)
    assert len(store.groups) <= 2 * COMMITTERS


def test_delivery_that_cannot_be_stored_takes_no_other_along() -> None:
    store, names = Held(poison="19"), [str(number) for number in range(20)]
    answers = commit_all(GroupCommit(store), names, store)
    assert answers == {name: [int(name)] for name in names[:-1]} | {"19": "cannot be stored"}


def test_request_that_was_answered_in_the_meantime_is_not_stored_late() -> None:
    store = Held()
    group = GroupCommit(store)
    with ThreadPoolExecutor(COMMITTERS) as pool:
        asked = []
        for number in range(COMMITTERS):
            one = [a_named_delivery(str(number), dedupe_id=None)]
            asked.append(pool.submit(group.commit, one, 10))
            assert wait_until(lambda: group._queue.empty(), 10.0)
        assert wait_until(lambda: len(store.groups) == COMMITTERS, 10.0)
        # There is no committer for these.
        for number in range(COMMITTERS, COMMITTERS + 3):
            with pytest.raises(TimeoutError):
                group.commit([a_named_delivery(str(number), dedupe_id=None)], 0.05)
        store.is_open.set()
    for commit in asked:
        commit.result()
    last = group.commit([a_named_delivery("99", dedupe_id=None)], 10)
    assert [one.inbox_id for one in last] == [99]
    stored = [name for names in store.groups for name in names]
    assert sorted(stored) == sorted([*map(str, range(COMMITTERS)), "99"])


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def ledger(request: pytest.FixtureRequest) -> Iterator[SqlLedger]:
    engine = open_engine(request.getfixturevalue(request.param))
    upgrade(engine)
    yield sql_ledger(engine)
    engine.dispose()


def test_group_finds_duplicates_among_earlier_rows_and_in_itself(ledger: SqlLedger) -> None:
    earlier = ledger.inbox.store(a_named_delivery("b", dedupe_id="event-b"))
    group = [
        a_named_delivery("b", dedupe_id="event-b"),
        a_named_delivery("a", dedupe_id="event-a"),
        a_named_delivery("a", dedupe_id="event-a"),
        a_named_delivery("c", dedupe_id=None),
    ]
    stored = ledger.inbox.store_all([*group, a_named_delivery("c", dedupe_id=None)])
    assert [one.is_duplicate for one in stored] == [True, False, True, False, True]
    assert stored[0].inbox_id == earlier.inbox_id
    assert stored[1].inbox_id == stored[2].inbox_id != stored[3].inbox_id == stored[4].inbox_id
    assert ledger.inbox.count_open() == 3


def test_groups_in_opposite_orders_do_not_wait_for_each_other(
    ledger: SqlLedger,
) -> None:
    """Groups with the same deliveries in opposite orders do not wait for each other for ever."""
    events = [a_named_delivery(f"r{number}", dedupe_id=f"event-{number}") for number in range(30)]
    with ThreadPoolExecutor(4) as pool:
        orders = [events, events[::-1]] * 6
        stored = [
            one.result(30)
            for one in [pool.submit(ledger.inbox.store_all, order) for order in orders]
        ]
    assert ledger.inbox.count_open() == len(events)
    assert sum(not one.is_duplicate for group in stored for one in group) == len(events)


# -- the doorbell


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with embedded_redis(tmp_path / "redis") as server:
        yield server


def messages(redis: Redis) -> list[dict[str, object]]:
    """What waits in the queue, oldest first."""
    return [json.loads(one) for one in reversed(redis.lrange(QUEUE, 0, -1))]


def bare(message: dict[str, object]) -> dict[str, object]:
    """Without what differs from message to message, and without the address for answers: nobody
    answers.
    """
    without = {"id", "root_id", "origin", "correlation_id", "delivery_tag", "reply_to"}

    def clean(value: object) -> object:
        if isinstance(value, dict):
            return {name: clean(one) for name, one in value.items() if name not in without}
        return value

    return {name: clean(one) for name, one in message.items()}


def test_ring_puts_the_very_message_of_send_task_into_the_queue(
    broker: EmbeddedRedis,
) -> None:
    """A ring puts the very message into the queue that send_task would put there."""
    with Redis.from_url(broker.url) as redis:
        bell = CeleryBell(broker.url, threads=THREADS)
        bell.ring([7])
        bell.close()
        with Celery("reference", broker=broker.url, set_as_current=False) as app:
            app.conf.update(
                task_ignore_result=True, task_serializer="json", task_default_exchange_type="direct"
            )
            app.send_task(DELIVERY_TASK, args=[7], queue=QUEUE, ignore_result=True)
        ours, theirs = messages(redis)
    assert bare(ours) == bare(theirs)


def test_what_goes_after_others_is_taken_after_what_came_later(broker: EmbeddedRedis) -> None:
    """As a worker takes it: one site's thousand do not stand before another's next webhook."""
    bell = CeleryBell(broker.url, threads=THREADS)
    bell.ring_after_others(range(1000), "instance-1")
    bell.ring([5000])
    bell.close()
    with kombu_connection.Connection(broker.url, transport=SafeTransport) as connection:  # type: ignore[no-untyped-call]  # kombu ships no types
        taken = [connection.SimpleQueue(QUEUE).get(timeout=5.0) for _ in range(2)]
        assert [message.headers["argsrepr"] for message in taken] == ["[5000]", "[0]"]
        assert queued_in(connection.channel()).after == 999


def test_what_one_source_sends_too_much_of_shares_messages(broker: EmbeddedRedis) -> None:
    """While many wait, and never with another source's; what goes first has a message each."""
    bell = CeleryBell(broker.url, threads=THREADS)
    with Redis.from_url(broker.url) as redis:
        bell.ring_after_others(range(100), "instance-1")
        wait_until(lambda: redis.llen(QUEUE + AFTER_OTHERS_LIST) == 100, 10.0)
        bell.ring(range(200, 220))
        bell.ring_after_others(range(300, 311), "instance-1")
        bell.ring_after_others(range(400, 402), "instance-2")
        bell.close()
        bodies = [json.loads(one)["body"] for one in redis.lrange(QUEUE + AFTER_OTHERS_LIST, 0, -1)]
        shared = [json.loads(base64.b64decode(one))[0] for one in reversed(bodies[:-100])]
        assert [one for message in shared for one in message] == [*range(300, 311), 400, 401]
        assert len(shared) < 13
        assert not [one for one in shared if min(one) < 400 <= max(one)]
        assert redis.llen(QUEUE) == 20


def test_rings_of_many_threads_are_all_heard_once(broker: EmbeddedRedis) -> None:
    bell = CeleryBell(broker.url, threads=THREADS)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: bell.ring([2 * number, 2 * number + 1]), range(50)))
    bell.close()
    with Redis.from_url(broker.url) as redis:
        heard = [str(message["headers"]["argsrepr"]) for message in messages(redis)]  # type: ignore[index]  # JSON
    assert sorted(heard) == sorted(f"[{number}]" for number in range(100))


def test_no_request_waits_for_a_redis_that_is_frozen(broker: EmbeddedRedis) -> None:
    """The quickest of three, each with a breaker of its own: a core may be busy with others."""
    took = []
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        for number in range(3):
            bell, began = CeleryBell(broker.url, threads=THREADS), time.monotonic()
            bell.ring([number])
            took.append(time.monotonic() - began)
            bell.close()
    finally:
        os.kill(broker.pid, signal.SIGCONT)
    # Redis is waited for 0.25 s and more.
    assert min(took) < 0.2


class Unreadable(int):
    """An id that cannot be put into a message, once."""

    is_asked = False

    def __repr__(self) -> str:
        if self.is_asked:
            return super().__repr__()
        self.is_asked = True
        raise LookupError


def test_doorbell_goes_on_after_a_failure_that_nobody_foresaw(broker: EmbeddedRedis) -> None:
    opened: list[bool] = []
    bell = CeleryBell(
        broker.url, threads=THREADS, breaker=Breaker(open_seconds=0.0, observe=opened.append)
    )
    bell.ring([Unreadable(7)])
    wait_until(lambda: opened == [True], 10.0)
    bell.ring([8])
    bell.close()
    with Redis.from_url(broker.url) as redis:
        (message,) = messages(redis)
    assert message["headers"]["argsrepr"] == "[8]"  # type: ignore[index]  # JSON
