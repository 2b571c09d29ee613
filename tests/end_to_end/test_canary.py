"""No secret and nobody's address where it does not belong: logs, Redis, Celery messages, Flower,
metrics, SQL.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
import requests
from redis import Redis
from sqlalchemy import create_engine, text

from sync_sandbox.stage import Stage
from sync_worker.runtime.local.free_port import free_port
from tests.end_to_end.conftest import StageMaker
from tests.end_to_end.test_processes import _tasks, wait_for

pytestmark = pytest.mark.timeout(240)

PRODUCTS = {"beans": "SKU-1", "tea": "SKU-2"}
PEOPLE = ("canary.ada@example.com", "canary.bob@example.com", "canary.nobody@example.com")
NAMES = ("Canary Ada", "Canary Bob", "Canary Nobody")
TOKEN = "canary-token-of-metrics"


@pytest.mark.full
def test_no_secret_and_no_address_shows_after_real_work(
    make_stage: StageMaker, empty_postgres_url: str
) -> None:
    metrics_url = f"http://127.0.0.1:{free_port()}"
    lines: list[str] = []
    settings = {
        "DATABASE_URL": empty_postgres_url,
        "LOG_LEVEL": "DEBUG",
        "LOG_FORMAT": "json",
        "METRICS_TOKEN": TOKEN,
        "METRICS_BIND": metrics_url.removeprefix("http://"),
    }
    flower_port = free_port()
    stage = make_stage(PRODUCTS, settings=settings, flower_port=flower_port)
    _hear(stage, lines)
    with _listening(stage.redis_url) as sent:
        _work(stage, f"http://127.0.0.1:{flower_port}")
        tasks = wait_for(lambda: _tasks(f"http://127.0.0.1:{flower_port}"))
        header = {"Authorization": f"Bearer {TOKEN}"}
        metrics = [
            requests.get(f"{url}/metrics", headers=header, timeout=5).text
            for url in (stage.parts.gateway_url, metrics_url)
        ]
    shown = {
        "logs": "\n".join(lines),
        "Redis": _dump(stage.redis_url),
        "messages": "\n".join(sent),
        "Flower": json.dumps(tasks),
        "metrics": "\n".join(metrics),
    }
    secrets = _secrets_of(stage)
    hidden = [one.casefold() for one in (*secrets, *PEOPLE, *NAMES, "canary-forgery")]
    for place, content in shown.items():
        assert content, f"{place}: nothing was looked at"
        assert [one for one in hidden if one in content.casefold()] == [], place
    assert "token:" in shown["Redis"], "no access token was in Redis"
    assert "remote_call" in shown["logs"], "the log was not detailed enough to prove anything"
    assert '"BRPOP"' in shown["messages"] or '"LPUSH"' in shown["messages"]
    database = _rows(empty_postgres_url)
    assert PEOPLE[0] in database, "the ledger itself knows people by their address"
    assert [one for one in secrets if one in database] == []


def _work(stage: Stage, flower: str) -> None:
    """A rating from each side crosses, another one is held, and a forgery is refused."""
    wait_for(lambda: requests.get(flower, timeout=2).ok)
    ada = stage.add_person(PEOPLE[0], NAMES[0])
    stage.add_person(PEOPLE[1], NAMES[1])
    stage.rate_on_wix(ada, "beans", 80)
    stage.rate_on_external(PEOPLE[1], NAMES[1], "tea", Decimal(4))
    stage.rate_on_external(PEOPLE[2], NAMES[2], "tea", Decimal(2))  # held: no contact
    requests.post(f"{stage.parts.gateway_url}/webhooks/wix", data=b"canary-forgery", timeout=5)
    followed = stage.wait_until(
        lambda: len(stage.rated()) == 3 and len(stage.differences()) == 1, 30
    )
    assert followed, stage.rated()
    assert stage.wait_until(
        lambda: stage.admin.questions.status().held == {"unknown_contact": 1}, 20
    )


def _secrets_of(stage: Stage) -> list[str]:
    """All of this installation: settings, password of Redis, token of metrics, access tokens."""
    names = ("WIX_APP_SECRET", "OWN_SERVICE_TOKEN", "OWN_SERVICE_WEBHOOK_SECRET")
    settings = [stage.everything[name] for name in names]
    password = stage.redis_url.split(":")[2].split("@")[0]
    assert stage.box.wix._tokens, "no access token was ever made"
    return [*settings, TOKEN, password, *stage.box.wix._tokens]


@contextmanager
def _listening(redis_url: str) -> Iterator[list[str]]:
    """What anybody says to Redis inside the block."""
    sent: list[str] = []
    is_over = threading.Event()
    listener = threading.Thread(target=_listen, args=(redis_url, sent, is_over))
    listener.start()
    try:
        yield sent
    finally:
        is_over.set()
        listener.join()


def _hear(stage: Stage, lines: list[str]) -> None:
    """Also note what the processes print from now on."""
    say = stage.parts.processes.say

    def note(name: str, line: str) -> None:
        lines.append(line)
        say(name, line)

    stage.parts.processes.say = note


def _listen(url: str, heard: list[str], is_over: threading.Event) -> None:
    """Everything that anybody says to Redis; the values of AUTH are not shown by MONITOR itself."""
    with Redis.from_url(url) as client, client.monitor() as monitor:
        while not is_over.is_set():
            # A time-out of a read would end the connection.
            if not monitor.connection.can_read(timeout=0.5):
                continue
            command = monitor.next_command()["command"]
            word, _, rest = command.partition(" ")
            heard.append(f'"{word.upper()}" {rest}')


def _dump(url: str) -> str:
    """All keys with their values, read by kind: DUMP would compress, and hide."""
    content = []
    read: dict[bytes, Callable[[Redis, Any], Any]] = {
        b"string": lambda redis, key: redis.get(key),
        b"hash": lambda redis, key: redis.hgetall(key),
        b"list": lambda redis, key: redis.lrange(key, 0, -1),
        b"set": lambda redis, key: redis.smembers(key),
        b"zset": lambda redis, key: redis.zrange(key, 0, -1),
        b"none": lambda redis, key: None,  # it has ended since its name was read
    }
    for database in (0, 1):
        with Redis.from_url(url.rpartition("/")[0] + f"/{database}") as redis:
            content += [
                f"{key!r} {read[redis.type(key)](redis, key)!r}" for key in redis.scan_iter()
            ]
    return "\n".join(content)


def _rows(url: str) -> str:
    engine = create_engine(url)
    with engine.connect() as connection:
        names = (
            connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
            .scalars()
            .all()
        )
        rows = [
            str(row)
            for name in names
            for row in connection.execute(text(f'SELECT * FROM "{name}"'))  # noqa: S608 - its own tables
        ]
    engine.dispose()
    return "\n".join(rows)


@pytest.mark.full
def test_log_of_a_delivery_carries_its_id_from_the_door_to_the_remote_call(
    make_stage: StageMaker,
) -> None:
    lines: list[str] = []
    stage = make_stage(PRODUCTS, settings={"LOG_LEVEL": "DEBUG", "LOG_FORMAT": "json"})
    _hear(stage, lines)
    stage.rate_on_wix(stage.add_person("ada@example.com", "Ada"), "beans", 80)
    assert stage.wait_until(lambda: len(stage.rated()) == 1 and not stage.differences(), 60)

    def events(name: str, **fields: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in list(lines) if line.startswith("{")]
        return [one for one in found if one["event"] == name and fields.items() <= one.items()]

    (call,) = wait_for(lambda: events("remote_call", remote="own-service", operation="create"))
    (done,) = wait_for(lambda: events("delivery_processed", outcome="synced"))
    (stored,) = [
        one
        for one in events("delivery_stored", source="wix")
        if one["inbox_id"] == call["inbox_id"]
    ]
    assert stored["request_id"]
    assert (done["inbox_id"], done["task_id"]) == (call["inbox_id"], call["task_id"])


def test_every_line_of_the_log_is_json_also_those_of_libraries() -> None:
    script = (
        "import logging, structlog; from sync_worker.telemetry.logs import set_up_logs;"
        " set_up_logs('json', 'INFO');"
        " structlog.contextvars.bind_contextvars(inbox_id=7);structlog.get_logger('x').info('ours',"
        " a=1); logging.getLogger('celery.x').warning('theirs %s', 2);\ntry: 1 / 0\nexcept"
        " ZeroDivisionError: logging.getLogger('lib').exception('broken')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    ours, theirs, broken = [json.loads(line) for line in done.stderr.splitlines()]
    assert (ours["event"], ours["a"], ours["inbox_id"]) == ("ours", 1, 7)
    assert (theirs["event"], theirs["logger"], theirs["level"], theirs["inbox_id"]) == (
        "theirs 2",
        "celery.x",
        "warning",
        7,
    )
    assert "ZeroDivisionError" in broken["exception"]
