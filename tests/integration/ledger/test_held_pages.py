"""Pages of held ones: groups with bounded counts, rows in order, filters, and what they cost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert, select, text, update

from sync_worker.core.hold_keys import email_hold_key, entity_hold_key
from sync_worker.core.values import Change, Contact, EntityRef, NewDelivery, Side, Site
from sync_worker.ledger.administration.admin import LedgerAdmin, ledger_admin
from sync_worker.ledger.console.held_filter import HeldFilter
from sync_worker.ledger.console.held_pages import MAX_COUNTED, SqlHeldPages
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.sql_ledger import sql_ledger
from sync_worker.ledger.tables import history, inbox, link, link_value

BEANS = (EntityRef("beans", "stores", "reviews"), EntityRef("SKU-1"))
NOW = datetime.now(UTC)


@dataclass
class Shelf:
    engine: Engine
    admin: LedgerAdmin
    pages: SqlHeldPages

    def hold(
        self, number: int, reason: str, source: str = "instance-1", key: str | None = None
    ) -> int:
        side = Side.WIX if source.startswith("instance") else Side.EXTERNAL
        new = NewDelivery(side, source, f"d-{number}", Change.UPSERT, f"r-{number}", {})
        ledger = sql_ledger(self.engine).inbox
        inbox_id = int(ledger.store(new).inbox_id)
        ledger.hold([inbox_id], reason, hold_key=key)
        return inbox_id

    def came(self, inbox_id: int, days_ago: int) -> None:
        at = (NOW - timedelta(days=days_ago)).timestamp()
        with self.engine.begin() as connection:
            connection.execute(update(inbox).where(inbox.c.id == inbox_id).values(received_at=at))

    def site(self, number: int) -> Site:
        return self.admin.sites.find(str(number))

    def numbers(self, **which: Any) -> list[int]:
        return [row.delivery.id for row in self.pages.page(HeldFilter(**which))]

    def link(self, inbox_id: int) -> None:
        """The delivery is of a rating of Ada's for the beans, 80 on Wix and 4 outside before."""
        site = self.site(1)
        self.admin.mappings.import_entities(site, [BEANS])
        self.admin.mappings.import_contacts(site, [Contact("ada", "ada@example.com")])
        (thing,) = self.admin.mappings.entities(1)
        with self.engine.begin() as connection:
            known = {"site_id": 1, "entity_id": thing.id, "contact_id": "ada"}
            new = connection.execute(insert(link).values(known).returning(link.c.id))
            link_id = new.scalar_one()
            value = {"link_id": link_id, "attribute": "overall", "site_id": 1}
            connection.execute(
                insert(link_value).values(value | {"base_wix": "80", "base_external": "4"})
            )
            line = {"site_id": 1, "link_id": link_id, "at": 1.0, "what": "hold"}
            told = {"attribute": "overall", "before": "100", "after": "2", "reason": "differ"}
            connection.execute(insert(history).values(line | told))
            connection.execute(update(inbox).where(inbox.c.id == inbox_id).values(link_id=link_id))


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def shelf(request: pytest.FixtureRequest) -> Iterator[Shelf]:
    engine = open_engine(request.getfixturevalue(request.param))
    admin = ledger_admin(engine)
    admin.sites.add("instance-1", "own-service", [])
    admin.sites.add("instance-2", "other-service", [])
    yield Shelf(engine, admin, SqlHeldPages(admin.transactions))
    engine.dispose()


def test_groups_count_by_reason_with_the_oldest_first(shelf: Shelf) -> None:
    first, old = shelf.hold(1, "refused"), shelf.hold(2, "unknown_entity")
    shelf.hold(3, "refused")
    shelf.came(first, 1)
    shelf.came(old, 3)
    counts = shelf.pages.counts(HeldFilter())
    assert [(one.reason, one.count.number, one.count.is_more) for one in counts] == [
        ("unknown_entity", 1, False),
        ("refused", 2, False),
    ]
    assert counts[0].oldest_at.date() == (NOW - timedelta(days=3)).date()


def test_groups_of_a_site_leave_out_what_is_of_others(shelf: Shelf) -> None:
    shelf.hold(1, "refused")
    shelf.hold(2, "unknown_contact", "own-service")
    shelf.hold(3, "refused", "instance-2")
    shelf.hold(4, "unknown_site", "nobody")
    found = {count.reason for count in shelf.pages.counts(HeldFilter(site=shelf.site(1)))}
    assert found == {"refused", "unknown_contact"}
    assert [one.reason for one in shelf.pages.counts(HeldFilter(site=shelf.site(2)))] == ["refused"]


def test_rows_of_both_sides_come_in_order_behind_a_key(shelf: Shelf) -> None:
    sources = ("instance-1", "own-service") * 3
    numbers = [shelf.hold(at, "refused", source) for at, source in enumerate(sources)]
    which = HeldFilter("refused", site=shelf.site(1))
    first = [row.delivery.id for row in shelf.pages.page(which, limit=4)]
    assert first == numbers[:4]
    assert [row.delivery.id for row in shelf.pages.page(which, first[-1], 4)] == numbers[4:]
    assert shelf.numbers(reason="refused", side=Side.EXTERNAL) == numbers[1::2]


def test_row_knows_its_person_thing_and_both_values(shelf: Shelf) -> None:
    shelf.link(shelf.hold(1, "first_difference"))
    (row,) = shelf.pages.page(HeldFilter())
    assert row.site is not None
    assert row.facts is not None
    assert (row.site.id, row.facts.contact.email) == (1, "ada@example.com")
    assert row.facts.entity.external == BEANS[1]
    assert [*map(str, row.facts.bases["overall"])] == ["80", "4"]
    assert [*map(str, row.facts.differs["overall"])] == ["100", "2"]


def test_person_is_found_by_what_waits_and_by_a_link(shelf: Shelf) -> None:
    linked, _ = shelf.hold(1, "refused"), shelf.hold(2, "refused")
    shelf.link(linked)
    key = email_hold_key("ada@example.com")
    waits = shelf.hold(3, "unknown_contact", "own-service", key)
    for word in ("ada@example.com", "Ada@Example.com"):
        assert sorted(shelf.numbers(person=word)) == [linked, waits]
    assert shelf.numbers(person="ada", site=shelf.site(1)) == [linked]
    assert shelf.numbers(person="ada@example.com", site=shelf.site(2)) == []
    assert shelf.numbers(person="% or 1=1") == []


def test_product_is_found_by_what_waits_and_by_a_link(shelf: Shelf) -> None:
    key = entity_hold_key(Side.EXTERNAL, EntityRef("SKU-1"))
    waits = shelf.hold(1, "unknown_entity", "own-service", key)
    linked, _ = shelf.hold(2, "refused"), shelf.hold(3, "unknown_entity", "own-service", f"{key}0")
    shelf.link(linked)
    # The import of the map has released what had waited for it.
    assert shelf.numbers(product="SKU-1") == [linked]
    again = shelf.hold(4, "unknown_entity", "own-service", key)
    assert shelf.numbers(product="SKU-1") == [linked, again]
    assert waits not in shelf.numbers(product="SKU-1")
    assert shelf.numbers(product="SKU%") == []


def test_old_ones_and_days_are_told_by_when_they_came(shelf: Shelf) -> None:
    numbers = [shelf.hold(at, "refused") for at in range(3)]
    for number, days in zip(numbers, (0, 2, 40), strict=True):
        shelf.came(number, days)
    assert shelf.numbers(until=NOW - timedelta(days=1)) == numbers[1:]
    counted = shelf.pages.days(HeldFilter(), NOW - timedelta(days=13))
    assert [(one.day, one.number) for one in counted] == [
        ((NOW - timedelta(days=2)).date(), 1),
        (NOW.date(), 1),
    ]


MANY = """
INSERT INTO inbox (side, source, dedupe_id, change, remote_id, payload, state, reason, received_at,
  next_attempt_at, is_restore, is_ours, privacy, must_read, attempts)
SELECT 'wix', 'instance-' || (1 + n % 2), 'm-' || n, 'upsert', 'm-' || n, '{}',
  CASE WHEN n % 3 = 0 THEN 'held' ELSE 'done' END,
  CASE WHEN n % 2 = 0 THEN 'refused' ELSE 'unknown_entity' END, n, 0, false, false, false, false, 0
FROM generate_series(1, 30000) AS n
"""


def plans(engine: Engine, statements: Sequence[tuple[str, Any]]) -> str:
    """What PostgreSQL does for each, one after the other."""
    told = []
    with engine.connect() as connection:
        for statement, parameters in statements:
            rows = connection.exec_driver_sql(f"EXPLAIN ANALYZE {statement}", parameters)
            told += [row[0] for row in rows]
    return "\n".join(told)


def test_pages_of_many_held_read_an_index_up_to_their_limit(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    admin = ledger_admin(engine)
    site, _ = admin.sites.add("instance-1", "own-service", [])
    with engine.begin() as connection:
        connection.execute(text(MANY))
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("VACUUM ANALYZE inbox"))
    asked: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *more: Any) -> None:
        if "FROM inbox" in statement:
            asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    pages = SqlHeldPages(admin.transactions)
    for which in (HeldFilter(), HeldFilter(site=site)):
        counts = pages.counts(which)
        assert [(one.count.number, one.count.is_more) for one in counts] == [
            (MAX_COUNTED, True),
            (MAX_COUNTED, True),
        ][: len(counts)]
        assert len(pages.page(HeldFilter("refused", site=which.site), 20_000)) > 0
        pages.days(which, datetime.fromtimestamp(0, UTC))
    event.remove(engine, "before_cursor_execute", note)
    told = plans(engine, asked)
    engine.dispose()
    assert "Seq Scan on inbox" not in told
    assert "ix_inbox_held_side" in told, told
    assert "ix_inbox_held_source" in told, told
    # Not all deliveries in the order of their numbers, past those that have ended.
    assert "pk_inbox" not in told, told
    rows = re.findall(r"\(actual .*?rows=(\d+)", told)
    assert max(map(int, rows)) <= 4 * (MAX_COUNTED + 1), told


def test_counts_of_a_person_tell_every_reason_and_the_oldest(shelf: Shelf) -> None:
    linked = shelf.hold(1, "refused")
    shelf.link(linked)
    key = email_hold_key("ada@example.com")
    waits = [shelf.hold(number, "unknown_contact", key=key) for number in (2, 3)]
    shelf.came(waits[1], 4)
    shelf.hold(4, "refused")
    counts = shelf.pages.counts(HeldFilter(person="ada@example.com"))
    assert [(one.reason, one.count.number) for one in counts] == [
        ("unknown_contact", 2),
        ("refused", 1),
    ]
    assert counts[0].oldest_at.date() == (NOW - timedelta(days=4)).date()


def test_story_of_a_delivery_has_no_line_of_another_sites_record(shelf: Shelf) -> None:
    """Ids are an external system's own: another shop's record may have the same one."""
    held, of_link = shelf.hold(1, "refused"), shelf.hold(2, "refused")
    shelf.link(of_link)
    base = {"at": 1.0, "what": "drop", "remote_id": "r-1"}
    lines = [base | {"site_id": 1, "reason": "ours"}, base | {"site_id": 2, "reason": "theirs"}]
    with shelf.engine.begin() as connection:
        connection.execute(insert(history), lines)
    story = shelf.admin.held.story(held)
    assert story is not None
    assert [line.entry.reason for line in story.history] == ["ours"]


def test_story_has_what_happened_to_its_record_under_another_rating(shelf: Shelf) -> None:
    """A record that was on file with a rating, and is told of again without one."""
    held, of_link = shelf.hold(1, "refused"), shelf.hold(2, "refused")
    shelf.link(of_link)
    with shelf.engine.begin() as connection:
        known = connection.execute(select(link.c.id)).scalar_one()
        connection.execute(update(link_value).values(wix_id="r-1"))
        line = {"site_id": 1, "link_id": known, "at": 1.0, "what": "create", "remote_id": "r-1"}
        connection.execute(insert(history), [line | {"reason": "it"}])
    story = shelf.admin.held.story(held)
    assert story is not None
    assert [line.entry.reason for line in story.history] == ["it"]
