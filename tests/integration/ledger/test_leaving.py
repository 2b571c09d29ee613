"""Sites that are removed, on both databases: what ends at once, and what is left in the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    Integer,
    Table,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.engine import make_url

from sync_worker.core.values import AccountState, Change, NewAccount, Side, SiteState
from sync_worker.ledger.accounts.store import SqlAccountStore, new_public_id
from sync_worker.ledger.administration import leaving
from sync_worker.ledger.administration.admin import ledger_admin
from sync_worker.ledger.administration.leaving import LeavingSites
from sync_worker.ledger.administration.retention import LedgerRetention, Retention
from sync_worker.ledger.column_types import ExactJSON
from sync_worker.ledger.tables import inbox, metadata, site
from tests.factories import EXTERNAL_ENTITY, WIX_ENTITY, a_delivery
from tests.twins.observed_ledger import ObservedLedger

LEAVER, NEIGHBOUR = "qzxa", "qzxb"  # each value of a row has the name of its site in it
DAYS = 30.0
LONG_AGO = 1.0


@pytest.fixture
def ledger(ledgers: list[ObservedLedger]) -> ObservedLedger:
    return ledgers[0]


@pytest.fixture
def leaving_sites(ledger: ObservedLedger) -> LeavingSites:
    return LeavingSites(ledger.transactions)


class Filler:
    """Puts a row of one site into each table, whichever tables there are."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection, self._name = connection, name
        self._ids: dict[str, Any] = {}

    def fill(self) -> None:
        for table in metadata.sorted_tables:
            if table in leaving.OF_THE_FLEET:
                continue
            row = {column.name: self._value(table, column) for column in table.c}
            row = {name: value for name, value in row.items() if value is not None}
            row |= self._special(table)
            columns = list(table.primary_key.columns) or [next(iter(table.c))]
            key = self._connection.execute(insert(table).values(row).returning(columns[0]))
            self._ids[table.name] = key.scalar_one()

    def _value(self, table: Table, column: Column[Any]) -> Any:
        for key in column.foreign_keys:
            return self._ids.get(key.column.table.name)
        if isinstance(column.type, ExactJSON):
            return {"canary": self._text(table, column)}
        if isinstance(column.type, Boolean):
            return False
        if isinstance(column.type, Integer | Float):
            return None if column.primary_key and column.autoincrement is True else LONG_AGO
        return self._text(table, column)

    def _text(self, table: Table, column: Column[Any]) -> str:
        most = getattr(column.type, "length", None) or 80
        return f"{self._name}-{column.name}-{table.name}"[:most]

    def _special(self, table: Table) -> dict[str, Any]:
        if table is site:
            source = {"external_source": f"{self._name}-shop/{self._name}-last"}
            return source | {"state": "removed", "removed_at": LONG_AGO, "policy": {}}
        if table is inbox:
            return {"side": "wix", "source": self._text(site, site.c.instance_id), "state": "held"}
        if "source" in table.c:
            return {"source": f"{self._name}-connector-account/{self._name}-public_id-account"}
        return {"state": "revoked"} if table.name == "account" else {}


def everything(ledger: ObservedLedger) -> str:
    """All rows of all tables, those that only the database knows too."""
    with ledger.engine.connect() as connection:
        names = inspect(connection).get_table_names()
        rows = [connection.execute(text(f"SELECT * FROM {name}")).all() for name in names]  # noqa: S608 - its own tables
    return repr(rows)


def bytes_on_disk(ledger: ObservedLedger) -> Iterator[bytes]:
    """SQLite's files; PostgreSQL's are its own."""
    url = make_url(str(ledger.engine.url))
    if url.get_backend_name() == "sqlite":
        for path in Path(str(url.database)).parent.glob(f"{Path(str(url.database)).name}*"):
            yield path.read_bytes()


def test_everything_of_a_removed_site_goes_and_nothing_of_its_neighbour(
    ledger: ObservedLedger, leaving_sites: LeavingSites
) -> None:
    """Whatever tables there are: one with rows of sites that is not looked at fails here."""
    with ledger.transactions.write() as connection:
        Filler(connection, NEIGHBOUR).fill()
        Filler(connection, LEAVER).fill()
        # It came back: nothing of it goes.
        connection.execute(text("UPDATE site SET state = 'active' WHERE instance_id LIKE 'qzxb%'"))
        more = "INSERT INTO inbox ({0}) SELECT {0} FROM inbox WHERE source LIKE 'qzxa%'"
        some = [one.name for one in inbox.c if one.name not in ("id", "dedupe_id", "source")]
        columns = ", ".join(some)
        # Under its account's name, and under one that nobody knows any more.
        for name in (f"{LEAVER}-connector-account/{LEAVER}-public_id-account", "an-old-name"):
            copied = more.format(columns).replace(f"({columns})", f"({columns}, source)")
            copied = copied.replace("FROM", f", '{name[:128]}' FROM")
            if "account" in name:
                copied = copied.replace("SELECT side", "SELECT 'external'")
            connection.execute(text(copied))
    before = everything(ledger)
    assert before.count(LEAVER) > before.count(NEIGHBOUR) > len(metadata.sorted_tables)
    batches = 0
    while leaving_sites.forget_some(DAYS, 1):
        batches += 1
    after = everything(ledger)
    assert batches > len(metadata.sorted_tables) - len(leaving.OF_THE_FLEET)
    assert (after.count(LEAVER), after.count("an-old-name")) == (0, 0)
    assert after.count(NEIGHBOUR) == before.count(NEIGHBOUR)
    LedgerRetention(ledger.engine).forget_log()
    assert all(LEAVER.encode() not in content for content in bytes_on_disk(ledger))


def test_site_that_was_removed_lately_keeps_all(
    ledger: ObservedLedger, leaving_sites: LeavingSites
) -> None:
    """Also one whose removal nobody noted the time of: its time begins with the first look."""
    admin = ledger_admin(ledger.engine)
    added, _ = admin.sites.add("instance-1", "shop", [])
    admin.sites.set_state(added.id, SiteState.REMOVED)
    with ledger.transactions.write() as connection:
        connection.execute(text("UPDATE site SET removed_at = NULL"))
    assert leaving_sites.forget_some(DAYS, 10) == 0
    with ledger.transactions.write() as connection:
        (since,) = connection.execute(text("SELECT removed_at FROM site")).scalars()
        assert since > LONG_AGO
        connection.execute(text("UPDATE site SET removed_at = 1"))
    admin.sites.set_state(added.id, SiteState.ACTIVE)
    assert leaving_sites.forget_some(DAYS, 10) == 0
    assert leaving_sites.waiting(DAYS) == 0
    assert [one.id for one in admin.sites.all()] == [added.id]


def test_pruning_forgets_a_removed_site_and_says_of_how_many(ledger: ObservedLedger) -> None:
    admin, retention = ledger_admin(ledger.engine), LedgerRetention(ledger.engine)
    added, _ = admin.sites.add("instance-1", "shop", [])
    ledger.directory.add_entity(added.id, WIX_ENTITY, EXTERNAL_ENTITY)
    admin.sites.set_state(added.id, SiteState.REMOVED)
    assert retention.waiting(Retention())["removed_sites"] == 0
    with ledger.transactions.write() as connection:
        connection.execute(text("UPDATE site SET removed_at = 1"))
    assert retention.waiting(Retention())["removed_sites"] == 1
    assert dict(retention.prune(Retention())) == {"removed_sites": 1}
    assert admin.sites.all() == []
    # The connector of the environment is free for another site.
    again, _ = admin.sites.add("instance-2", "shop", [])
    assert again.has_implicit_account


def test_site_installed_again_while_it_is_forgotten_begins_anew(
    ledger: ObservedLedger, leaving_sites: LeavingSites
) -> None:
    """Half of what it had would be worse than nothing of it."""
    admin = ledger_admin(ledger.engine)
    added, _ = admin.sites.add("instance-1", "shop", [])
    for number in range(3):
        ref = replace(EXTERNAL_ENTITY, entity_id=f"e{number}")
        ledger.directory.add_entity(added.id, replace(WIX_ENTITY, entity_id=f"w{number}"), ref)
    admin.sites.set_state(added.id, SiteState.REMOVED)
    with ledger.transactions.write() as connection:
        connection.execute(text("UPDATE site SET removed_at = 1"))
    assert leaving_sites.forget_some(DAYS, 1) == 1
    anew, _ = admin.sites.add("instance-1", "", [])
    while leaving_sites.forget_some(DAYS, 1):
        pass
    assert [one.id for one in admin.sites.all()] == [anew.id]


def test_removal_ends_the_account_and_a_new_installation_has_all_links(
    ledger: ObservedLedger,
) -> None:
    """Its door shuts with the removal; given the same account again, the site has its maps."""
    admin, store = ledger_admin(ledger.engine), SqlAccountStore(ledger.transactions)
    added, _ = admin.sites.add("instance-1", "", [])
    new = NewAccount(new_public_id(), added.id, "shop", "https://shop", {}, {"token": "x1.a"})
    given = store.add(new, "ada")
    ledger.directory.add_entity(added.id, WIX_ENTITY, EXTERNAL_ENTITY)
    before = store.counter()
    assert ledger.sites.note_lifecycle(added.id, SiteState.REMOVED, 100.0) == []
    (ended,) = store.changed_since(before, 9)
    assert (ended.state, ended.wiped_at) == (AccountState.REVOKED, None)
    assert store.by_address(given.public_id) is None
    assert store.sealed_of(given.id).keys() == {"token"}, "for the farewell"
    assert store.audit.of_account(given.id)[0].why == "the app was removed from the site"
    told = replace(a_delivery(1, side=Side.EXTERNAL), source=given.source)
    waiting = ledger.inbox.store(told).inbox_id
    ledger.inbox.hold([waiting], "site_removed")
    # Wix tells of it again: its time does not begin anew.
    with ledger.transactions.write() as connection:
        connection.execute(text("UPDATE site SET removed_at = 77"))
    ledger.sites.note_lifecycle(added.id, SiteState.REMOVED, 100.0)
    with ledger.engine.connect() as connection:
        assert connection.execute(text("SELECT removed_at FROM site")).scalars().all() == [77.0]
    ledger.sites.note_lifecycle(added.id, SiteState.ACTIVE, 200.0)
    back = admin.sites.find(str(added.id))
    assert (back.state, back.why_at_rest) == (SiteState.ACTIVE, "account_revoked")
    again = store.add(replace(new, public_id=new_public_id()), "ada")
    opened = ledger.inbox.open_delivery(waiting)
    assert opened is not None
    assert opened[0].new.source == again.source
    known = ledger.directory.entity(added.id, Side.WIX, WIX_ENTITY)
    assert known is not None
    with ledger.engine.connect() as connection:
        assert connection.execute(text("SELECT removed_at FROM site")).scalars().all() == [None]


def test_row_that_comes_late_puts_the_end_off_and_is_not_left_behind(
    ledger: ObservedLedger, leaving_sites: LeavingSites
) -> None:
    """A process of the version before may write one where nothing was left."""
    admin = ledger_admin(ledger.engine)
    added, _ = admin.sites.add("instance-1", "shop", [])
    ledger.directory.add_entity(added.id, WIX_ENTITY, EXTERNAL_ENTITY)
    admin.sites.set_state(added.id, SiteState.REMOVED)
    with ledger.transactions.write() as connection:
        connection.execute(text("UPDATE site SET removed_at = 1"))
    # The entry of its removal in the audit, and its map.
    assert [leaving_sites.forget_some(DAYS, 1) for _ in range(2)] == [1, 1]
    line = "INSERT INTO missing (site_id, side, remote_id, run_id) VALUES (:id, 'wix', 'w1', 1)"
    # Its table was looked at before the one that the row above stood in.
    with ledger.transactions.write() as connection:
        connection.execute(text(line), {"id": added.id})
    assert leaving_sites.forget_some(DAYS, 1) == 0
    assert [one.id for one in admin.sites.all()] == [added.id]
    while leaving_sites.forget_some(DAYS, 1):
        pass
    assert admin.sites.all() == []


def test_site_with_the_number_of_one_that_went_goes_as_whole(
    ledger: ObservedLedger, leaving_sites: LeavingSites
) -> None:
    for name in ("first", "second"):
        with ledger.transactions.write() as connection:
            Filler(connection, f"qz{name}").fill()
        while leaving_sites.forget_some(DAYS, 100):
            pass
        assert f"qz{name}" not in everything(ledger)


@pytest.mark.parametrize("comes", ["before", "while its rows go"])
def test_installation_that_waits_is_not_forgotten_with_the_site(
    ledger: ObservedLedger, leaving_sites: LeavingSites, comes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wix was told that we have it, and does not tell it again."""
    admin = ledger_admin(ledger.engine)
    site_id = admin.sites.add("instance-1", "", [])[0].id
    admin.sites.set_state(site_id, SiteState.REMOVED)
    old = ledger.inbox.store(a_delivery(1, change=Change.APP_INSTALLED, revision=None)).inbox_id
    with ledger.transactions.write() as connection:
        connection.execute(update(site).values(removed_at=LONG_AGO))
        connection.execute(update(inbox).values(received_at=LONG_AGO - 1))
    again = a_delivery(5, change=Change.APP_INSTALLED, revision=None)
    stored = [ledger.inbox.store(again).inbox_id]
    if comes != "before":
        # It comes when the site was chosen already.
        monkeypatch.setattr(leaving, "_next_to_forget", _whoever)
    while leaving_sites.forget_some(DAYS, 100):
        pass
    with ledger.engine.connect() as connection:
        left = connection.execute(text("SELECT id FROM inbox")).scalars().all()
        sites = connection.execute(text("SELECT id FROM site")).scalars().all()
    expected = ([old, *stored], [site_id]) if comes == "before" else (stored, [])
    assert (left, sites) == expected


def _whoever(connection: Connection, days: float) -> Any:
    return connection.execute(select(site)).first()
