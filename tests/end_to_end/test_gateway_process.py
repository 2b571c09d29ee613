"""The gateway as it runs in production, behind gunicorn: what hangs or dies behind it costs no valid delivery."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from redis import Redis

from sync_worker.embedded_redis import EmbeddedRedis, embedded_redis, free_port
from sync_worker.processes import Processes, gateway_command
from tests.unit.signed import APP_ID, OWN_SERVICE, a_token, an_envelope, an_event, claims, pem

pytestmark = pytest.mark.alone

ANSWER_SECONDS = 1.25  # Wix gives up then


@dataclass
class Door:
    url: str
    database: Path
    redis: EmbeddedRedis
    sent: int = 0

    def deliver(self, count: int, at_once: int = 4) -> list[tuple[int, float]]:
        """Valid deliveries; (status, seconds) of each answer."""
        bodies = []
        for _ in range(count):
            self.sent += 1
            event = an_event(id=f"event-{self.sent}", entityId=f"rating-{self.sent}")
            bodies.append(a_token(claims(an_envelope(event))))
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(self._post, bodies))

    def _post(self, body: bytes) -> tuple[int, float]:
        started = time.monotonic()
        answer = requests.post(f"{self.url}/webhooks/wix", data=body, timeout=10)
        return answer.status_code, time.monotonic() - started

    def stored(self) -> int:
        with sqlite3.connect(self.database) as connection:
            (count,) = connection.execute("SELECT count(*) FROM inbox").fetchone()
        connection.close()
        return int(count)


@pytest.fixture
def door(tmp_path: Path, environ: dict[str, str]) -> Iterator[Door]:
    bind = f"127.0.0.1:{free_port()}"
    with embedded_redis(tmp_path / "redis") as redis, Processes(lambda name, line: None, tmp_path) as processes:
        settings = {
            **environ,
            **OWN_SERVICE,
            "RATINGS_SYNC_HOME": str(tmp_path),
            "GATEWAY_BIND": bind,
            "REDIS_URL": redis.url,
            "WIX_APP_ID": APP_ID,
            "WIX_PUBLIC_KEY": pem().replace("\n", "\\n"),
        }
        processes.start("gateway", gateway_command(), settings)
        door = Door(f"http://{bind}", tmp_path / "ledger.db", redis)
        _wait_until_ready(door)
        yield door


def _wait_until_ready(door: Door) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            if requests.get(f"{door.url}/readyz", timeout=2).ok:
                return
        except requests.RequestException:
            time.sleep(0.05)
    raise AssertionError("the gateway is not ready")


def assert_all_answered(answers: list[tuple[int, float]]) -> None:
    assert {status for status, _ in answers} == {200}
    assert max(seconds for _, seconds in answers) < ANSWER_SECONDS


def test_every_delivery_is_answered_in_time_while_redis_is_well(door: Door) -> None:
    assert_all_answered(door.deliver(60))
    with Redis.from_url(door.redis.url) as redis:
        assert redis.llen("ratings-sync:sync") == 60
    assert door.stored() == 60


def test_every_delivery_is_answered_in_time_while_redis_is_frozen(door: Door) -> None:
    assert_all_answered(door.deliver(10))
    os.kill(door.redis.pid, signal.SIGSTOP)
    try:
        assert_all_answered(door.deliver(60))
        assert requests.get(f"{door.url}/readyz", timeout=5).json() == {"ledger": "up", "redis": "down"}
    finally:
        os.kill(door.redis.pid, signal.SIGCONT)
    assert door.stored() == 70


def test_every_delivery_is_answered_in_time_while_redis_is_dead_and_after_it_is_back(door: Door) -> None:
    assert_all_answered(door.deliver(10))
    door.redis.kill()
    assert_all_answered(door.deliver(60))
    door.redis.start()
    time.sleep(5.5)  # the breaker tries again after 5 s
    assert_all_answered(door.deliver(10))
    with Redis.from_url(door.redis.url) as redis:
        assert redis.llen("ratings-sync:sync") >= 9
    assert door.stored() == 80


def test_locked_ledger_is_503_with_retry_after_and_the_next_try_is_stored(door: Door) -> None:
    lock = sqlite3.connect(door.database, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    body = a_token(claims(an_envelope(an_event(id="event-locked"))))
    started = time.monotonic()
    answer = requests.post(f"{door.url}/webhooks/wix", data=body, timeout=10)
    assert time.monotonic() - started < ANSWER_SECONDS
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert requests.get(f"{door.url}/readyz", timeout=5).status_code == 503
    assert requests.get(f"{door.url}/healthz", timeout=5).status_code == 200
    lock.execute("ROLLBACK")
    lock.close()
    assert requests.post(f"{door.url}/webhooks/wix", data=body, timeout=10).status_code == 200
    assert door.stored() == 1


def test_body_without_an_end_is_cut_off_at_the_limit(door: Door) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(64):
            yield b"x" * 65_536

    try:
        status = requests.post(f"{door.url}/webhooks/wix", data=endless(), timeout=10).status_code
    except requests.ConnectionError:  # answered and closed while we were still sending
        status = 413
    assert status == 413
