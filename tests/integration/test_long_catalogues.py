"""A catalogue that is longer than one look: the next one goes on where the one before ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync_sandbox.products import Product
from sync_worker.core.errors import Permanent, Transient
from sync_worker.core.hold_keys import entity_hold_key
from sync_worker.core.ports.catalogue import Catalogue, CataloguePage
from sync_worker.core.values import Change, EntityRef, NewDelivery, Side
from sync_worker.services.onboarding.products import Products
from sync_worker.wiring.sweeps import NoBell
from tests.integration.catalogue_shop import Shop, some

PAGES = 3  # of 100 products, on each side


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    opened = Shop(tmp_path / "home", "woocommerce")
    assert opened.box.platform is not None
    opened.box.platform.catalogue = [Product(p.id, p.name, p.sku) for p in some()]
    opened.box.wix.catalog.products = [Product(f"w{p.id}", p.name, p.sku) for p in some()]
    hold(opened)
    yield opened
    opened.close()


def hold(shop: Shop) -> None:
    """Something has come that is not mapped."""
    inbox = shop.wiring.sweeps.ledger.inbox
    source = shop.site.external_source
    stored = inbox.store(NewDelivery(Side.EXTERNAL, source, "r", Change.UPSERT, "r", {}))
    key = entity_hold_key(Side.EXTERNAL, EntityRef("7"))
    inbox.hold([stored.inbox_id], "unknown_entity", hold_key=key)


class Short:
    """The wait of a look that has time for so many pages of both sides."""

    def __init__(self, pages: int) -> None:
        self.left = pages

    def __call__(self, seconds: float) -> None:
        self.left -= 1
        if self.left < 0:
            raise Transient("its time is over")


def products(shop: Shop) -> Products:
    """Only what is between two pages counts: not how the stand-ins' budgets are waited for."""
    return Products(shop.wiring.admin, lambda site, wait: shop.catalogues, NoBell())


def claim(shop: Shop) -> bool:
    """A worker begins a look, or goes on with one, some minutes after the one before."""
    with shop.wiring.admin.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE catalogue_look SET looked_at = looked_at - 61")
    return shop.wiring.admin.looks.claim(shop.site.id)


def look(shop: Shop, pages: int) -> None:
    assert claim(shop)
    with pytest.raises(Transient):
        products(shop).look(shop.site, Short(pages))


def calls(shop: Shop) -> int:
    assert shop.box.platform is not None
    return shop.box.platform.calls["GET /wp-json/wc/v3/products"] + sum(
        count for call, count in shop.box.wix.calls.items() if "products/query" in call
    )


def test_each_page_of_a_long_catalogue_is_read_once(shop: Shop) -> None:
    before = calls(shop)
    look(shop, 2)
    look(shop, 2)
    assert calls(shop) == before + 4
    assert shop.wiring.admin.looks.due_sites(9) == []
    assert claim(shop)
    looked = products(shop).look(shop.site, Short(2))
    assert calls(shop) == before + 2 * PAGES
    assert (looked.counts["wix"], looked.counts["external"], looked.proposed) == (230, 230, 230)
    # It is read whole: the next look is one for all, and not before its time.
    assert shop.wiring.admin.catalogue_parts.so_far(shop.site.id).sides == {}
    assert not claim(shop)


def test_look_that_goes_on_is_due_within_a_minute(shop: Shop) -> None:
    look(shop, 2)
    assert not shop.wiring.admin.looks.claim(shop.site.id)
    with shop.wiring.admin.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE catalogue_look SET looked_at = looked_at - 61")
    assert shop.wiring.admin.looks.due_sites(9) == [shop.site.id]


def test_part_of_yesterday_is_read_anew(shop: Shop) -> None:
    before = calls(shop)
    look(shop, 4)
    with shop.wiring.admin.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE catalogue_part SET read_at = read_at - 90000")
    assert claim(shop)
    products(shop).look(shop.site, Short(99))
    assert calls(shop) == before + 4 + 2 * PAGES


def test_part_of_a_shop_before_is_not_kept(shop: Shop) -> None:
    """The site was given another shop while a look was under way."""
    assert claim(shop)

    class Changes(Short):
        def __call__(self, seconds: float) -> None:
            if self.left == 0:
                with shop.wiring.admin.engine.begin() as connection:
                    connection.exec_driver_sql("DELETE FROM catalogue_look")
            super().__call__(seconds)

    with pytest.raises(Transient):
        products(shop).look(shop.site, Changes(2))
    assert shop.wiring.admin.catalogue_parts.so_far(shop.site.id).sides == {}


def test_cursor_that_the_shop_refuses_means_a_new_beginning(shop: Shop) -> None:
    look(shop, 4)

    def refuse(cursor: str | None) -> CataloguePage:
        raise Permanent(f"this cursor has expired: {cursor}")

    asked = {side: Catalogue(refuse, "here") for side in Side}
    with pytest.raises(Permanent):
        Products(shop.wiring.admin, lambda site, wait: asked, NoBell()).look(shop.site)
    assert shop.wiring.admin.catalogue_parts.so_far(shop.site.id).sides == {}
