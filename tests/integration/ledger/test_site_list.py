"""The list of sites for pages, on both databases: troubles first, in pages, at a bounded price."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine, event, insert, text

from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import Change, EntityRef, NewDelivery, Side, SiteState
from sync_worker.ledger.accounts.tables import site_side
from sync_worker.ledger.administration.admin import LedgerAdmin, ledger_admin
from sync_worker.ledger.console.held_counts import SqlHeldCounts
from sync_worker.ledger.console.maps import SqlMaps
from sync_worker.ledger.console.site_list import SitesWanted, SiteTrouble
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.process_tables import site_fault
from sync_worker.ledger.sql_ledger import sql_ledger
from sync_worker.ledger.tables import link, run
from sync_worker.services.access.who import Role, Who
from sync_worker.services.sites.sites import Sites

GRACE, EVE = Who("grace", Role.ADMIN), Who("eve", Role.OWNER, 2)
MANY = 120


@dataclass
class Fleet:
    engine: Engine
    admin: LedgerAdmin
    held: int = 0

    def ids(self, wanted: SitesWanted | None = None, who: Who = GRACE) -> list[int]:
        page = Sites(self.admin).page(who, wanted or SitesWanted())
        return [site.id for site in page.sites]

    def compared(self, *ids: int) -> None:
        done = {"kind": "baseline", "state": "done", "started_at": 1.0, "ended_at": 2.0}
        with self.engine.begin() as connection:
            connection.execute(insert(run), [{"site_id": one, **done} for one in ids])

    def hold(self, source: str, key: str = "entity:wix:reviews:stores:beans") -> None:
        inbox, self.held = sql_ledger(self.engine).inbox, self.held + 1
        new = NewDelivery(Side.WIX, source, None, Change.UPSERT, f"r-{self.held}", {})
        inbox.hold([int(inbox.store(new).inbox_id)], "unknown_entity", hold_key=key)


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def fleet(request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """Site 1 is well, 2 paused, 3 never compared, 4 removed, 5 has no account."""
    engine = open_engine(request.getfixturevalue(request.param))
    admin = ledger_admin(engine)
    for number in range(1, 5):
        admin.sites.add(f"instance-{number}", f"shop-{number}", [])
    admin.sites.add("instance-5", "", [])
    found = Fleet(engine, admin)
    found.compared(1, 2, 4)
    admin.sites.set_state(2, SiteState.PAUSED, "grace", "a sale")
    admin.sites.set_state(4, SiteState.REMOVED)
    yield found
    engine.dispose()


def test_sites_in_trouble_come_first_and_removed_ones_last(fleet: Fleet) -> None:
    page = Sites(fleet.admin).page(GRACE, SitesWanted())
    assert [(one.id, one.troubles) for one in page.sites] == [
        (2, ["paused"]),
        (3, ["never_compared"]),
        (5, ["no_account"]),
        (1, []),
        (4, []),
    ]
    assert page.sites[0].pause is not None
    assert page.sites[0].pause.why == "a sale"


def test_refused_access_and_failing_work_are_troubles(fleet: Fleet) -> None:
    refused = {"site_id": 1, "side": "wix", "state": "failing", "since": 0.0}
    fault = {"work": "poll", "source": "shop-2", "failures": 1, "error": "503"}
    with fleet.engine.begin() as connection:
        connection.execute(insert(site_side).values(**refused, next_probe_at=0.0))
        connection.execute(insert(site_fault).values(**fault, failed_at=0.0, next_try_at=0.0))
    sites = Sites(fleet.admin)
    assert sites.one(GRACE, 1).troubles == ["refused"]
    assert sites.one(GRACE, 2).troubles == ["paused", "work_fails"]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (SitesWanted(state=SiteState.PAUSED), [2]),
        (SitesWanted(connector="shop-1"), [1]),
        (SitesWanted(in_trouble=True), [2, 3, 5]),
        (SitesWanted(trouble=SiteTrouble.NEVER_COMPARED), [3]),
        (SitesWanted(name="instance-4"), [4]),
        (SitesWanted(name="5"), [5]),
        (SitesWanted(name="nobody"), []),
    ],
)
def test_only_some_are_asked_for(fleet: Fleet, wanted: SitesWanted, ids: list[int]) -> None:
    assert fleet.ids(wanted) == ids


def test_owner_sees_the_own_site_whatever_is_asked_for(fleet: Fleet) -> None:
    assert fleet.ids(who=EVE) == [2]
    assert fleet.ids(SitesWanted(site_id=1), EVE) == [2]
    assert fleet.ids(SitesWanted(name="1"), EVE) == []


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_pages_follow_each_other_and_end(fleet: Fleet, limit: int) -> None:
    sites, seen, after = Sites(fleet.admin), list[int](), ""
    while True:
        page = sites.page(GRACE, SitesWanted(), after, limit)
        seen += [one.id for one in page.sites]
        if not page.after:
            break
        after = page.after
    assert seen == [2, 3, 5, 1, 4]


@pytest.mark.parametrize("after", ["", "x", "1.2.3", "9" * 30, "0.", ".1", "0.-1", "٣.٣"])
def test_place_that_is_none_begins_at_the_beginning(fleet: Fleet, after: str) -> None:
    first, *_ = Sites(fleet.admin).page(GRACE, SitesWanted(), after).sites
    assert first.id == 2


def test_held_deliveries_are_counted_up_to_a_bound(fleet: Fleet) -> None:
    for _ in range(2):
        fleet.hold("instance-3")
    assert Sites(fleet.admin).one(GRACE, 3).held == 2
    with fleet.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO inbox (side, source, change, remote_id, payload, state, reason,"
                " is_restore, is_ours, privacy, must_read, attempts, received_at, next_attempt_at)"
                " SELECT side, source, change, remote_id, payload, o.state, reason, is_restore,"
                " is_ours, privacy, must_read, attempts, received_at, next_attempt_at"
                " FROM inbox o, site n, site m, site l WHERE o.state = 'held'"
            )
        )
    found = Sites(fleet.admin).one(GRACE, 3)
    assert (found.held, found.is_more_held) == (100, True)
    assert SqlHeldCounts(fleet.admin.transactions).number() == 252


def test_page_costs_the_same_statements_however_many_sites_it_has(fleet: Fleet) -> None:
    for number in range(10, 10 + MANY):
        fleet.admin.sites.add(f"instance-{number}", f"shop-{number}", [])
    said: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    event.listen(fleet.engine, "before_cursor_execute", note)
    assert len(fleet.ids()) == 50
    event.remove(fleet.engine, "before_cursor_execute", note)
    asked = [statement for statement in said if statement.lstrip().startswith(("SELECT", "WITH"))]
    assert len(asked) == 5
    # Nothing of the inbox is counted without a bound, and no link at all.
    assert not any("FROM link" in statement for statement in asked)
    assert all("LIMIT" in statement for statement in asked if "FROM inbox" in statement)


def test_map_is_removed_unless_a_rating_uses_it(fleet: Fleet) -> None:
    site, maps = fleet.admin.sites.find("1"), SqlMaps(fleet.admin.transactions)
    pairs = [
        (EntityRef(f"p-{number}", "stores", "reviews"), EntityRef(f"SKU-{number}"))
        for number in (1, 2)
    ]
    fleet.admin.mappings.import_entities(site, pairs)
    first, second = maps.page(1)
    for people, words in (("ada", "a rating is linked by it"), ("bob", "2 ratings are linked")):
        known = {"site_id": 1, "entity_id": first.entity.id, "contact_id": people}
        with fleet.engine.begin() as connection:
            connection.execute(insert(link).values(**known, state="buried"))
        with pytest.raises(Misconfigured, match=words):
            maps.remove(1, first.entity.id, "grace")
    assert [line.is_used for line in maps.page(1)] == [True, False]
    maps.remove(1, second.entity.id, "grace", "a mistake")
    assert [line.entity.wix.entity_id for line in maps.page(1)] == ["p-1"]
    with pytest.raises(Misconfigured, match="has no map"):
        maps.remove(1, second.entity.id, "grace")
    with pytest.raises(Misconfigured, match="has no map"):
        maps.remove(2, first.entity.id, "grace")


def test_things_that_wait_for_a_map_are_told_most_wanted_first(fleet: Fleet) -> None:
    fleet.hold("instance-1", "entity:wix:reviews:stores:oats")
    for _ in range(2):
        fleet.hold("instance-1", "entity:wix:reviews:stores:beans")
    fleet.hold("instance-1", "contact:email:abc")
    fleet.hold("instance-1", "entity:external:food:SKU:7")
    fleet.hold("instance-2", "entity:wix:reviews:stores:rice")
    waiting = SqlMaps(fleet.admin.transactions).waiting(fleet.admin.sites.find("1"))
    assert [(one.place, one.name, one.waiting) for one in waiting] == [
        ("reviews/stores", "beans", 2),
        ("food", "SKU:7", 1),
        ("reviews/stores", "oats", 1),
    ]
