"""The figures, read from real databases and a real Redis."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import Engine, event, text, update

from sync_worker.core.ports.inbox import Closing
from sync_worker.core.scale import FieldMap, Scale
from sync_worker.core.values import (
    Change,
    EntityRef,
    InboxState,
    NewDelivery,
    RatingKey,
    Side,
    SiteSide,
)
from sync_worker.ledger.administration.admin import ledger_admin
from sync_worker.ledger.administration.figures import FigureReader
from sync_worker.ledger.administration.site_faults import SqlSiteFaults
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.sql_ledger import sql_ledger
from sync_worker.ledger.tables import inbox
from sync_worker.ledger.transactions import Transactions
from sync_worker.manifest.default_field import WIX_SCALE
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.telemetry.broker_figures import broker_figures
from tests.commands import run_command
from tests.unit.signed import OWN_SERVICE

pytestmark = pytest.mark.full


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine = open_engine(request.getfixturevalue(request.param))
    upgrade(engine)
    yield engine
    engine.dispose()


def deliver(
    engine: Engine,
    name: str,
    state: InboxState | None = None,
    reason: str = "",
    *,
    ours: bool = False,
) -> int:
    ledger = sql_ledger(engine)
    inbox_id = ledger.inbox.store(
        NewDelivery(Side.WIX, "instance-1", name, Change.UPSERT, name, {}, is_ours=ours)
    ).inbox_id
    if state is not None:
        ledger.inbox.close(inbox_id, Closing(state, reason))
    return inbox_id


def add_site_that_is_refused(engine: Engine) -> None:
    site, _ = ledger_admin(engine).sites.add("instance-1", "own-service", [])
    sql_ledger(engine).site_sides.fail(SiteSide(site.id, Side.EXTERNAL), [], "401")


def test_ledger_figures_count_what_is_open_held_and_ended(
    engine: Engine,
) -> None:
    """The ledger's figures count what is open and held and how long the ended took."""
    empty = FigureReader(engine).figures()
    assert (empty.open, empty.held, empty.oldest_open_seconds) == ({"new": 0, "taken": 0}, {}, 0.0)
    assert (empty.most_attempts, empty.most_for_one_link) == (0, 0)
    assert empty.delivery_age_seconds == {}
    old = deliver(engine, "old")
    deliver(engine, "new")
    deliver(engine, "held", InboxState.HELD, "unknown_contact")
    done = deliver(engine, "done", InboxState.DONE, "in_step", ours=True)
    with engine.begin() as connection:
        connection.execute(
            update(inbox).where(inbox.c.id == old).values(received_at=inbox.c.received_at - 100)
        )
        connection.execute(
            update(inbox).where(inbox.c.id == done).values(received_at=inbox.c.received_at - 7)
        )
    now = FigureReader(engine).figures()
    assert now.open == {"new": 2, "taken": 0}
    assert now.held == {"unknown_contact": 1}
    assert 100 <= now.oldest_open_seconds < 130
    assert now.near_misses_last_hour == 1
    assert 7 <= now.delivery_age_seconds[0.5] == now.delivery_age_seconds[0.99] < 37


def test_ledger_figures_tell_what_is_stuck(engine: Engine) -> None:
    ledger = sql_ledger(engine)
    stars = Scale(Decimal(1), Decimal(5), Decimal(1))
    site, _ = ledger_admin(engine).sites.add(
        "instance-1", "own-service", [FieldMap("overall", "value", WIX_SCALE, stars)]
    )
    ledger_admin(engine).mappings.import_entities(site, [(EntityRef("beans"), EntityRef("SKU-1"))])
    entity = ledger.directory.entity(site.id, Side.WIX, EntityRef("beans"))
    assert entity is not None
    for name, contact in (("a", "ada"), ("b", "ada"), ("c", "ada"), ("d", "ben")):
        ledger.links.attach(deliver(engine, name), RatingKey(site.id, entity.id, contact))
    ledger.inbox.defer([1], 100.0, "the remote is down", is_failure=True)
    ledger.inbox.defer([1], 100.0, "the remote is down", is_failure=True)
    now = FigureReader(engine).figures()
    assert (now.most_attempts, now.most_for_one_link) == (2, 3)


def test_figures_go_over_indexes_and_never_read_the_whole_inbox(fresh_postgres_url: str) -> None:
    """With sequential scans made dear, PostgreSQL shows whether an index could serve."""
    engine = open_engine(fresh_postgres_url)
    upgrade(engine)
    statements: list[tuple[str, Any]] = []
    event.listen(
        engine,
        "before_cursor_execute",
        lambda c, cur, text_, values, ctx, many: statements.append((text_, values)),
    )
    FigureReader(engine).figures()
    asked = [one for one in statements if "FROM inbox" in one[0]]
    assert len(asked) == 6
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        for statement, values in asked:
            plan = connection.exec_driver_sql("EXPLAIN " + statement, values).scalars().all()
            assert not [line for line in plan if "Seq Scan on inbox" in line], plan
            assert [line for line in plan if "ix_inbox_" in line], plan
    engine.dispose()


def test_broker_figures_tell_queues_and_memory(redis: Redis) -> None:
    redis.lpush("p:sync", "a")
    redis.lpush("p:sync\x06\x169", "goes after others")
    redis.hset("p:unacked", "tag", "x")
    redis.zadd("p:unacked_index", {"tag": time.time() - 50, "younger": time.time()})
    now = broker_figures(redis, ("sync", "maint"), "p:")
    assert (now.queues, now.unacked) == ({"sync": 2, "maint": 0}, 1)
    assert 50 <= now.unacked_oldest_seconds < 80
    assert now.used_memory_bytes > 0
    assert (now.evicted_keys, now.is_saved) == (0, True)


@pytest.mark.parametrize("url", ["sqlite_url", "postgres_url"])
def test_status_shows_the_same_figures(
    url: str, request: pytest.FixtureRequest, redis_server: EmbeddedRedis, tmp_path: Path
) -> None:
    database = request.getfixturevalue(url)
    environ = {
        name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ
    } | OWN_SERVICE
    environ |= {
        "DATABASE_URL": database,
        "REDIS_URL": redis_server.url,
        "RATINGS_SYNC_HOME": str(tmp_path),
    }
    engine = open_engine(database)
    upgrade(engine)
    deliver(engine, "held", InboxState.HELD, "unknown_contact")
    faults = SqlSiteFaults(Transactions(engine))
    for _ in range(2):
        faults.note("poll", "own-service", "ValueError", 3600.0)
    add_site_that_is_refused(engine)
    engine.dispose()

    def status(*words: str, **changes: str) -> str:
        done = run_command(["status", *words], tmp_path, environ | changes)
        assert done.returncode == 1, "the poll fails"
        return done.stdout

    told = json.loads(status("--json"))
    assert told["figures"]["held"] == told["held"] == {"unknown_contact": 1}
    assert set(told["broker"]["queues"]) == {"sync", "maint"}
    (fault,) = told["figures"]["site_faults"]
    assert (fault["work"], fault["source"], fault["failures"]) == ("poll", "own-service", 2)
    assert told["figures"]["failing_accounts"] == {"wix": 0, "external": 1}
    words = " ".join(status().split())
    assert "0 sync, 0 maint waiting" in words
    assert "poll of own-service fails 2 times in a row, last " in words
    assert re.search(r"last \d+ s ago: ValueError \(again in \d+ s\)", words)
    assert "not reached" in status(REDIS_URL="")
