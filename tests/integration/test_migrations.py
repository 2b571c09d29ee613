"""The schema on both databases: up, down, up again, beside running traffic, and beside a newer
version.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Table, TextClause, inspect, select, text
from sqlalchemy.exc import OperationalError

from sync_worker.core.errors import Misconfigured, Transient
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import (
    Base,
    HistoryEntry,
    HistoryKind,
    Operation,
    Side,
    SiteSide,
    Value,
    WixKind,
)
from sync_worker.core.values.texts import WORDS_VERSION
from sync_worker.ledger.administration.admin import ledger_admin
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
from tests.factories import a_delivery, a_named_delivery, an_intent
from tests.integration.ledger.ground import ADA, Ground
from tests.twins.observed_ledger import ObservedLedger

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


def step_up(engine: Engine, revision: str) -> None:
    config = alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


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


def test_rows_survive_the_way_down_to_the_first_schema_and_up_again(newest: Engine) -> None:
    stored = [sql_ledger(newest).inbox.store(a_delivery(number)) for number in range(5)]
    downgrade(newest, REVISIONS[0])
    upgrade(newest)
    again = [sql_ledger(newest).inbox.store(a_delivery(number)) for number in range(5)]
    assert [one.inbox_id for one in again] == [one.inbox_id for one in stored]
    assert all(one.is_duplicate for one in again)


def test_request_that_waited_for_its_site_goes_to_work_with_the_upgrade(engine: Engine) -> None:
    """Privacy requests only; the way back leaves them at work."""
    step_up(engine, "0015")
    inbox = sql_ledger(engine).inbox
    asked, plain, refused = (
        inbox.store(a_delivery(number, privacy=privacy)).inbox_id
        for number, privacy in ((1, True), (2, False), (3, True))
    )
    inbox.hold([asked, plain], "site_paused")
    inbox.hold([refused], "unsupported")
    upgrade(engine)
    assert inbox.due(10) == [asked]
    downgrade(engine, "0015")
    assert inbox.count_open() == 1


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
        for first in range(4):
            pool.submit(deliver, first)
        try:
            for _ in range(ways_back):
                upgrade(engine)
                downgrade(engine, REVISIONS[0])
            upgrade(engine)
            wanted = len(accepted) + 20
            while len(accepted) < wanted:  # it still flows
                threading.Event().wait(0.01)
        finally:
            is_over.set()
    with engine.connect() as connection:
        kept = set(connection.execute(text("SELECT remote_id FROM inbox")).scalars())
    assert {f"rating-{number}" for number in accepted} <= kept


def test_process_of_an_older_version_goes_on_beside_a_newer_schema(newest: Engine) -> None:
    with newest.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    upgrade(newest)
    assert not sql_ledger(newest).inbox.store(a_delivery(1)).is_duplicate


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


def test_links_keep_their_records_over_what_these_showed(newest: Engine) -> None:
    """The way up notes nothing of them, the way back forgets it; neither loses a link."""
    Ground(ObservedLedger(newest), None).set_up().link(ADA, 1)
    external = text("SELECT external_id, external_state, external_identity FROM link")
    with newest.connect() as connection:
        assert connection.execute(external).all() == [("e1", "published", ADA.email)]
    downgrade(newest, "0017")
    upgrade(newest)
    with newest.connect() as connection:
        assert connection.execute(external).all() == [("e1", "published", None)]


def test_sites_from_before_use_wix_ratings_and_the_way_back_loses_none(engine: Engine) -> None:
    """A site on Wix Reviews keeps an older version from taking its reviews for deleted."""
    step_up(engine, "0018")
    old = "INSERT INTO site (instance_id, connector, policy, state, created_at)"
    with engine.begin() as connection:
        connection.execute(text(f"{old} VALUES ('instance-1', 'shop', '{{}}', 'active', 1)"))
    upgrade(engine)
    sites = ledger_admin(engine).sites
    assert sites.find(None).wix_api is WixKind.RATINGS
    downgrade(engine, "0018")
    upgrade(engine)
    sites.add("instance-2", "other", [], wix_api=WixKind.REVIEWS)
    with pytest.raises(Misconfigured, match="site 2 uses Wix Reviews, or has"):
        downgrade(engine, "0018")
    upgrade(engine)
    assert [one.wix_api for one in sites.all()] == [WixKind.RATINGS, WixKind.REVIEWS]


def test_way_back_is_refused_while_reviews_are_known_to_be_ours(newest: Engine) -> None:
    """An older version would take a rejected import for deleted, and delete its source."""
    Ground(ObservedLedger(newest), None).set_up().link(ADA, 1)
    mark = "UPDATE link_value SET wix_standing = {}"
    with newest.begin() as connection:
        connection.execute(text(mark.format("'ours'")))
    with pytest.raises(Misconfigured, match="1 reviews on Wix are known to be ours"):
        downgrade(newest, "0020")
    with newest.begin() as connection:
        connection.execute(text(mark.format("NULL")))
    downgrade(newest, "0020")
    upgrade(newest)
    with newest.connect() as connection:
        assert connection.execute(text("SELECT wix_id FROM link_value")).scalars().all() == ["w1"]


def test_way_back_forgets_words_and_keeps_links_and_open_writes(newest: Engine) -> None:
    """An earlier version reads every value of an open write as a number."""
    run = Ground(ObservedLedger(newest), None).set_up().link(ADA, 1)
    links = sql_ledger(newest).links
    bases = {"body": Base("Good.", "<p>Good.</p>", WORDS_VERSION)}
    links.commit(run.lease, Commit(bases=bases))
    wanted: dict[str, Value | None] = {"overall": Decimal(80), "body": "Better.\n"}
    before: dict[str, Value | None] = {"overall": None, "body": "Good."}
    intent = replace(an_intent(), targets=wanted, sources=wanted, befores=before)
    links.open_intent(run.lease, intent)
    links.release(run.lease)
    again = links.lease(run.lease.link_id)
    assert again is not None
    assert (again.link.bases["body"], again.intent and again.intent.targets) == (
        bases["body"],
        wanted,
    )
    links.release(again.lease)
    downgrade(newest, "0021")
    with newest.connect() as connection:
        columns = text("SELECT targets, sources, befores FROM intent")
        assert [json.loads(one) for one in connection.execute(columns).one()] == [
            {"overall": "80"},
            {"overall": "80"},
            {"overall": None},
        ]
    upgrade(newest)
    last = links.lease(run.lease.link_id)
    assert last is not None
    assert last.link.records == again.link.records
    assert set(last.link.bases) == {"overall"}


def test_way_back_forgets_replies_and_keeps_links_and_history(newest: Engine) -> None:
    """An earlier version knows no such write: it is given up, and its line is one of an update."""
    run = Ground(ObservedLedger(newest), None).set_up().link(ADA, 1)
    links = sql_ledger(newest).links
    base = Base("Thanks", "Thanks", WORDS_VERSION)
    line = HistoryEntry(HistoryKind.REPLY, Side.WIX, "reply", after="Thanks")
    links.commit(run.lease, Commit(bases={"reply": base}, history=[line]))
    wanted: dict[str, Value | None] = {"reply": "Better"}
    asked = replace(an_intent(), operation=Operation.REPLY, targets=wanted, sources=wanted)
    links.open_intent(run.lease, asked)
    links.release(run.lease)
    again = links.lease(run.lease.link_id)
    assert again is not None
    assert (again.link.bases["reply"], again.intent and again.intent.operation) == (base, "reply")
    links.release(again.lease)
    downgrade(newest, "0022")
    with newest.connect() as connection:
        assert connection.execute(text("SELECT state FROM intent")).scalars().all() == ["abandoned"]
        kinds = connection.execute(text("SELECT what FROM history")).scalars().all()
    assert kinds == ["update"]
    upgrade(newest)
    last = links.lease(run.lease.link_id)
    assert last is not None
    assert (last.link.records, set(last.link.bases)) == (again.link.records, {"overall"})


def test_implicit_account_goes_on_over_the_way_up_and_down_again(newest: Engine) -> None:
    """Every link stays, and what waits for a side that refused us goes on with it."""
    ground = Ground(ObservedLedger(newest), None).set_up()
    ground.link(ADA, 1)
    waiting, refused = ground.stored(7), SiteSide(ground.site_id, Side.EXTERNAL)
    sql_ledger(newest).site_sides.fail(refused, [waiting], "401")
    downgrade(newest, "0024")
    with newest.connect() as connection:
        assert connection.execute(text("SELECT connector FROM site")).scalars().all() == [
            "own-service"
        ]
        kept = connection.execute(text("SELECT side, state, reason FROM account")).all()
    assert kept == [("external", "failing", "401")]
    upgrade(newest)
    site = ledger_admin(newest).sites.find("own-service")
    assert (site.external_source, site.has_implicit_account) == ("own-service", True)
    assert site.account_state is None
    with newest.connect() as connection:
        assert connection.execute(text("SELECT external_id FROM link")).scalars().all() == ["e1"]
    ledger = sql_ledger(newest)
    assert ledger.site_sides.recover(refused) == [waiting]
    opened = ledger.inbox.open_delivery(waiting)
    assert opened is not None
    assert opened[1] is not None
    assert opened[1].id == site.id


def test_worker_of_the_version_before_reads_sites_beside_accounts(newest: Engine) -> None:
    """What it asks with each delivery and each tick; a side that is refused is unknown to it."""
    sites = ledger_admin(newest).sites
    sites.add("instance-1", "shop", [])
    fails = (
        "EXISTS (SELECT * FROM account WHERE account.site_id = site.id AND account.side = 'wix'"
        " AND account.state = 'failing')"
    )
    with newest.connect() as connection:
        read = text(f"SELECT instance_id, connector, {fails} FROM site")  # noqa: S608 - its text
        assert connection.execute(read).all() == [("instance-1", "shop", False)]
        due = text("SELECT account.side FROM account WHERE account.next_probe_at <= 1e12")
        assert connection.execute(due).all() == []


def test_way_back_is_refused_while_a_site_has_an_account_of_its_own(newest: Engine) -> None:
    """An older version would take its shop for that of the environment."""
    sites = ledger_admin(newest).sites
    sites.add("instance-1", "shop", [])
    waits, _ = sites.add("instance-2", "", [])
    with pytest.raises(Misconfigured, match=f"site {waits.id} has an account of its own, or none"):
        downgrade(newest, "0024")
    assert [one.id for one in sites.all()] == [1, 2]
