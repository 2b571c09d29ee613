"""What the sweeper rings for where much waits for a request budget."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from sync_worker.core.ports.inbox import RATE_LIMITED, RATE_LIMITED_AT_ONCE, RING_SHARE
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.sql_ledger import SqlLedger, sql_ledger
from sync_worker.ledger.sql_text import SqlText
from sync_worker.ledger.statements import due as statements
from tests.factories import a_delivery
from tests.integration.ledger.ground import Ground

BACKLOG = 1_000_000
# What a round over the backlog may read, whatever its size: 8 KiB pages, cached or not.
MAX_PAGES = 20_000
QUEUED = list(range(1, 1001))  # as many as are read of the queue, and the oldest of all


def test_later_ones_are_rung_for_where_the_oldest_wait_for_long(ground: Ground) -> None:
    """The remote asked the oldest to wait for an hour; another budget may let the later go."""
    first = [ground.stored(number) for number in range(100)]
    ground.ledger.inbox.defer(first, 3600.0, RATE_LIMITED, is_failure=False)
    later = [ground.stored(number) for number in range(100, 110)]
    ground.ledger.inbox.defer(later, 0.0, RATE_LIMITED, is_failure=False)
    assert ground.ledger.inbox.due(50) == later[:RATE_LIMITED_AT_ONCE]


def test_each_source_has_its_turn_where_few_are_rung_for(ground: Ground) -> None:
    """A round has room for three sources of twelve: the next goes on behind them."""
    sources = [f"instance-{number:02}" for number in range(12)]
    waiting = [
        ground.stored(100 * place + number, source=source)
        for place, source in enumerate(sources)
        for number in range(RATE_LIMITED_AT_ONCE)
    ]
    ground.ledger.inbox.defer(waiting, 0.0, RATE_LIMITED, is_failure=False)
    rung: list[int] = []
    for _ in range(4):
        rung += ground.ledger.inbox.due(3 * RATE_LIMITED_AT_ONCE)
    assert sorted(rung) == waiting


@pytest.mark.parametrize("room", [2, 3])
def test_smallest_rounds_keep_a_place_for_what_waits(ground: Ground, room: int) -> None:
    """What is due again and again takes no round whole, however small it is."""
    due = [ground.stored(number) for number in range(3)]
    ground.ledger.inbox.defer(due, 0.0, "down", is_failure=False)
    waiting = ground.stored(100)
    ground.ledger.inbox.defer([waiting], 0.0, RATE_LIMITED, is_failure=False)
    assert waiting in ground.ledger.inbox.due(room)


def test_one_source_with_much_that_is_due_leaves_room_for_all(ground: Ground) -> None:
    """Two hundred of one site are due, and were before: each other site has its turn at once."""
    crowd = [ground.stored(number, source="the-crowd") for number in range(200)]
    ground.ledger.inbox.defer(crowd, -10.0, "down", is_failure=False)
    others = [ground.stored(200 + number, source=f"shop-{number:02}") for number in range(10)]
    ground.ledger.inbox.defer(others, 0.0, "down", is_failure=False)
    assert set(others) <= set(ground.ledger.inbox.due(40))


def test_each_source_with_something_due_has_its_turn(ground: Ground) -> None:
    """More sites have much to do than a round has room for: the next goes on behind them."""
    sources = [f"shop-{number:02}" for number in range(20)]
    due = [
        ground.stored(100 * place + number, source=source)
        for place, source in enumerate(sources)
        for number in range(20)
    ]
    ground.ledger.inbox.defer(due, 0.0, "down", is_failure=False)
    rung = [number for _ in range(4) for number in ground.ledger.inbox.due(20)]
    assert {(number - min(due)) // 20 for number in rung} == set(range(20))


def test_what_a_source_has_beyond_its_share_is_rung_for_after_others(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    upgrade(engine)
    inbox = sql_ledger(engine).inbox
    crowd = [inbox.store(a_delivery(number)).inbox_id for number in range(100)]
    other = inbox.store(a_delivery(100, source="instance-2")).inbox_id
    inbox.defer([*crowd, other], 0.0, "down", is_failure=False)
    rung = inbox.due_in_lanes(200)
    engine.dispose()
    assert rung.first == (*crowd[:RING_SHARE], other)
    assert rung.after == tuple(crowd[RING_SHARE:])


def test_turn_tells_whose_each_is_and_what_was_rung_for_before(tmp_path: Path) -> None:
    """What nobody ended since the last ring may be what a worker died over."""
    now = [1_000_000.0]
    engine = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}", clock=lambda: now[0])
    upgrade(engine)
    inbox = sql_ledger(engine).inbox
    mine, ended = (inbox.store(a_delivery(number)).inbox_id for number in range(2))
    now[0] += 60.0
    assert inbox.due_in_lanes(10).again == frozenset()
    inbox.defer([ended], 0.0, "down", is_failure=False)
    theirs = inbox.store(a_delivery(2, source="instance-2")).inbox_id
    now[0] += 60.0
    rung = inbox.due_in_lanes(10)
    engine.dispose()
    assert rung.sources == {mine: "instance-1", ended: "instance-1", theirs: "instance-2"}
    assert rung.again == {mine}


def test_round_of_one_rings_for_what_is_due(ground: Ground) -> None:
    due, waiting = ground.stored(1), ground.stored(2)
    ground.ledger.inbox.defer([due], 0.0, "down", is_failure=False)
    ground.ledger.inbox.defer([waiting], 0.0, RATE_LIMITED, is_failure=False)
    assert ground.ledger.inbox.due(1) == [due]


# -- 10^6 deliveries on PostgreSQL

FILL = """
INSERT INTO inbox (side, source, dedupe_id, change, remote_id, payload, state, reason, received_at,
  next_attempt_at, is_restore, is_ours, privacy, must_read, attempts)
SELECT 'wix', {source}, 'd' || n, 'upsert', 'r' || n, '{{}}', '{state}', '{reason}', 1.0, {at},
  false, false, false, false, 0
FROM generate_series({first}, {first} + {count} - 1) AS n
"""


def fill(
    ledger: SqlLedger,
    *,
    first: int,
    count: int = BACKLOG,
    source: str = "'instance-1'",
    state: str = "new",
    reason: str = RATE_LIMITED,
    at: str = "1.0",
) -> None:
    filling = FILL.format(
        first=first, count=count, source=source, state=state, reason=reason, at=at
    )
    with ledger.engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text(filling))


@pytest.fixture
def large(fresh_postgres_url: str) -> Iterator[SqlLedger]:
    engine = open_engine(fresh_postgres_url)
    upgrade(engine)
    yield sql_ledger(engine)
    engine.dispose()


def assert_cheap(ledger: SqlLedger, statement: SqlText, **values: object) -> None:
    """EXPLAIN shows no walk through the table, and few pages."""
    lines = explained(ledger, statement, **values)
    plan = "\n".join(lines)
    assert "Seq Scan on inbox" not in plan, plan
    pages = [line for line in lines if "Buffers:" in line]
    read = sum(int(part.split("=")[1]) for part in pages[0].split() if "=" in part)
    assert read < MAX_PAGES, plan


def explained(ledger: SqlLedger, statement: SqlText, **values: object) -> list[str]:
    with ledger.engine.connect() as connection:
        sql = f"EXPLAIN (ANALYZE, BUFFERS) {statement.sql_for(connection)}"
        shown = [str(row[0]) for row in connection.exec_driver_sql(sql, values)]
        # It is carried out, too.
        connection.rollback()
    return shown


@pytest.mark.full
@pytest.mark.timeout(600)
def test_sweep_costs_the_same_behind_a_million_that_wait(large: SqlLedger) -> None:
    """One site's backlog waits for its budget; what is due behind it is rung for at once, whether
    PostgreSQL has counted the rows yet or not.
    """
    fill(large, first=1)
    fill(large, first=2_000_001, count=50, reason="", at="2.0", source="'instance-2'")
    fill(large, first=2_100_001, count=20, source="'instance-3'")
    for count_rows in (lambda ledger: None, analyze):
        count_rows(large)
        assert_cheap(large, statements.RING_RIPE, room=200, queued=[])
        assert_cheap(large, statements.DUE, behind="")
        assert_cheap(large, statements.ONE_DUE, behind="", room=75)
        assert_cheap(large, statements.WAITING, behind="")
        assert_cheap(large, statements.RING_WAITING, inbox_ids=list(range(1, 9)))
    found = large.inbox.due(200)
    assert len(found) == 50 + 2 * RATE_LIMITED_AT_ONCE


@pytest.mark.parametrize(
    "backlog",
    # A tenth shows the same plans.
    [
        pytest.param(BACKLOG // 10, marks=pytest.mark.full),
        pytest.param(BACKLOG, marks=pytest.mark.long),
    ],
)
@pytest.mark.timeout(600)
def test_sweep_costs_the_same_before_a_million_that_are_not_due(
    backlog: int, large: SqlLedger
) -> None:
    """Half wait for their budget and half for a remote that is down, all for an hour; as many more
    are at their end.
    """
    later = "extract(epoch from clock_timestamp()) + 3600"
    fill(large, first=1, count=backlog // 2, at=later)
    fill(large, first=2_000_001, count=backlog // 2, at=later, reason="the remote is down")
    fill(large, first=4_000_001, count=backlog, state="done", reason="synced")
    fill(large, first=8_000_001, count=3, reason="")
    analyze(large)
    assert_cheap(large, statements.RING_RIPE, room=200, queued=[])
    assert_cheap(large, statements.DUE, behind="")
    assert_cheap(large, statements.WAITING, behind="")
    found = large.inbox.due(200)
    assert len(found) == 3


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_million_of_one_site_are_due_and_others_have_their_turn(large: SqlLedger) -> None:
    """A round costs the same, and rings for every other site first."""
    fill(large, first=1, reason="")
    fill(large, first=2_000_001, count=500, reason="", at="2.0", source="'shop-' || (n % 50)")
    for count_rows in (lambda ledger: None, analyze):
        count_rows(large)
        assert_cheap(large, statements.RING_RIPE, room=75, queued=QUEUED)
        assert_cheap(large, statements.DUE, behind="")
        assert_cheap(large, statements.ONE_DUE, behind="", room=75)
        assert_cheap(large, statements.RING_DUE, inbox_ids=list(range(1, 9)))
    rung = large.inbox.due_in_lanes(200)
    assert len([number for number in rung.all if number > BACKLOG]) >= 50
    assert len([number for number in rung.first if number <= BACKLOG]) == RING_SHARE


@pytest.mark.full
@pytest.mark.timeout(600)
def test_round_over_many_sites_whose_deliveries_wait_stays_cheap(large: SqlLedger) -> None:
    """Of 10,000 sites something is on its way that is not due: the sites are asked in parts."""
    later = "extract(epoch from clock_timestamp()) + 3600"
    fill(large, first=1, count=BACKLOG // 10, reason="")
    fill(large, first=2_000_001, count=10_000, reason="", at=later, source="'shop-' || n")
    fill(large, first=3_000_001, count=1, reason="", at="2.0", source="'shop-9'")
    analyze(large)
    assert_cheap(large, statements.DUE, behind="")
    assert_cheap(large, statements.ONE_DUE, behind="", room=75)
    rung: list[int] = []
    for _ in range(12):
        rung += large.inbox.due(200)
    assert max(rung) > BACKLOG // 10


@pytest.mark.full
@pytest.mark.timeout(600)
def test_sweep_costs_the_same_with_a_hundred_thousand_sites(large: SqlLedger) -> None:
    """Five deliveries of each wait for its budget: each round asks some sites, the next others."""
    fill(large, first=1, count=BACKLOG // 2, source="'instance-' || (n % 100000)")
    analyze(large)
    assert_cheap(large, statements.WAITING, behind="instance-5")
    rung: set[int] = set()
    for _ in range(5):
        found = large.inbox.due(200)
        assert rung.isdisjoint(found)
        rung.update(found)
    assert len(rung) == 5 * 200


def analyze(ledger: SqlLedger) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("ANALYZE inbox"))


def test_sweeper_asks_sqlite_by_index_alone(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    upgrade(engine)
    ledger = sql_ledger(engine)
    shown = [
        *_query_plan(ledger, statements.RING_RIPE, room=200, queued="[1, 2]"),
        *_query_plan(ledger, statements.DUE, behind=""),
        *_query_plan(ledger, statements.ONE_DUE, behind="", room=75),
        *_query_plan(ledger, statements.RING_DUE, inbox_ids="[1, 2]"),
        *_query_plan(ledger, statements.WAITING, behind=""),
        *_query_plan(ledger, statements.RING_WAITING, inbox_ids="[1, 2]"),
    ]
    assert not [line for line in shown if line.startswith("SCAN inbox")]
    for wanted in (
        "ix_inbox_ripe (next_attempt_at<?)",
        "ix_inbox_ripe_source (source>?)",
        "ix_inbox_ripe_source ((source,next_attempt_at)>(?,?))",
        "ix_inbox_waits (source>?)",
        "ix_inbox_waits_due ((source,next_attempt_at)>(?,?))",
    ):
        assert any(wanted in line for line in shown), shown
    engine.dispose()


def _query_plan(ledger: SqlLedger, statement: SqlText, **values: object) -> list[str]:
    with ledger.engine.connect() as connection:
        sql = f"EXPLAIN QUERY PLAN {statement.sql_for(connection)}"
        return [str(row[3]) for row in connection.exec_driver_sql(sql, values)]
