"""The schema on both databases: up, down, up again, beside running traffic, and beside a newer
version.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Table, TextClause, inspect, select, text
from sqlalchemy.exc import OperationalError

from sync_worker.core.errors import Transient
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import (
    alembic_config,
    downgrade,
    is_current,
    revisions,
    upgrade,
)
from sync_worker.ledger.process_tables import site_fault
from sync_worker.ledger.sql_ledger import sql_ledger
from sync_worker.ledger.tables import history, inbox
from tests.factories import a_delivery, a_named_delivery
from tests.integration.schema_steps import step_up

metadata = site_fault.metadata  # of all tables
REVISIONS = [
    one.revision for one in ScriptDirectory.from_config(alembic_config()).walk_revisions()
][::-1]


def test_scripts_are_named_by_their_revisions_in_order() -> None:
    assert revisions() == REVISIONS


@pytest.fixture(params=["empty_sqlite_url", "empty_postgres_url"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine = open_engine(request.getfixturevalue(request.param))
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite_url", "fresh_postgres_url"])
def newest(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A ledger of the newest schema."""
    engine = open_engine(request.getfixturevalue(request.param))
    yield engine
    engine.dispose()


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names()) - {"alembic_version"}


# Of an index of PostgreSQL alone, which the code does not expect there.
@pytest.mark.filterwarnings(
    "ignore:autogenerate skipping metadata-specified expression:UserWarning"
)
def test_newest_schema_is_exactly_what_the_code_expects(engine: Engine) -> None:
    upgrade(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert tables(engine) == set(metadata.tables)


def test_every_step_goes_up_and_down_and_up_again(engine: Engine) -> None:
    for revision in REVISIONS:
        step_up(engine, revision)
    for revision in [*REVISIONS[-2::-1], "base"]:
        downgrade(engine, revision)
    assert tables(engine) == set()
    upgrade(engine)
    assert tables(engine) == set(metadata.tables)


def test_upgrade_reads_the_scripts_once_for_all_its_steps(
    empty_sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine(empty_sqlite_url)
    step_up(engine, REVISIONS[-4])
    read: list[Config] = []
    from_config = ScriptDirectory.from_config

    def counted(config: Config) -> ScriptDirectory:
        read.append(config)
        return from_config(config)

    monkeypatch.setattr(ScriptDirectory, "from_config", counted)
    upgrade(engine)
    assert tables(engine) == set(metadata.tables)
    engine.dispose()
    assert len(read) <= 1


def test_many_processes_may_upgrade_at_once(engine: Engine) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: upgrade(engine), range(8)))
    assert tables(engine) == set(metadata.tables)


@pytest.mark.parametrize(
    "ways_back", [0, pytest.param(3, id="there and back", marks=pytest.mark.full)]
)
def test_upgrade_under_running_traffic_loses_no_delivery_that_was_accepted(
    engine: Engine, ways_back: int
) -> None:
    """Gateways of the old version store while the newer version migrates, or again and again."""
    step_up(engine, REVISIONS[0])
    accepted: list[int] = []
    is_over, turn = threading.Event(), threading.Lock()

    def deliver(first: int) -> None:
        ledger = sql_ledger(engine)
        number = first
        while not is_over.is_set():
            try:
                ledger.inbox.store(a_named_delivery(f"rating-{number}"))
            except Transient:
                continue  # 503: the sender tries again
            with turn:
                accepted.append(number)
            number += 4
            is_over.wait(0.002)  # leaves the migration its turn

    with ThreadPoolExecutor(4) as pool:
        senders = [pool.submit(deliver, first) for first in range(4)]
        try:
            for _ in range(ways_back):
                upgrade(engine)
                downgrade(engine, REVISIONS[0])
            upgrade(engine)
            wanted = len(accepted) + 20
            while len(accepted) < wanted:  # it still flows
                # None ends before the others but by an error.
                for ended in wait(senders, 0.01, FIRST_COMPLETED).done:
                    ended.result()
        finally:
            is_over.set()
    for sender in senders:
        sender.result()
    with engine.connect() as connection:
        kept = set(connection.execute(text("SELECT remote_id FROM inbox")).scalars())
    assert {f"rating-{number}" for number in accepted} <= kept


def test_process_of_an_older_version_goes_on_beside_a_newer_schema(newest: Engine) -> None:
    with newest.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    upgrade(newest)
    assert not sql_ledger(newest).inbox.store(a_delivery(1)).is_duplicate


@pytest.mark.full
def test_migration_waits_for_its_turn_longer_than_a_statement_may_run(
    empty_postgres_url: str,
) -> None:
    """A gateway lets no statement run for long; its migration must wait for another process's all
    the same.
    """
    holder = open_engine(empty_postgres_url)
    waiter = open_engine(empty_postgres_url, busy_seconds=0.2)
    with holder.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": 0x7261_7469})
        with ThreadPoolExecutor(1) as pool:
            migration = pool.submit(upgrade, waiter)
            threading.Event().wait(0.8)
            assert not migration.done()
            connection.execute(text("SELECT pg_advisory_unlock_all()"))
            migration.result(20)
    assert tables(waiter) == set(metadata.tables)
    holder.dispose()
    waiter.dispose()


@pytest.mark.full
def test_migration_that_cannot_have_its_table_leaves_those_before_it_done(
    empty_postgres_url: str,
) -> None:
    engine, other = open_engine(empty_postgres_url), open_engine(empty_postgres_url)
    step_up(engine, "0006")
    with other.begin() as holder:
        holder.execute(text("LOCK TABLE inbox IN SHARE MODE"))
        with pytest.raises(OperationalError, match="lock timeout"):
            upgrade(engine)
        with engine.connect() as connection:
            assert (
                connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
                == "0007"
            )
    upgrade(engine)
    with engine.connect() as connection:
        assert is_current(connection)
    engine.dispose()
    other.dispose()


INSERT_DELIVERY = text(
    "INSERT INTO inbox (side, source, dedupe_id, change, remote_id, payload, is_restore, is_ours,"
    " privacy, state, reason, must_read, attempts, unended, received_at, next_attempt_at)"
    " VALUES ('wix', 'instance-1', :name, 'upsert', :name, '{}', false, false, false, 'new', '',"
    " false, 0, 0, 1, 1)"
)
INSERT_SITE = text(
    "INSERT INTO site (instance_id, connector, policy, state, created_at)"
    " VALUES ('instance-1', 'shop', '{}', 'active', 1)"
)
INSERT_LINE = text(
    "INSERT INTO history (site_id, at, what, attribute, reason, remote_id, intent_id)"
    " SELECT id, 1, 'update', '', '', :name, '' FROM site"
)
BUILDING = text(
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type"
    " = 'Lock' AND query LIKE 'CREATE INDEX%'"
)


@contextmanager
def upgrading_behind_an_open_write(
    url: str, revision: str = "0011", insert: TextClause = INSERT_DELIVERY
) -> Iterator[tuple[Connection, Future[None], int]]:
    """A large index is built, and waits for a transaction that has written, which it gives."""
    engine, other = open_engine(url), open_engine(url)
    step_up(engine, revision)
    with other.begin() as connection:
        connection.execute(INSERT_SITE)
    with other.begin() as writer, ThreadPoolExecutor(1) as pool:
        writer.execute(insert, {"name": "first"})
        migration = pool.submit(upgrade, engine)
        pid = None
        while pid is None and not migration.done():
            with other.connect() as connection:
                pid = connection.execute(BUILDING).scalar()
        try:
            yield writer, migration, pid or 0
        finally:
            if writer.in_transaction():
                writer.rollback()
    engine.dispose()
    other.dispose()


@pytest.mark.full
@pytest.mark.parametrize(
    ("revision", "table", "insert"),
    [("0011", inbox, INSERT_DELIVERY), ("0023", history, INSERT_LINE)],
)
def test_writes_go_on_while_a_large_index_is_built(
    empty_postgres_url: str, revision: str, table: Table, insert: TextClause
) -> None:
    upgrading = upgrading_behind_an_open_write(empty_postgres_url, revision, insert)
    with upgrading as (writer, migration, _):
        gateway = open_engine(empty_postgres_url, busy_seconds=0.6)
        with gateway.begin() as connection:
            connection.execute(insert, {"name": "meanwhile"})
        assert not migration.done()
        writer.commit()
        migration.result(60)
        with gateway.connect() as connection:
            assert is_current(connection)
            names = select(table.c.remote_id).order_by(table.c.id)
            found = connection.execute(names).scalars()
            assert list(found) == ["first", "meanwhile"]
        gateway.dispose()


@pytest.mark.full
def test_index_whose_build_was_interrupted_is_built_again(empty_postgres_url: str) -> None:
    """PostgreSQL leaves it behind, and no question uses it."""
    unusable = text("SELECT count(*) FROM pg_index WHERE NOT indisvalid")
    engine = open_engine(empty_postgres_url)
    with upgrading_behind_an_open_write(empty_postgres_url) as (_, migration, pid):
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises(OperationalError):
            migration.result(60)
        with engine.connect() as connection:
            assert connection.execute(unusable).scalar() == 1
    upgrade(engine)
    with engine.connect() as connection:
        assert connection.execute(unusable).scalar() == 0
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
