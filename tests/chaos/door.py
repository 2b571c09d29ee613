"""A gateway as it runs in production, and valid deliveries for it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from redis import Redis
from sqlalchemy import create_engine, text

from sync_worker.ledger.up_check import GOOD_SECONDS
from sync_worker.runtime.local.commands import gateway_command
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.runtime.local.free_port import free_port
from sync_worker.runtime.local.processes import Processes
from sync_worker.runtime.waiting import wait_until
from sync_worker.telemetry.broker_figures import AFTER_OTHERS_LIST
from tests.unit.signed import APP_ID, KEY, OWN_SERVICE, a_token, an_envelope, an_event, claims, pem

ANSWER_SECONDS = 1.25  # Wix gives up then
QUEUE = "ratings-sync:sync"
PROCESSES = 2
START_SECONDS = 90.0  # a machine that others keep busy takes half a minute


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    seconds: float
    retry_after: str | None


@dataclass
class Door:
    """``deliver`` posts valid deliveries; ``sent`` counts the different ones."""

    url: str
    pid: int
    database_url: str
    redis: EmbeddedRedis
    sent: int = 0
    bodies: list[bytes] = field(default_factory=list)
    said: list[str] = field(default_factory=list)  # lines of its processes

    def deliver(self, count: int, at_once: int = 8, key: RSAPrivateKey = KEY) -> list[Answer]:
        """New deliveries, eight at a time, signed with this key."""
        self.bodies = [self._body(key) for _ in range(count)]
        return self.post(self.bodies, at_once)

    def again(self, at_once: int = 8) -> list[Answer]:
        """The last ones once more, as their sender does after a failure."""
        return self.post(self.bodies, at_once)

    def _body(self, key: RSAPrivateKey) -> bytes:
        self.sent += 1
        name = f"{self.pid}-{self.sent}"  # several doors may share a ledger
        event = an_event(id=f"event-{name}", entityId=f"rating-{name}")
        return a_token(claims(an_envelope(event)), key=key)

    def post(self, bodies: list[bytes], at_once: int = 8) -> list[Answer]:
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(self._post, bodies))

    def _post(self, body: bytes) -> Answer:
        started = time.monotonic()
        answer = requests.post(f"{self.url}/webhooks/wix", data=body, timeout=10)
        seconds = time.monotonic() - started
        return Answer(answer.status_code, seconds, answer.headers.get("Retry-After"))

    def ready(self) -> requests.Response:
        return requests.get(f"{self.url}/readyz", timeout=5)

    def stored(self) -> int:
        """Rows of the inbox."""
        engine = create_engine(self.database_url)
        with engine.connect() as connection:
            count = connection.execute(text("SELECT count(*) FROM inbox")).scalar_one()
        engine.dispose()
        return int(count)

    def rung(self) -> int:
        """Messages in the queue; what one source sends beyond its share stands in a second list."""
        with Redis.from_url(self.redis.url) as redis:
            return sum(int(redis.llen(name)) for name in (QUEUE, QUEUE + AFTER_OTHERS_LIST))

    def ring_until_heard(self, seconds: float = 15.0) -> None:
        """Deliver until the doorbell rings again: the breaker tries a Redis that was away after 5
        s.
        """
        before, until = self.rung(), time.monotonic() + seconds
        while self.rung() <= before:
            assert time.monotonic() < until, "the doorbell stays silent although Redis is back"
            assert {one.status for one in self.deliver(1)} == {200}
            time.sleep(0.2)

    def says_down(self, struck: float) -> bool:
        """Whether all its processes say so of a ledger that was struck then (monotonic seconds).

        Who says up has written, five seconds ago at most: until then any of them may still say up.
        """
        while time.monotonic() <= struck + GOOD_SECONDS:
            if self._all_say_down():
                return True
        return self._all_say_down()

    def _all_say_down(self) -> bool:
        return all(self.ready().status_code == 503 for _ in range(20))

    def waiting(self) -> list[int]:
        """Processes that have ever waited for a ledger before they served."""
        return [int(line.split()[2]) for line in self.said if "waits for its ledger" in line]

    def pids(self) -> list[int]:
        """The parent and its processes."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]

    def serves_with_all(self) -> bool:
        """Whether each of its processes has opened the ledger and is at work."""
        engine = create_engine(self.database_url)
        with engine.connect() as connection:
            signs = connection.execute(text("SELECT pid FROM heartbeat WHERE kind = 'gateway'"))
            at_work = set(signs.scalars())
        engine.dispose()
        _, *processes = self.pids()
        return len(processes) == PROCESSES and at_work.issuperset(processes)


@contextmanager
def open_door(
    folder: Path,
    environ: Mapping[str, str],
    redis: EmbeddedRedis,
    database_url: str,
    keys: str = pem(),
) -> Iterator[Door]:
    """A gateway that is ready as far as its ledger goes."""
    folder.mkdir(exist_ok=True)
    bind = f"127.0.0.1:{free_port()}"
    settings = {
        **environ,
        **OWN_SERVICE,
        "RATINGS_SYNC_HOME": str(folder),
        "DATABASE_URL": database_url,
        "GATEWAY_BIND": bind,
        "GATEWAY_PROCESSES": str(PROCESSES),
        "REDIS_URL": redis.url,
        "WIX_APP_ID": APP_ID,
        "WIX_PUBLIC_KEY": keys.replace("\n", "\\n"),
    }
    lines: list[str] = []
    with Processes(lambda name, line: lines.append(line), folder) as processes:
        child = processes.start("gateway", gateway_command(), settings)
        door = Door(f"http://{bind}", child.process.pid, database_url, redis, said=lines)
        _wait_until_ready(door)
        yield door
        assert processes.dead() is None, "the gateway has ended"
    assert [line for line in lines if "Traceback" in line] == [], "\n".join(lines)


def _wait_until_ready(door: Door) -> None:
    def is_ready() -> bool:
        try:
            # The first shows that the settings are good, then the others begin.
            return door.ready().ok and door.serves_with_all()
        except requests.RequestException:
            return False

    assert wait_until(is_ready, START_SECONDS), "the gateway is not ready"
