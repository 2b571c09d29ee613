"""What becomes of the rows of a ledger on the way up and back; on PostgreSQL in test-all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import Engine, text

from sync_worker.core.errors import Misconfigured
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
from sync_worker.ledger.migrations.upgrade import downgrade, upgrade
from sync_worker.ledger.sql_ledger import sql_ledger
from tests.factories import a_delivery, an_intent
from tests.integration.ledger.ground import ADA, Ground
from tests.integration.schema_steps import step_up
from tests.twins.observed_ledger import ObservedLedger

# Of test-all, and of the machine's own PostgreSQL.
FURTHER = [pytest.mark.full, pytest.mark.own_postgresql]


@pytest.fixture(params=["empty_sqlite_url", pytest.param("empty_postgres_url", marks=FURTHER)])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine = open_engine(request.getfixturevalue(request.param))
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite_url", pytest.param("fresh_postgres_url", marks=FURTHER)])
def newest(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A ledger of the newest schema."""
    engine = open_engine(request.getfixturevalue(request.param))
    yield engine
    engine.dispose()


def test_rows_survive_the_way_down_to_the_first_schema_and_up_again(newest: Engine) -> None:
    stored = [sql_ledger(newest).inbox.store(a_delivery(number)) for number in range(5)]
    downgrade(newest, "0001")
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


@pytest.mark.full
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


@pytest.mark.full
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


@pytest.mark.full
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


@pytest.mark.full
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


@pytest.mark.full
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


@pytest.mark.full
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


@pytest.mark.full
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


@pytest.mark.full
def test_way_back_is_refused_while_a_site_has_an_account_of_its_own(newest: Engine) -> None:
    """An older version would take its shop for that of the environment."""
    sites = ledger_admin(newest).sites
    sites.add("instance-1", "shop", [])
    waits, _ = sites.add("instance-2", "", [])
    with pytest.raises(Misconfigured, match=f"site {waits.id} has an account of its own, or none"):
        downgrade(newest, "0024")
    assert [one.id for one in sites.all()] == [1, 2]
