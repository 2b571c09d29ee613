"""What people do to sites, maps and held ones: by whom and why, in the transaction that does it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select

from sync_worker.core.values import AuditEntry, Change, EntityRef, NewDelivery, Side, SiteState
from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.ledger.administration.admin import LedgerAdmin, ledger_admin
from sync_worker.ledger.administration.mappings import ImportRefused
from sync_worker.ledger.console.held_filter import HeldFilter
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.site_cache import SiteCache
from sync_worker.ledger.sql_ledger import sql_ledger
from sync_worker.ledger.sweeps import SqlSweeps
from sync_worker.ledger.tables import entity_map, history, link

BEANS = (EntityRef("beans", "stores", "reviews"), EntityRef("SKU-1"))
OTHER = (EntityRef("oats", "stores", "reviews"), EntityRef("SKU-2"))
RICE = (EntityRef("rice", "stores", "reviews"), EntityRef("SKU-1"))


@dataclass
class Shop:
    engine: Engine
    admin: LedgerAdmin

    @property
    def noted(self) -> list[AuditEntry]:
        """Oldest first."""
        return SqlAudit(self.admin.transactions).of_site(1)[::-1]

    def held(self, number: int, reason: str = "refused") -> int:
        source = "instance-1"
        new = NewDelivery(Side.WIX, source, f"w-{number}", Change.UPSERT, f"rating-{number}", {})
        inbox = sql_ledger(self.engine).inbox
        inbox_id = int(inbox.store(new).inbox_id)
        inbox.hold([inbox_id], reason)
        return inbox_id


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    engine = open_engine(request.getfixturevalue(request.param))
    admin = ledger_admin(engine)
    admin.sites.add("instance-1", "own-service", [])
    yield Shop(engine, admin)
    engine.dispose()


def facts(entry: AuditEntry) -> tuple[Any, ...]:
    return entry.what, entry.actor, entry.why, dict(entry.before), dict(entry.after)


def test_pause_and_resume_say_who_why_and_what_was_before(shop: Shop) -> None:
    shop.admin.sites.set_state(1, SiteState.PAUSED, "grace", "a sale begins")
    shop.admin.sites.set_state(1, SiteState.PAUSED, "linus", "changes nothing")
    shop.admin.sites.set_state(1, SiteState.ACTIVE, "grace")
    active, paused = {"state": "active"}, {"state": "paused"}
    assert [facts(entry) for entry in shop.noted] == [
        ("site.pause", "grace", "a sale begins", active, paused),
        ("site.resume", "grace", "", paused, active),
    ]


def test_policy_change_notes_what_counted_before_by_default(shop: Shop) -> None:
    shop.admin.sites.set_policy(1, {"conflict": "wix", "deletes": "propagate"}, "grace", "asked")
    (entry,) = shop.noted
    before = {"conflict": "latest", "deletes": "propagate"}
    assert facts(entry) == ("site.policy", "grace", "asked", before, before | {"conflict": "wix"})


def test_import_of_maps_notes_what_it_replaced(shop: Shop) -> None:
    site = shop.admin.sites.find("1")
    shop.admin.mappings.import_entities(site, [BEANS], "grace", "first ones")
    shop.admin.mappings.import_entities(site, [BEANS], "grace", "nothing new")
    shop.admin.mappings.import_entities(site, [RICE], "linus")
    beans, rice = "reviews/stores/beans to SKU-1", "reviews/stores/rice to SKU-1"
    counts = {"added": 0, "changed": 0, "unchanged": 0}
    assert [facts(entry) for entry in shop.noted] == [
        (
            "map.import_entities",
            "grace",
            "first ones",
            {"replaced": 0, "maps": []},
            counts | {"added": 1, "maps": [beans]},
        ),
        (
            "map.import_entities",
            "linus",
            "",
            {"replaced": 1, "maps": [beans]},
            counts | {"changed": 1, "maps": [rice]},
        ),
    ]


def test_refused_import_notes_nothing(shop: Shop) -> None:
    site = shop.admin.sites.find("1")
    shop.admin.mappings.import_entities(site, [BEANS], "grace")
    with shop.engine.begin() as connection:
        entity_id = connection.execute(select(entity_map.c.id)).scalar_one()
        known = {"site_id": 1, "entity_id": entity_id, "contact_id": "ada"}
        connection.execute(insert(link).values(known))
    with pytest.raises(ImportRefused):
        shop.admin.mappings.import_entities(site, [OTHER, RICE], "linus")
    assert [entry.actor for entry in shop.noted] == ["grace"]


def test_release_and_drop_stand_in_audit_and_history_with_their_actor(shop: Shop) -> None:
    first, second, third = (shop.held(number) for number in (1, 2, 3))
    shop.admin.held.release(HeldFilter(inbox_ids=[first, second]), "grace", "asked the owner")
    shop.admin.held.drop(HeldFilter(inbox_ids=[third]), "a test", "linus")
    released = {"deliveries": 2, "first": [first, second]}
    dropped = {"deliveries": 1, "first": [third]}
    assert [facts(entry) for entry in shop.noted] == [
        ("held.release", "grace", "asked the owner", {"refused": 2}, released),
        ("held.drop", "linus", "a test", {"refused": 1}, dropped),
    ]
    with shop.engine.connect() as connection:
        lines = connection.execute(select(history.c.what, history.c.actor).order_by(history.c.id))
        assert [tuple(line) for line in lines] == [
            ("replay", "grace"),
            ("replay", "grace"),
            ("drop", "linus"),
        ]
    assert [line.entry.actor for line in shop.admin.questions.history()] == [
        "grace",
        "grace",
        "linus",
    ]


def test_each_site_has_its_own_entry_of_one_release(shop: Shop) -> None:
    """So that an owner sees what was done to theirs, and nothing of others."""
    shop.held(1)
    inbox = sql_ledger(shop.engine).inbox
    other = NewDelivery(Side.WIX, "nobody", "w-2", Change.UPSERT, "rating-2", {})
    inbox.hold([inbox.store(other).inbox_id], "refused")
    shop.admin.held.release(HeldFilter("refused"), "grace")
    assert [dict(entry.after)["deliveries"] for entry in shop.noted] == [1]


def test_allowed_deletes_say_who_allowed_them(shop: Shop) -> None:
    SqlSweeps(shop.admin.transactions, SiteCache()).allow_deletes(1, 30, "grace")
    (entry,) = shop.noted
    assert facts(entry) == (
        "reconcile.allow_deletes",
        "grace",
        "",
        {"deletes": 0},
        {"deletes": 30, "hours": 24.0},
    )
