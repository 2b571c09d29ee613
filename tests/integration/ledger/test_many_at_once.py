"""Many at once, on the real databases."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event, text

from sync_worker.core.errors import LeaseLost
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import LinkState, SiteState
from sync_worker.ledger.administration.admin import ledger_admin
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.inbox import InboxObserver
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.sql_ledger import SqlLedger, sql_ledger
from tests.factories import a_delivery
from tests.integration.ledger.ground import Ground
from tests.twins.observed_ledger import ObservedLedger


def all_at_once(count: int, act: Callable[[int], Any]) -> list[Any]:
    barrier = threading.Barrier(count)

    def start(number: int) -> Any:
        barrier.wait()
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start, range(count)))


def test_one_delivery_from_many_doors_at_once_is_one_row(ledgers: list[ObservedLedger]) -> None:
    stored = all_at_once(16, lambda number: ledgers[number % 2].inbox.store(a_delivery()))
    assert len({one.inbox_id for one in stored}) == 1
    assert sum(not one.is_duplicate for one in stored) == 1


def test_one_lease_for_many_workers_at_once(ledgers: list[ObservedLedger]) -> None:
    ground = Ground(ledgers[0], None).set_up()
    attached = all_at_once(
        8, lambda number: ledgers[number % 2].links.attach(ground.stored(number), ground.key)
    )
    (link_id,) = {one.link_id for one in attached}
    (first,) = (one.run for one in attached if one.run is not None)
    ledgers[0].links.release(first.lease)
    runs = all_at_once(16, lambda number: ledgers[number % 2].links.lease(link_id))
    winners = [run for run in runs if run is not None]
    assert len(winners) == 1
    assert len(winners[0].deliveries) == 8


def test_hundred_of_one_rating_are_put_off_at_the_price_of_one(
    ledgers: list[ObservedLedger],
) -> None:
    """Each further delivery of a rating puts off all that wait for it."""
    ledger = ledgers[0]
    ground = Ground(ledger, None).set_up()
    asked: list[str] = []
    event.listen(ledger.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))

    def cost_of(inbox_ids: list[int]) -> int:
        asked.clear()
        ledger.inbox.defer(inbox_ids, None, "the remote is down", is_failure=True)
        return len(asked)

    one = cost_of([ground.stored(1)])
    hundred = [ground.stored(number) for number in range(2, 102)]
    assert cost_of(hundred) == one
    with ledger.engine.connect() as connection:
        waiting = connection.execute(
            text("SELECT count(*), min(attempts) FROM inbox WHERE reason = 'the remote is down'")
        ).one()
    assert tuple(waiting) == (101, 1)


def test_site_that_returns_is_active_at_once_for_every_process(
    ledgers: list[ObservedLedger],
) -> None:
    ground = Ground(ledgers[0], None).set_up()
    for state in (SiteState.PAUSED, SiteState.RECOVERY):
        other = sql_ledger(ledgers[1].engine, site_cache_seconds=3600.0)
        ground.ledger.sites.note_lifecycle(ground.site_id, SiteState.REMOVED, None)
        ground.ledger.sites.note_lifecycle(ground.site_id, state, None)
        inbox_id = ground.stored(len(state))
        assert state_of_its_site(other, inbox_id) == state
        ledger_admin(ledgers[0].engine).sites.set_state(ground.site_id, SiteState.ACTIVE)
        assert state_of_its_site(other, inbox_id) == "active"


def state_of_its_site(ledger: SqlLedger, inbox_id: int) -> str:
    opened = ledger.inbox.open_delivery(inbox_id)
    assert opened is not None
    assert opened[1] is not None
    return opened[1].state


def test_two_sweepers_never_ring_for_the_same_delivery(ledgers: list[ObservedLedger]) -> None:
    Ground(ledgers[0], None).set_up()
    ids = [ledgers[0].inbox.store(a_delivery(number)).inbox_id for number in range(40)]
    ledgers[0].inbox.defer(ids, 0.0, "", is_failure=False)
    rung = [
        one
        for due in all_at_once(8, lambda number: ledgers[number % 2].inbox.due(10))
        for one in due
    ]
    assert len(rung) == len(set(rung))


def test_lease_ends_by_the_databases_own_clock(ledgers: list[ObservedLedger]) -> None:
    """One far from its end is refused to others; one past its end is taken over, and its holder
    finds out.
    """
    ledger = ledgers[0]
    link_id = ledger.links.link_of(Ground(ledger, None).set_up().key)
    held = ledger.links.lease(link_id)
    assert held is not None
    assert ledger.links.lease(link_id) is None
    ledger.links.release(held.lease)
    first = sql_ledger(ledger.engine, lease_seconds=0.01).links.lease(link_id)
    assert first is not None
    time.sleep(0.1)
    assert ledger.links.lease(link_id) is not None
    with pytest.raises(LeaseLost):
        ledger.links.commit(first.lease, Commit(link_state=LinkState.BURIED))


def test_ledger_tells_of_first_looks_and_of_what_dead_workers_left(
    ledgers: list[ObservedLedger],
) -> None:
    """Not of a look after a failure, nor of what is still in the hands of a worker or was given
    back.
    """
    ground = Ground(ledgers[0], None).set_up()
    looks: list[float] = []
    left: list[int] = []
    ledger = sql_ledger(
        ledgers[0].engine, observer=InboxObserver(looks.append, lambda: left.append(1))
    )
    inbox_id = ground.stored()
    time.sleep(0.05)
    ledger.inbox.open_delivery(inbox_id)
    ledger.inbox.defer([inbox_id], 0.0, "the remote is down", is_failure=True)
    ledger.inbox.open_delivery(inbox_id)
    assert [0.05 <= seconds < 30 for seconds in looks] == [True]

    run = ledger.links.attach(inbox_id, ground.key).run
    assert run is not None
    ledger.inbox.open_delivery(inbox_id)
    ledger.links.release(run.lease)
    ledger.inbox.open_delivery(inbox_id)
    assert left == []
    assert sql_ledger(ledger.engine, lease_seconds=0.01).links.lease(run.lease.link_id) is not None
    time.sleep(0.05)
    ledger.inbox.open_delivery(inbox_id)
    assert left == [1]


@pytest.mark.parametrize("url", ["empty_sqlite_url", "empty_postgres_url"])
def test_many_processes_may_bring_one_database_up_to_date_at_once(
    request: pytest.FixtureRequest, url: str
) -> None:
    engines = [open_engine(request.getfixturevalue(url)) for _ in range(6)]
    all_at_once(6, lambda number: upgrade(engines[number]))
    for engine in engines:
        engine.dispose()


def test_sqlite_keeps_what_was_committed_whatever_happens(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2  # FULL
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
    engine.dispose()
