"""Rounds of looks at the webhooks of many accounts: what they cost, and how many at a time.

Counted in calls and statements, over real HTTP.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import event

from sync_worker.config import load_settings
from sync_worker.ledger.database import open_engine
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.wiring.hook_checks import hooks_due, hooks_watched, look_at_hooks
from sync_worker.wiring.sweeps import NoBell
from sync_worker.wiring.worker import WorkerWiring
from tests.integration.account_ground import KEY, AccountGround, small_manifest
from tests.integration.accounts_at_work import FAST
from tests.integration.remote_server import Asked, RemoteServer, Reply
from tests.integration.test_account_hooks import HOOK_CALLS
from tests.unit.manifest.test_settings import SMALL

pytestmark = pytest.mark.full

SLOTS = 16
AT_ONCE = 4  # a quarter of the slots
# Of an account that this process has not met: four to know it, one for addresses whose day is over,
# two for what its hooks were made with, two to note the look.
STATEMENTS = 9
# Which accounts have changed is asked for once in a second, whatever is done meanwhile.
CHANGES = 12


@dataclass
class Fleet:
    """A worker, and accounts whose webhooks are all there."""

    ground: AccountGround
    worker: WorkerWiring
    server: RemoteServer

    def add(self, first: int, last: int) -> None:
        for number in range(first, last):
            self.ground.add(f"n{number}", url=self.server.url, **FAST)

    def round(self) -> str:
        return look_at_hooks(self.worker, hooks_due(self.worker), lambda: None)

    @contextmanager
    def counted(self) -> Iterator[list[str]]:
        statements: list[str] = []

        def note(*told: Any) -> None:
            statements.append(told[2])

        event.listen(self.worker.databases.aside, "before_cursor_execute", note)
        yield statements
        event.remove(self.worker.databases.aside, "before_cursor_execute", note)


@pytest.fixture
def fleet(
    sqlite_url: str, tmp_path: Path, redis: Redis, redis_server: EmbeddedRedis, server: RemoteServer
) -> Iterator[Fleet]:
    manifest = small_manifest(tmp_path, webhook={**SMALL["webhook"], "manage": HOOK_CALLS})
    environ = {
        "RATINGS_SYNC_HOME": str(tmp_path),
        "DATABASE_URL": sqlite_url,
        "REDIS_URL": redis_server.url,
        "CONNECTORS": str(manifest),
        "SECRETS_KEY": KEY,
        "WORKER_SLOTS": str(SLOTS),
        "CLIENT": "app",
    }
    ground = AccountGround(open_engine(sqlite_url), manifest, environ)
    worker = WorkerWiring(load_settings(environ), environ, NoBell())
    fleet = Fleet(ground, worker, server)
    server.answer = lambda asked: Reply(body={"hooks": hooks_of(ground, asked)})
    yield fleet
    worker.databases.close()
    ground.engine.dispose()


def hooks_of(ground: AccountGround, asked: Asked) -> list[dict[str, Any]]:
    name = asked.headers["authorization"].removeprefix("Bearer t-")
    site = ground.admin.sites.find(f"instance-{name}")
    url = f"https://gw.example.org/webhooks/external/{site.external_source}"
    return [{"id": "1", "enabled": True, "url": url, "topic": "changed", "secret": "s"}]


def test_round_costs_one_call_and_nine_statements_an_account(fleet: Fleet) -> None:
    """Whatever their number: what a round asks for all of them is asked once."""
    fleet.add(0, 10)
    with fleet.counted() as few:
        assert fleet.round() == ""
    assert len(fleet.server.asked) == 10
    assert hooks_due(fleet.worker) == []
    fleet.add(10, 40)
    fleet.server.asked.clear()
    with fleet.counted() as many:
        fleet.round()
    assert len(fleet.server.asked) == 30
    assert abs(len(many) - len(few) - 20 * STATEMENTS) <= CHANGES
    assert hooks_watched(fleet.worker) == []


def test_round_looks_at_some_accounts_at_a_time(fleet: Fleet) -> None:
    """Each shop answers only once a quarter of the slots is at work: one by one none would."""
    fleet.add(0, 3 * AT_ONCE)
    together, answer = threading.Barrier(AT_ONCE), fleet.server.answer

    def answer_together(asked: Asked) -> Reply:
        together.wait(timeout=5.0)
        return answer(asked)

    fleet.server.answer = answer_together
    fleet.round()
    assert hooks_due(fleet.worker) == []
    assert (len(fleet.server.asked), fleet.server.most_at_once) == (3 * AT_ONCE, AT_ONCE)


def test_account_that_hangs_keeps_no_other_from_its_look(fleet: Fleet) -> None:
    """It holds one of the looks at a time until its deadline; what fails has its pause."""
    fleet.add(0, 12)
    answer = fleet.server.answer
    hanging = fleet.ground.admin.sites.find("instance-n0").external_source

    def hang(asked: Asked) -> Reply:
        if asked.headers["authorization"].endswith("t-n0"):
            return Reply(hangs_up=True)
        return answer(asked)

    fleet.server.answer = hang
    fleet.round()
    assert hooks_due(fleet.worker) == [], "all are known, and that one has its pause"
    faults = fleet.worker.site_faults()
    assert faults.is_paused("hooks", hanging)
