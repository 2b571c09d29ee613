"""The list of sites: in pages, with accounts and counts, at the same price for many."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, event, insert, update

from sync_worker.core.values import AccountState, Change, NewDelivery, Side, SiteState
from sync_worker.ledger.accounts.tables import account, site_side
from sync_worker.ledger.administration.site_pages import SiteFilter, SitePages
from sync_worker.ledger.administration.sites import SiteAdmin
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.sql_ledger import sql_ledger
from sync_worker.ledger.tables import entity_map, link
from sync_worker.ledger.transactions import Transactions


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine = open_engine(request.getfixturevalue(request.param))
    yield engine
    engine.dispose()


@pytest.fixture
def pages(engine: Engine) -> SitePages:
    """Site 1 of the environment with all that can be counted, 2 with a paused account, 3 bare."""
    sites = SiteAdmin(Transactions(engine))
    sites.add("instance-1", "own-service", [])
    sites.add("instance-2", "", [])
    sites.add("instance-3", "", [])
    sites.set_state(3, SiteState.PAUSED)
    inbox = sql_ledger(engine).inbox
    for number, source in enumerate(("own-service", "own-service", "elsewhere")):
        new = NewDelivery(Side.EXTERNAL, source, f"e-{number}", Change.UPSERT, f"r-{number}", {})
        stored = inbox.store(new)
    inbox.hold([stored.inbox_id], "unknown_site")
    inbox.hold([inbox.store(a_wix_event()).inbox_id], "unknown_entity")
    with engine.begin() as connection:
        given = {"public_id": "a" * 26, "site_id": 2, "connector": "shop", "state": "paused"}
        times = {"changed": 1, "created_at": 0.0, "updated_at": 0.0}
        connection.execute(insert(account).values(**given, **times))
        thing = {"site_id": 1, "wix_namespace": "n", "wix_group": "g", "wix_entity_id": "e"}
        entity = insert(entity_map).values(**thing, external_entity_id="e")
        entity_id = connection.execute(entity.returning(entity_map.c.id)).scalar_one()
        known = {"site_id": 1, "entity_id": entity_id, "contact_id": "c"}
        connection.execute(insert(link).values(known))
    return SitePages(Transactions(engine))


def a_wix_event() -> NewDelivery:
    return NewDelivery(Side.WIX, "instance-1", "w", Change.UPSERT, "rating-1", {})


def test_each_site_comes_with_its_account_and_counts(pages: SitePages) -> None:
    rows = pages.page(SiteFilter())
    assert [(row.site.id, row.account) for row in rows] == [(1, None), (2, "a" * 26), (3, None)]
    assert [(row.links, row.held, row.waiting) for row in rows] == [(1, 1, 2), (0, 0, 0), (0, 0, 0)]


def test_accounts_are_counted_by_how_they_stand(engine: Engine, pages: SitePages) -> None:
    assert pages.account_counts() == {"paused": 1}
    with engine.begin() as connection:
        connection.execute(update(account).values(state="active"))
        refused = {"site_id": 2, "side": "external", "state": "failing"}
        connection.execute(insert(site_side).values(**refused, since=0.0, next_probe_at=0.0))
    assert pages.account_counts() == {"failing": 1}


def test_pages_follow_each_other_and_end(pages: SitePages) -> None:
    assert [row.site.id for row in pages.page(SiteFilter(), limit=2)] == [1, 2]
    assert [row.site.id for row in pages.page(SiteFilter(), 2, 2)] == [3]
    assert [row.site.id for row in pages.rows(SiteFilter(), 0, 2)] == [1, 2]
    assert [row.site.id for row in pages.rows(SiteFilter())] == [1, 2, 3]
    assert pages.count(SiteFilter()) == 3


@pytest.mark.parametrize(
    ("which", "ids"),
    [
        (SiteFilter(state=SiteState.PAUSED), [3]),
        (SiteFilter(connector="own-service"), [1]),
        (SiteFilter(account_state=AccountState.PAUSED), [2]),
        (SiteFilter(SiteState.ACTIVE, account_state=AccountState.ACTIVE), []),
    ],
)
def test_only_some_are_asked_for(pages: SitePages, which: SiteFilter, ids: list[int]) -> None:
    assert [row.site.id for row in pages.page(which)] == ids
    assert pages.count(which) == len(ids)


def test_page_costs_the_same_statements_however_many_sites_it_has(
    engine: Engine, pages: SitePages
) -> None:
    def cost(limit: int) -> int:
        said: list[str] = []

        def note(connection: object, cursor: object, statement: str, *_: object) -> None:
            if statement.lstrip().upper().startswith("SELECT"):
                said.append(statement)

        event.listen(engine, "before_cursor_execute", note)
        pages.page(SiteFilter(), limit=limit)
        event.remove(engine, "before_cursor_execute", note)
        return len(said)

    assert cost(1) == cost(3) == 5
