"""The sweeper over a real Redis: it rings for what is due, and only as long as the queue is short.

The tasks read their settings from the environment when they are imported, so each test runs them in
a process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from redis import Redis
from sqlalchemy import select

from sync_worker.core.values import Change, NewDelivery, Side, SiteState
from sync_worker.ledger.administration.sites import SiteAdmin
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.process_tables import ledger_clock
from sync_worker.ledger.sql_ledger import SqlLedger, sql_ledger
from sync_worker.runtime.celery.bell import BROKER_AWAY
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.telemetry.broker_figures import AFTER_OTHERS_LIST
from tests.commands import run_forked

PREFIX = "ratings-sync:"


@pytest.fixture
def ledger(tmp_path: Path, sqlite_url: str) -> SqlLedger:
    """A ledger with 300 deliveries that have been due for years."""
    engine = open_engine(sqlite_url, clock=lambda: 1_000_000.0)
    upgrade(engine)
    long_ago = sql_ledger(engine)
    for number in range(300):
        long_ago.inbox.store(
            NewDelivery(
                Side.WIX, "instance", f"event-{number}", Change.UPSERT, f"rating-{number}", {}
            )
        )
    engine.dispose()
    return sql_ledger(open_engine(sqlite_url))


def run_alone(work: Callable[[], Any], folder: Path, redis_url: str) -> Any:
    """What a function of this module returns, in a process of its own."""
    environ = {
        "PATH": os.environ["PATH"],
        "RATINGS_SYNC_HOME": str(folder),
        "REDIS_URL": redis_url,
        "CONNECTORS": "",
        "LOG_LEVEL": "ERROR",
    }
    return run_forked(_with_settings, work, folder, environ, timeout=60)


def _with_settings(work: Callable[[], Any], folder: Path, environ: dict[str, str]) -> Any:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    return work()


def sweep_once() -> int:
    """Returns how many deliveries wait in the queue afterwards."""
    from sync_worker import tasks

    tasks.sweep()
    return tasks.bell.queued().waiting


def sweep(folder: Path, server: EmbeddedRedis) -> int:
    """Sweep once in a process of its own; how many deliveries wait in the queue afterwards."""
    waiting = run_alone(sweep_once, folder, server.url)
    assert isinstance(waiting, int)
    return waiting


def test_sweep_rings_for_what_is_due_until_the_queue_is_long_enough(
    tmp_path: Path, ledger: SqlLedger, redis: Redis, redis_server: EmbeddedRedis
) -> None:
    assert sweep(tmp_path, redis_server) == 200
    assert sweep(tmp_path, redis_server) == 200, "the queue had lost nothing"
    redis.flushall()
    assert sweep(tmp_path, redis_server) >= 100, (
        "the rest is due; those already rung for wait for ten seconds"
    )


def sweep_in_vain() -> None:
    from sync_worker import tasks

    tasks.sweep()
    with pytest.raises(BROKER_AWAY):
        tasks.bell.queued()


def test_sweep_without_a_broker_leaves_everything_due(
    tmp_path: Path, ledger: SqlLedger, redis_server: EmbeddedRedis
) -> None:
    away = EmbeddedRedis(tmp_path / "away")
    away.start()
    away.stop()
    run_alone(sweep_in_vain, tmp_path, away.url)
    assert len(ledger.inbox.due(500)) == 300


def sweep_and_resume() -> None:
    from sync_worker import tasks

    tasks.sweep()
    tasks.resume_sites()


def test_sweep_notes_the_time_of_the_ledger_while_redis_is_away(
    tmp_path: Path, ledger: SqlLedger
) -> None:
    """And a site whose pause is over goes on: what was held for it is due in the ledger."""
    sites = SiteAdmin(ledger.transactions)
    added, _ = sites.add("instance", "own-service", [])
    sites.set_state(added.id, SiteState.PAUSED, until=1.0)
    new = NewDelivery(Side.WIX, "instance", "event-held", Change.UPSERT, "rating-held", {})
    held = ledger.inbox.store(new).inbox_id
    ledger.inbox.hold([held], "site_paused")
    run_alone(sweep_and_resume, tmp_path, "redis://127.0.0.1:1/0")
    with ledger.transactions.read() as connection:
        assert connection.execute(select(ledger_clock.c.latest)).scalar_one() > 1_600_000_000
    assert sites.find("1").state is SiteState.ACTIVE
    assert ledger.inbox.open_delivery(held) is not None


@pytest.mark.full
def test_long_queue_of_one_site_does_not_keep_another_from_its_turn(
    tmp_path: Path, sqlite_url: str, redis: Redis, redis_server: EmbeddedRedis
) -> None:
    """What one site has beyond its share fills the queue; workers have taken what went first."""
    redis.rpush(f"{PREFIX}sync{AFTER_OTHERS_LIST}", *["{}"] * 5000)
    engine = open_engine(sqlite_url)
    upgrade(engine)
    inbox = sql_ledger(engine).inbox
    stored = inbox.store(NewDelivery(Side.WIX, "another", "event", Change.UPSERT, "rating", {}))
    inbox.defer([stored.inbox_id], 0.0, "down", is_failure=False)
    engine.dispose()
    assert sweep(tmp_path, redis_server) == 5001
    assert redis.llen(f"{PREFIX}sync") == 1


def seconds_left_for_sweeps() -> float:
    """After a look at the hooks that took 0.2 s."""
    from sync_worker import tasks
    from sync_worker.wiring import hook_checks

    given: list[float] = []
    sweeps = SimpleNamespace(work=lambda: False, turns=[])
    accounts = SimpleNamespace(release_opened=lambda bell: 0, look_after_sites=lambda bell: None)

    def nightly(left: float) -> SimpleNamespace:
        given.append(left)
        return sweeps

    own, hooks = cast("Any", tasks), cast("Any", hook_checks)  # in this process alone
    hooks.hooks_watched = lambda worker: time.sleep(0.2)
    own.worker = lambda: SimpleNamespace(nightly_sweeps=nightly, accounts=accounts)
    tasks.reconcile_due()
    return given[0]


@pytest.mark.full
def test_look_at_the_hooks_takes_its_time_from_the_slice_of_sweeps(tmp_path: Path) -> None:
    assert 30.0 < run_alone(seconds_left_for_sweeps, tmp_path, "redis://127.0.0.1:1/0") <= 44.8
