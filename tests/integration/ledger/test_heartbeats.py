"""Signs of life and the counts of the door, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, update

from sync_worker.core.processes import Process, ProcessKind
from sync_worker.ledger.administration.door_counts import DoorNews, SourceNews, SqlDoorCounts
from sync_worker.ledger.administration.heartbeats import SqlHeartbeats
from sync_worker.ledger.administration.retention import LedgerRetention, Retention
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.process_tables import door_count, heartbeat
from sync_worker.ledger.transactions import Transactions


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine = open_engine(request.getfixturevalue(request.param))
    upgrade(engine)
    yield engine
    engine.dispose()


def test_process_is_known_by_its_last_sign_until_it_is_silent(engine: Engine) -> None:
    heartbeats = SqlHeartbeats(Transactions(engine))
    heartbeats.note(Process(ProcessKind.WORKER, "host", 7, "0.1.0", slots=8, busy=1), ago=20.0)
    heartbeats.note(Process(ProcessKind.WORKER, "host", 7, "0.1.0", slots=8, busy=3))
    heartbeats.note(Process(ProcessKind.BEAT, "host", 8, every_seconds=5.0), ago=31.0)
    worker, beat = heartbeats.all()
    assert (worker.kind, worker.host, worker.pid, worker.busy) == (
        ProcessKind.WORKER,
        "host",
        7,
        3,
    )
    assert worker.is_alive
    assert not beat.is_alive
    assert worker.seen_at - worker.started_at > 19
    assert abs(worker.clock_ahead) < 5


def test_process_that_ends_as_told_is_no_longer_alive(engine: Engine) -> None:
    heartbeats = SqlHeartbeats(Transactions(engine))
    process = Process(ProcessKind.GATEWAY, "host", 9, up_seconds=100.0)
    heartbeats.note(process)
    heartbeats.note_stop(process)
    (stopped,) = heartbeats.all()
    assert (stopped.is_alive, stopped.stopped_at is not None) == (False, True)
    heartbeats.note(process)
    assert heartbeats.all()[0].is_alive, "a container starts again under its name"


def test_clock_of_a_process_is_compared_with_the_ledgers(engine: Engine) -> None:
    hour = SqlHeartbeats(Transactions(engine)).all
    SqlHeartbeats(Transactions(engine), lambda: 0.0).note(Process(ProcessKind.WORKER, "host", 7))
    assert hour()[0].clock_ahead < -3600


def test_door_counts_add_up_by_source_reason_and_hour(engine: Engine) -> None:
    counts = SqlDoorCounts(Transactions(engine))
    for _ in range(2):
        counts.add(DoorNews({("wix", "rejected", "expired"): 3, ("wix", "stored", ""): 1}))
    assert counts.counts(hours=2) == {("wix", "rejected", "expired"): 6, ("wix", "stored", ""): 2}


def test_accounts_share_the_rows_of_an_hour_and_each_keeps_its_last(engine: Engine) -> None:
    """Ten thousand accounts would be a row each hour for each of their results."""
    counts = SqlDoorCounts(Transactions(engine))
    sources = ["shop", *(f"shop/account-{number}" for number in range(4))]
    news = {(source, "stored", ""): 2 for source in sources} | {("wix", "stored", ""): 1}
    counts.add(DoorNews(news, [SourceNews(source, accepted_ago=1.0) for source in sources]))
    assert counts.counts(hours=2) == {("shop", "stored", ""): 10, ("wix", "stored", ""): 1}
    assert [one.source for one in counts.sources()] == sources


def test_source_that_was_neither_accepted_nor_refused_is_counted(engine: Engine) -> None:
    """Bodies that were too large, say."""
    counts = SqlDoorCounts(Transactions(engine))
    too_large = {("wix", "too_large", ""): 1}
    for _ in range(2):
        counts.add(DoorNews(too_large, [SourceNews("wix")]))
    assert counts.counts(hours=2) == {("wix", "too_large", ""): 2}


def test_refusals_go_on_until_something_is_accepted(engine: Engine) -> None:
    counts = SqlDoorCounts(Transactions(engine))
    refused = SourceNews("wix", None, 1.0, "rejected", "InvalidSignatureError", 2, 60.0)
    counts.add(DoorNews({}, [refused]))
    counts.add(DoorNews({}, [SourceNews("wix", None, 0.0, "rejected", "expired", 1, 0.0)]))
    (wix,) = counts.sources()
    assert (wix.accepted_at, wix.refusals, wix.refused_reason) == (None, 3, "expired")
    assert wix.refusing_since is not None
    assert wix.refused_at is not None
    assert 59 < wix.refused_at - wix.refusing_since < 65
    counts.add(DoorNews({}, [SourceNews("wix", accepted_ago=0.0)]))
    (wix,) = counts.sources()
    assert (wix.refusals, wix.refusing_since, wix.refused_reason) == (0, None, "expired")
    assert wix.accepted_at is not None


def test_old_heartbeats_and_counts_are_forgotten(engine: Engine) -> None:
    transactions = Transactions(engine)
    SqlHeartbeats(transactions).note(Process(ProcessKind.WORKER, "gone", 1), ago=90_000.0)
    SqlHeartbeats(transactions).note(Process(ProcessKind.WORKER, "here", 1))
    SqlDoorCounts(transactions).add(DoorNews({("wix", "stored", ""): 1}))
    with engine.begin() as connection:
        connection.execute(update(door_count).values(hour=door_count.c.hour - 24 * 31))
    SqlDoorCounts(transactions).add(DoorNews({("wix", "stored", ""): 2}))
    forgotten = dict(LedgerRetention(engine).prune(Retention()))
    assert forgotten == {"heartbeats": 1, "door_counts": 1}
    with engine.connect() as connection:
        assert connection.execute(heartbeat.select()).one().host == "here"
        assert connection.execute(door_count.select()).one().number == 2
