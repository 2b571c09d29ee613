"""A ledger that earlier code has left behind serves under today's code, and steps back and forward.

The dumps were made by the code of commit 2a134f7: tests/data/README.md says what is in them.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from redis import Redis
from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from sync_sandbox.door import serve_door
from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.config import load_settings
from sync_worker.core import exact_json
from sync_worker.ledger.opening import step_back
from sync_worker.ledger.process_tables import ledger_clock
from sync_worker.ledger.tables import metadata
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.wiring import Wiring

pytestmark = [pytest.mark.any_redis, pytest.mark.full]

DATA = Path(__file__).parents[1] / "data" / "ledger-2a134f7"
BELOW = "0007"  # one below the schema of the dumps
OUTSIDE = "r2"  # Ada's rating on the review service: 5, where Wix says 20 of 100 since


@dataclass
class Rings:
    rung: list[int] = field(default_factory=list)

    def ring(self, inbox_ids: Sequence[int]) -> None:
        self.rung += inbox_ids


@dataclass
class Installation:
    """Today's code on an earlier ledger, between both stand-ins."""

    box: Sandbox
    start: Callable[[], Wiring]

    @property
    def on_wix(self) -> int:
        (rating,) = self.box.wix.ratings.values()
        return int(rating["value"])

    @property
    def outside(self) -> Decimal:
        return Decimal(self.box.reviews.ratings[OUTSIDE]["score"])


def restore(database: str, url: str) -> None:
    dump = (DATA / f"{database}.sql").read_text(encoding="utf-8")
    if database == "sqlite":
        with closing(sqlite3.connect(str(make_url(url).database))) as file:
            file.executescript(dump)
    else:
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            connection.execute(dump.encode())


@pytest.fixture(params=["sqlite", "postgresql"])
def earlier(
    request: pytest.FixtureRequest, tmp_path: Path, redis: Redis, redis_server: EmbeddedRedis
) -> Iterator[Installation]:
    fixture = "empty_sqlite_url" if request.param == "sqlite" else "empty_postgres_url"
    url = request.getfixturevalue(fixture)
    restore(request.param, url)
    held = exact_json.loads((DATA / f"{request.param}-stand-ins.json").read_bytes())
    with Sandbox(SandboxOptions(rate_per_minute=None, sender_threads=1)) as box:
        box.wix.ratings.update(held["wix"]["ratings"])
        box.wix.contacts.update(held["wix"]["contacts"])
        box.reviews.ratings.update(held["reviews"]["ratings"])
        settings = box.settings() | {
            "RATINGS_SYNC_HOME": str(tmp_path),
            "REDIS_URL": redis_server.url,
            "DATABASE_URL": url,
            "WIX_BUDGET_PER_MINUTE": "60000",
        }
        yield Installation(box, lambda: Wiring(load_settings(settings), settings))


def counts(wiring: Wiring) -> dict[str, int]:
    """Rows of each table, but for the ledger's last time, which is noted as it goes."""
    with wiring.ledger.engine.connect() as connection:
        return {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in metadata.tables.items()
            if table is not ledger_clock
        }


def work_until(wiring: Wiring, is_done: Callable[[], bool]) -> None:
    """Work on what is due. The first calls to a side find an empty budget, and wait for it."""
    intake, until = wiring.intake(Rings()), time.monotonic() + 20
    while not is_done():
        assert time.monotonic() < until, "nothing is due any more, or all of it fails"
        for inbox_id in wiring.ledger.inbox.due(10):
            intake.process(inbox_id)
        time.sleep(0.05)


def test_earlier_ledger_serves_steps_back_and_forward_and_serves_again(
    earlier: Installation,
) -> None:
    """The way of an update that is taken back with ``migrate --to``, and made again.

    What the earlier code had stored is brought to its write, and so is the next webhook.
    """
    assert earlier.on_wix == 20
    assert earlier.outside == 5
    with closing(earlier.start()) as wiring:
        work_until(wiring, lambda: earlier.outside == 1)
        before = counts(wiring)
        assert wiring.ledger.inbox.due(10) == []
    with closing(earlier.start()) as wiring:
        step_back(wiring.settings.database, BELOW)
    with closing(earlier.start()) as wiring:
        assert counts(wiring) == before
        door = serve_door(wiring, Rings(), earlier.box)
        earlier.box.send_webhooks_to(door.url)
        earlier.box.reviews.change(OUTSIDE, {"score": 3}, by="visitor")
        assert earlier.box.flush(10)
        work_until(wiring, lambda: earlier.on_wix == 60)
        door.stop()
    assert earlier.outside == 3
