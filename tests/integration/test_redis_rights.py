"""The fleet's user in Redis may do what Celery and we do, and nothing beside it.

Its rights are those that docker-compose.yml writes; the server is a real one.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import kombu
import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from sync_worker.core.errors import RateLimited
from sync_worker.core.values import Side
from sync_worker.redis.account_news import AccountNews
from sync_worker.redis.budget import RedisBudget
from sync_worker.redis.client import RedisClient
from sync_worker.redis.encryption import Seal
from sync_worker.redis.first_looks import RedisFirstLooks
from sync_worker.redis.loop_guard import RedisGuard
from sync_worker.redis.request_limits import RedisLimits
from sync_worker.redis.tokens import RedisTokens
from sync_worker.runtime.celery.broker import SafeTransport
from sync_worker.runtime.celery.queued import queued_in
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.telemetry.broker_figures import broker_figures
from tests.fleet_file import read_fleet

PREFIX = "ratings-sync:"
broker: Any = kombu  # it ships no types


def rules(folder: Path) -> list[str]:
    """The user's line as the service's command writes it."""
    service = read_fleet({"WIX_APP_ID": "app"})["services"]["redis"]
    script = service["command"][-1]
    (folder / "password").write_text("secret")
    (folder / "server.conf").write_text("")
    for container, here in (
        ("/run/secrets/redis_password", "password"),
        ("/etc/redis/ratings-sync.conf", "server.conf"),
        ("/tmp/redis.conf", "redis.conf"),  # noqa: S108 - the container's
        ("exec redis-server", "exec cat"),
    ):
        assert container in script
        named = here if here.startswith("exec") else str(folder / here)
        script = script.replace(container, named)
    environ = {"PATH": "/usr/bin:/bin", **service["environment"]}
    done = subprocess.run(
        ["sh", "-ec", script], env=environ, capture_output=True, text=True, check=True
    )
    off, ours = [line.split() for line in done.stdout.splitlines() if line.startswith("user ")]
    assert off == ["user", "default", "off"]
    return ours


@pytest.fixture
def url(redis: Redis, redis_server: EmbeddedRedis, tmp_path: Path) -> Iterator[str]:
    _, name, *rights = rules(tmp_path)
    redis.execute_command("ACL", "SETUSER", name, "reset", *rights)  # type: ignore[no-untyped-call]  # redis ships no type for it
    address = redis_server.url.rpartition("@")[2]
    yield f"redis://{name}:secret@{address}"
    redis.execute_command("ACL", "DELUSER", name)  # type: ignore[no-untyped-call]  # redis ships no type for it


def test_our_parts_work_with_these_rights(url: str) -> None:
    with Redis.from_url(url) as redis:
        client = RedisClient(redis, prefix=PREFIX)
        guard = RedisGuard(client)
        guard.remember(1, Side.WIX, "r", 2, "intent")
        assert guard.recall(1, Side.WIX, "r", 2) == "intent"
        guard.forget(1, Side.WIX, "r")
        tokens = RedisTokens(client, Seal("app-secret"))
        tokens.put("site", "token", 60)
        assert tokens.get("site") == "token"
        assert tokens.claim("site", 5)
        tokens.drop("site")
        looks = RedisFirstLooks(client, "small")
        assert looks.is_second("1", 60, 900) is False
        looks.forget("1")
        budget = RedisBudget(client, "budget:wix:x", capacity=8, per_minute=60_000)
        with pytest.raises(RateLimited):
            budget.take()
        time.sleep(0.05)
        budget.take()
        budget.penalise(1)
        assert RedisLimits(client, 60).seconds_until_free("a-program") == 0
        heard = threading.Event()
        news = AccountNews(client, lambda: Redis.from_url(url))
        news.listen(heard.set)
        assert heard.wait(10)
        news.tell()
        figures = broker_figures(redis, ["sync"], PREFIX)
        assert figures.max_memory_bytes >= 0


def test_queues_and_events_work_with_these_rights(url: str) -> None:
    """Publish, take, give back, take again, acknowledge; a fan-out to whoever listens."""
    options = {"global_keyprefix": PREFIX, "visibility_timeout": 120}
    queue = broker.Queue("sync", broker.Exchange("sync", type="direct"), routing_key="sync")
    heard: list[Any] = []
    with broker.Connection(url, transport=SafeTransport, transport_options=options) as connection:
        events = broker.Queue("e", broker.Exchange("celeryev", type="fanout"), auto_delete=True)
        with connection.Consumer([events], callbacks=[lambda body, message: heard.append(body)]):
            producer = connection.Producer()
            for _ in range(50):  # subscribed only as it first listens
                with suppress(TimeoutError):
                    connection.drain_events(timeout=0.1)
                if heard:
                    break
                producer.publish({"n": 1}, exchange=events.exchange, declare=[events])
        bound = queue(connection.channel())
        bound.declare()
        producer.publish({"n": 2}, exchange="sync", routing_key="sync")
        message = bound.get(no_ack=False)
        assert message is not None
        assert queued_in(bound.channel).ids == frozenset()  # it carries no delivery
        message.requeue()
        again = bound.get(no_ack=False)
        assert again is not None
        again.ack()
        bound.channel.qos.restore_visible()
        bound.purge()
    assert heard[:1] == [{"n": 1}]


@pytest.mark.parametrize(
    "words",
    [
        *("FLUSHALL", "FLUSHDB", "KEYS *", "SCAN 0", "CONFIG GET *", "SHUTDOWN", "SAVE"),
        *("EVAL return(1) 0", "SCRIPT FLUSH", "SCRIPT KILL", "FUNCTION LIST", "FCALL f 0"),
        *("CLIENT LIST", "CLIENT KILL ID 1", "CLIENT PAUSE 1", "CLIENT NO-EVICT on"),
        *("ACL LIST", "ACL WHOAMI", "MONITOR", "MODULE LIST", "SLOWLOG GET"),
        *("REPLICAOF h 1", "MIGRATE h 1 k 0 1", "RESTORE k 0 x", "SWAPDB 0 1", "SORT k"),
        *("GET other:key", "SET other:key 1", "LPUSH other 1"),
        *("RENAME a b", "COPY a b", "DUMP ratings-sync:x", "OBJECT ENCODING ratings-sync:x"),
    ],
)
def test_what_nobody_of_us_needs_is_refused(url: str, words: str) -> None:
    with Redis.from_url(url) as redis, pytest.raises(NoPermissionError):
        redis.execute_command(*words.split())


def test_script_may_do_no_more_than_its_user(url: str) -> None:
    with Redis.from_url(url) as redis:
        script = redis.register_script("return redis.call('KEYS', '*')")
        with pytest.raises(Exception, match=r"(?i)no permissions|can't run this command"):
            script()
