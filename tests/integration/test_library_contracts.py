"""What our workarounds rely on inside of libraries, each with the version that it was made for.

A test that fails here says: the library has changed under a workaround. Read the new code, mend
the workaround or remove it, and note the version in its module and in docs/architecture.md.
"""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from alembic import command as alembic_command
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from celery import Celery
from celery.worker.consumer import Consumer
from celery.worker.consumer.events import Events
from kombu import connection as kombu_connection
from kombu.asynchronous import Hub
from kombu.transport import TRANSPORT_ALIASES, resolve_transport
from kombu.transport.redis import Channel, Transport
from redis import Redis
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import BaseWSGIServer

from benchmarks.probation_app import Workaround
from sync_worker.core.ports.doorbell import DELIVERY_TASK
from sync_worker.runtime.celery.broker import SafeTransport, install_safe_transport
from sync_worker.runtime.celery.queued import queued_in
from sync_worker.runtime.celery.task_events import GatheredEvents
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis

Connection: Any = kombu_connection.Connection  # kombu ships no types, nor does celery
QUEUE = "sync"
UNREADABLE = {"no JSON": b"\xff no json", "too deep": b"[" * 100_000, "no task": b"[1, 2]"}
NO_REASON_ANY_MORE = "the library does so by itself now: the workaround can go"


def changed(library: str, made_for: str, workaround: str) -> str:
    """What whoever sees the failure has to know."""
    return f"{workaround} was made for {library} {made_for}; here is {version(library)}"


def parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


# -- sync_worker/runtime/celery/broker.py -----------------------------------------------------

BROKER = changed("kombu", "5.7.0", "sync_worker/runtime/celery/broker.py")


def channel_of(transport: type[Transport], redis_server: EmbeddedRedis) -> Any:
    return Connection(redis_server.url, transport=transport).channel()


def test_kombu_has_the_methods_that_the_safe_channel_replaces() -> None:
    assert parameters(Channel._create_client) == ["self", "asynchronous"], BROKER
    assert parameters(Channel._brpop_read) == ["self", "options"], BROKER
    assert parameters(Transport._deliver) == ["self", "message", "queue"], BROKER


def test_kombu_finds_its_transport_by_the_alias_that_we_replace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for scheme in ("redis", "rediss"):
        monkeypatch.setitem(TRANSPORT_ALIASES, scheme, "kombu.transport.redis:Transport")
        assert resolve_transport(scheme) is Transport, BROKER
    install_safe_transport()
    for scheme in ("redis", "rediss"):
        assert resolve_transport(scheme) is SafeTransport, BROKER


def test_safe_channel_keeps_one_client_where_kombu_makes_many(
    redis_server: EmbeddedRedis,
) -> None:
    """Kombu makes a client for every command and the safe channel keeps one."""
    clients: dict[type[Transport], list[Any]] = {}
    for transport in (Transport, SafeTransport):
        channel = channel_of(transport, redis_server)
        for _ in range(2):
            with channel.conn_or_acquire() as client:
                clients.setdefault(transport, []).append(client)
        assert clients[transport][0].connection_pool is channel.pool, BROKER
        channel.connection.client.close()
    first, second = clients[Transport]
    assert first is not second, NO_REASON_ANY_MORE
    first, second = clients[SafeTransport]
    assert first is second, BROKER


def test_safe_channel_takes_a_new_client_for_a_new_pool(redis_server: EmbeddedRedis) -> None:
    """kombu makes a new pool after it has lost the broker."""
    channel = channel_of(SafeTransport, redis_server)
    with channel.conn_or_acquire() as before:
        pass
    channel._disconnect_pools()
    with channel.conn_or_acquire() as after:
        assert after is not before, BROKER
        assert after.connection_pool is channel.pool, BROKER
        assert after.ping()
    channel.connection.client.close()


def read_one(transport: type[Transport], redis_server: EmbeddedRedis) -> None:
    """As a worker reads its next message. Raises what would end the worker."""
    connection = Connection(
        redis_server.url, transport=transport, transport_options={"polling_interval": 0.01}
    )
    with connection, connection.SimpleBuffer(QUEUE) as queue, pytest.raises(queue.Empty):
        queue.get(timeout=0.3)


@pytest.mark.parametrize("message", UNREADABLE.values(), ids=UNREADABLE)
def test_kombu_breaks_on_a_message_that_the_safe_transport_drops(
    message: bytes, redis: Redis, redis_server: EmbeddedRedis
) -> None:
    redis.lpush(QUEUE, message)
    with pytest.raises((ValueError, RecursionError, TypeError)):
        read_one(Transport, redis_server)
    redis.delete(QUEUE)
    redis.lpush(QUEUE, message)
    read_one(SafeTransport, redis_server)
    assert redis.llen(QUEUE) == 0, BROKER


# -- sync_worker/runtime/celery/queued.py -----------------------------------------------------

QUEUED = changed("kombu", "5.7.0", "sync_worker/runtime/celery/queued.py")


def test_kombu_keeps_a_message_where_the_sweeper_looks_for_it(redis_server: EmbeddedRedis) -> None:
    """In the list of its queue, then among what a worker has in hand, until its end."""
    install_safe_transport()
    app = Celery("contract", broker=redis_server.url, set_as_current=False)
    options = {"global_keyprefix": "contract:"}
    app.conf.update(broker_transport_options=options, task_default_queue=QUEUE)
    app.send_task(DELIVERY_TASK, args=[17], ignore_result=True)
    with app.connection_for_read() as connection:
        channel = connection.channel()
        assert queued_in(channel).ids == {17}, QUEUED
        # As a worker takes it: through kombu, which notes whose it is.
        message = connection.SimpleQueue(QUEUE, channel=channel).get(timeout=5.0)
        assert channel.client.llen(QUEUE) == 0, QUEUED
        assert queued_in(channel).ids == {17}, QUEUED
        message.ack()
        assert queued_in(channel).ids == frozenset(), QUEUED
    app.close()


# -- sync_worker/runtime/celery/task_events.py ------------------------------------------------

TASK_EVENTS = changed("celery", "5.7.0", "sync_worker/runtime/celery/task_events.py")


def test_celery_publishes_buffered_events_when_its_dispatcher_says_so() -> None:
    """And it says so with each event, unless somebody else gathers them."""
    assert hasattr(Consumer, "on_send_event_buffered"), TASK_EVENTS
    app = Celery("contract", broker="memory://")
    told: list[object] = []
    with app.connection_for_write() as connection:
        dispatcher = app.events.Dispatcher(
            connection,
            buffer_group=["task"],
            on_send_buffered=lambda: told.append("buffered"),
        )
        dispatcher._publish = lambda events, *rest, **more: told.append(len(events))
        dispatcher.send("task-started", uuid="1")
        assert told == ["buffered"], f"{TASK_EVENTS}, or: {NO_REASON_ANY_MORE}"
        dispatcher.on_send_buffered = None
        dispatcher.send("task-succeeded", uuid="1")
        assert told == ["buffered"], TASK_EVENTS
        dispatcher.flush()
        assert told == ["buffered", 2], TASK_EVENTS
        for number in range(dispatcher.buffer_limit):
            dispatcher.send("task-started", uuid=str(number))
        assert told == ["buffered", 2, 24], TASK_EVENTS


def test_celery_starts_the_gathering_step_after_its_own_events() -> None:
    assert Events in GatheredEvents.requires
    assert parameters(Events.start) == ["self", "c"], TASK_EVENTS
    assert "event_dispatcher" in inspect.getsource(Events.start), TASK_EVENTS
    make_hub: Any = Hub  # kombu ships no types
    hub = make_hub()
    assert parameters(hub.call_repeatedly)[:2] == ["delay", "callback"], TASK_EVENTS
    hub.close()


# -- sync_worker/ledger/migrations/upgrade.py -------------------------------------------------

UPGRADE = changed("alembic", "1.20.1", "sync_worker/ledger/migrations/upgrade.py")


def test_alembic_finds_the_steps_of_an_upgrade_in_scripts_read_already() -> None:
    assert parameters(ScriptDirectory._upgrade_revs) == ["self", "destination", "current_rev"], (
        UPGRADE
    )
    assert parameters(EnvironmentContext.__init__)[:3] == ["self", "config", "script"], UPGRADE


def test_alembic_itself_reads_the_scripts_for_each_command() -> None:
    read = inspect.getsource(alembic_command.upgrade)
    assert "ScriptDirectory.from_config(config)" in read, NO_REASON_ANY_MORE


# -- webhook_gateway/server.py ----------------------------------------------------------------

SERVER = changed("waitress", "3.0.2", "webhook_gateway/server.py")


def test_waitress_has_what_the_door_extends() -> None:
    """What it does with it is tested with whole requests: test_server.py, test_hard_door.py."""
    assert parameters(HTTPRequestParser.parse_header) == ["self", "header_plus"], SERVER
    assert parameters(HTTPRequestParser.received) == ["self", "data"], SERVER
    for name in ("error", "chunked", "content_length", "body_bytes_received", "expect_continue"):
        assert name in vars(HTTPRequestParser), f"{SERVER}: {name}"
    assert parameters(HTTPChannel.received) == ["self", "data"], SERVER
    assert parameters(HTTPChannel.handle_close) == ["self"], SERVER
    for name in ("parser_class", "request", "last_activity", "will_close", "total_outbufs_len"):
        assert name in vars(HTTPChannel), f"{SERVER}: {name}"
    assert BaseWSGIServer.channel_class is HTTPChannel, SERVER


def test_waitress_closes_by_last_activity_what_has_no_request_in_hand() -> None:
    """The deadline of a request hangs on it."""
    source = inspect.getsource(BaseWSGIServer.maintenance)
    assert "(not channel.requests) and channel.last_activity < cutoff" in source, SERVER
    assert "self.adj.channel_timeout" in source, SERVER


@pytest.mark.parametrize("headers", [b"Content-Length: 5\r\nTransfer-Encoding: chunked"])
def test_waitress_itself_takes_a_body_of_two_lengths(headers: bytes) -> None:
    """While it does, the door has to refuse it."""
    request = HTTPRequestParser(Adjustments())
    request.received(b"POST / HTTP/1.1\r\n" + headers + b"\r\n\r\n0\r\n\r\n")
    assert request.error is None, NO_REASON_ANY_MORE


# -- benchmarks/probation_app.py ----------------------------------------------------------------

IS_GONE = """
from benchmarks.probation_app import SafeChannel, SafeTransport, GatheredEvents, app
left = vars(SafeChannel).keys() & {"_create_client", "_brpop_read"}
left |= vars(SafeTransport).keys() & {"_deliver"} | app.steps["consumer"] & {GatheredEvents}
print(len(left))
"""


@pytest.mark.full
@pytest.mark.parametrize("removed", [[], list(Workaround)], ids=["with all", "without all"])
def test_benchmark_runs_a_worker_without_the_workarounds(
    removed: list[Workaround], tmp_path: Path
) -> None:
    """What is measured against what: the library's own methods answer, or ours."""
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "REDIS_URL": "redis://127.0.0.1:1",
        "RATINGS_SYNC_HOME": str(tmp_path),
        "PROBATION_WITHOUT": ",".join(removed),
    }
    command = [sys.executable, "-c", IS_GONE]
    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(Workaround) - len(removed)
