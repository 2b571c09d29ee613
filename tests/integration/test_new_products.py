"""A product that is not mapped is looked for in both catalogues; then the policies count."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from sync_sandbox.products import Product
from sync_worker.core.errors import Held
from sync_worker.core.hold_keys import entity_hold_key
from sync_worker.core.values import Change, Entity, EntityRef, NewDelivery, Side
from sync_worker.intake.entities import ENTITY_SKIPPED, MappedEntities
from sync_worker.ledger.onboarding.tables import catalogue_look
from sync_worker.services.onboarding.products import Products
from sync_worker.wiring.sweeps import NoBell
from tests.integration.catalogue_shop import OpenShop, Shop, kept_shops, opener

pytestmark = pytest.mark.full

NUMBERS = itertools.count(1)
MUG = EntityRef("7")


@pytest.fixture(scope="module")
def shops() -> Iterator[dict[str | None, Shop]]:
    with kept_shops() as kept:
        yield kept


@pytest.fixture
def shop(shops: dict[str | None, Shop], tmp_path: Path) -> Shop:
    """Nothing is mapped, proposed or held, and nobody has looked."""
    open_shop: OpenShop = opener(shops, tmp_path)
    opened = open_shop("woocommerce")
    assert opened.box.platform is not None
    opened.box.platform.catalogue = [Product("7", "Cup", "M-1"), Product("8", "tea pot")]
    opened.box.wix.catalog.products = [Product("w1", "Mug", "M-1"), Product("w2", "Tea Pot")]
    with opened.wiring.admin.engine.begin() as connection:
        for table in ("entity_proposal", "catalogue_asked", "catalogue_look", "entity_map"):
            connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608 - our own names
        connection.exec_driver_sql("UPDATE inbox SET state = 'done' WHERE state = 'held'")
    choose(opened, auto_map="off", unknown_entity="hold")
    return opened


def choose(shop: Shop, **policy: str) -> None:
    shop.site = shop.wiring.admin.sites.set_policy(shop.site.id, policy)


def products(shop: Shop) -> Products:
    return Products(shop.wiring.admin, shop.wiring.remotes.catalogues, NoBell())


def hold(shop: Shop, ref: EntityRef = MUG, side: Side = Side.EXTERNAL) -> int:
    """A delivery that the intake has held for a thing that is not mapped."""
    source = shop.site.instance_id if side is Side.WIX else shop.site.external_source
    name = f"r{next(NUMBERS)}"
    inbox = shop.wiring.sweeps.ledger.inbox
    stored = inbox.store(NewDelivery(side, source, name, Change.UPSERT, name, {}))
    inbox.hold([stored.inbox_id], "unknown_entity", hold_key=entity_hold_key(side, ref))
    return stored.inbox_id


def held(shop: Shop) -> list[int]:
    return [one.inbox_id for one in shop.wiring.admin.held.all()]


def age_look(shop: Shop, seconds: float) -> None:
    with shop.wiring.admin.engine.begin() as connection:
        older = catalogue_look.c.looked_at - seconds
        connection.execute(update(catalogue_look).values(looked_at=older))


def entities(shop: Shop) -> dict[str, str]:
    found = shop.wiring.admin.mappings.entities(shop.site.id)
    return {one.wix.entity_id: one.external.entity_id for one in found}


def calls(shop: Shop) -> int:
    assert shop.box.platform is not None
    return shop.box.platform.calls["GET /wp-json/wc/v3/products"]


def test_nothing_unknown_asks_nobody(shop: Shop) -> None:
    before = calls(shop)
    assert products(shop).look_where_due(60) == []
    assert calls(shop) == before


def test_unknown_product_leads_to_proposals_and_one_look_in_ten_minutes(shop: Shop) -> None:
    waits = hold(shop)
    assert products(shop).look_where_due(60) == [f"site {shop.site.id}: 0 mapped, 2 proposed"]
    proposed = [
        (pair.wix.entity_id, pair.external.entity_id, pair.way, pair.title)
        for pair in products(shop).proposed(shop.site)
    ]
    assert proposed == [("w1", "7", "sku", "Mug"), ("w2", "8", "name", "Tea Pot")]
    assert held(shop) == [waits]
    assert entities(shop) == {}
    before = calls(shop)
    hold(shop, EntityRef("99"))
    assert products(shop).look_where_due(60) == []
    age_look(shop, 601)
    assert len(products(shop).look_where_due(60)) == 1
    assert calls(shop) == before + 1
    # What was looked for in vain is no reason to look again.
    age_look(shop, 601)
    assert products(shop).look_where_due(60) == []


def test_confirmed_pairs_are_mapped_with_titles_and_release_what_waited(
    shop: Shop,
) -> None:
    hold(shop)
    products(shop).look_where_due(60)
    done, wrong = products(shop).confirm(shop.site, ["sku"])
    assert (done.added, len(done.released), wrong) == (1, 1, [])
    assert entities(shop) == {"w1": "7"}
    assert [pair.way for pair in products(shop).proposed(shop.site)] == ["name"]
    with shop.wiring.admin.engine.begin() as connection:
        titles = connection.exec_driver_sql("SELECT title FROM entity_map").scalars().all()
    assert titles == ["Mug"]
    assert held(shop) == []


def test_refused_pair_is_not_proposed_again(shop: Shop) -> None:
    products(shop).look(shop.site)
    (first, _) = products(shop).proposed(shop.site)
    assert shop.wiring.admin.proposals.refuse(shop.site.id, [first.id]) == 1
    products(shop).look(shop.site)
    assert [pair.way for pair in products(shop).proposed(shop.site)] == ["name"]


def test_policy_sku_maps_what_has_one_twin_by_sku_and_nothing_else(shop: Shop) -> None:
    choose(shop, auto_map="sku")
    hold(shop)
    left = hold(shop, EntityRef("8"))
    looked = products(shop).look(shop.site)
    assert (looked.mapped, looked.proposed, len(looked.released)) == (1, 1, 1)
    assert entities(shop) == {"w1": "7"}
    assert held(shop) == [left]


def test_policy_sku_leaves_a_sku_that_stands_twice_to_a_person(shop: Shop) -> None:
    choose(shop, auto_map="sku")
    shop.box.wix.catalog.products = [Product("w1", "Mug", "M-1"), Product("w3", "Bowl", "M-1")]
    hold(shop)
    assert products(shop).look(shop.site).mapped == 0
    # One of the two is mapped by hand: which the other one is stays for a person to say.
    pair = (EntityRef("w1", "stores", "reviews"), EntityRef("5"))
    shop.wiring.admin.mappings.import_entities(shop.site, [pair])
    assert products(shop).look(shop.site).mapped == 0


def test_what_no_catalogue_maps_follows_the_policy_for_unknown_things(
    shop: Shop,
) -> None:
    """The catalogue is asked first: until then it waits, whatever that policy says."""
    choose(shop, auto_map="sku", unknown_entity="same_id")
    directory = shop.wiring.sweeps.ledger.directory
    other = EntityRef("8")
    with pytest.raises(Held, match="unknown_entity"):
        MappedEntities(directory, shop.site).entity_of(other, Side.EXTERNAL)
    waits = hold(shop, other)
    looked = products(shop).look(shop.site)
    assert looked.released == (waits,)
    mapped = MappedEntities(directory, shop.site).entity_of(other, Side.EXTERNAL)
    assert isinstance(mapped, Entity)
    assert mapped.wix.entity_id == "8"
    choose(shop, unknown_entity="skip")
    another = EntityRef("9")
    with pytest.raises(Held, match="unknown_entity") as refused:
        MappedEntities(directory, shop.site).entity_of(another, Side.EXTERNAL)
    hold(shop, another)
    products(shop).look(shop.site)
    # The hold came after the catalogue was asked: it is not for ever.
    assert refused.value.has_arrived()
    end = MappedEntities(directory, shop.site).entity_of(another, Side.EXTERNAL)
    assert end is ENTITY_SKIPPED


def test_catalogue_that_cannot_be_read_is_told_and_tried_again_later(shop: Shop) -> None:
    choose(shop, auto_map="sku", unknown_entity="same_id")
    waits = hold(shop)
    assert shop.box.platform is not None
    shop.box.platform.catalogue = [Product(str(n)) for n in range(1, 300)]
    shop.box.platform.faults.set("paging_ignored", chance=1.0)
    assert products(shop).look_where_due(60) == []
    last = shop.wiring.admin.looks.last(shop.site.id)
    assert last is not None
    assert "operations.catalogue.pagination" in last.failed
    assert held(shop) == [waits]
    shop.box.platform.faults.clear()
    age_look(shop, 601)
    assert len(products(shop).look_where_due(60)) == 1


def test_side_without_a_catalogue_leaves_it_to_the_policy_at_once(shop: Shop) -> None:
    choose(shop, auto_map="id", unknown_entity="same_id")
    waits = hold(shop)
    shop.box.wix.catalog.version = "STORES_NOT_INSTALLED"
    try:
        looked = products(shop).look(shop.site)
    finally:
        shop.box.wix.catalog.version = "V3_CATALOG"
    assert looked.released == (waits,)
    assert "Wix Stores is not installed" in looked.why_not


def test_fault_of_one_site_stops_no_other(shop: Shop) -> None:
    other, _ = shop.wiring.admin.sites.add("another-instance", "gone-connector", shop.site.fields)
    inbox = shop.wiring.sweeps.ledger.inbox
    new = NewDelivery(Side.EXTERNAL, "gone-connector", "x", Change.UPSERT, "x", {})
    stored = inbox.store(new)
    key = entity_hold_key(Side.EXTERNAL, EntityRef("1"))
    inbox.hold([stored.inbox_id], "unknown_entity", hold_key=key)
    hold(shop)
    assert len(products(shop).look_where_due(60)) == 1
    failed = shop.wiring.admin.looks.last(other.id)
    assert failed is not None
    assert "gone-connector" in failed.failed
