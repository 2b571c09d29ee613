"""Both catalogues over real HTTP: whole, in each form, and never for ever."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync_sandbox.products import Product
from sync_sandbox.wix.catalog import NO_STORE, V1, V3
from sync_worker.core.errors import Misconfigured, Permanent
from sync_worker.core.ports.catalogue import Catalogue
from sync_worker.core.values import Side
from sync_worker.core.values.catalogue import CatalogueItem
from sync_worker.doctor.live.catalogue import check_catalogue, measure_catalogue
from sync_worker.services.onboarding.catalogues import read_both, read_whole
from tests.integration.catalogue_shop import SOME, OpenShop, Shop, kept_shops, opener, some
from tests.integration.shell import Shell


@pytest.fixture(scope="module")
def shops() -> Iterator[dict[str | None, Shop]]:
    with kept_shops() as kept:
        yield kept


@pytest.fixture
def open_shop(shops: dict[str | None, Shop], tmp_path: Path) -> OpenShop:
    return opener(shops, tmp_path)


@pytest.mark.parametrize(
    "platform",
    [
        None,
        "woocommerce",
        *(pytest.param(name, marks=pytest.mark.full) for name in ("fera", "bigcommerce")),
    ],
)
def test_catalogue_of_each_stand_in_is_read_whole(
    open_shop: OpenShop, platform: str | None
) -> None:
    """Page by page, with id, SKU, name and picture; and it never goes on for ever."""
    shop = open_shop(platform)
    outside = shop.box.platform or shop.box.reviews
    outside.catalogue = some()
    external = shop.catalogues[Side.EXTERNAL]
    items, unreadable = read_whole(external)
    assert ([item.id for item in items], unreadable) == ([str(n + 1) for n in range(SOME)], 0)
    assert (items[1].sku, items[1].name) == ("SKU-2", "Mug 2")
    assert items[1].image == "https://images.example.com/2.png"
    system = shop.live
    assert [one.is_good for one in check_catalogue(system)] == [True]
    assert [one.seen for one in measure_catalogue(system.catalogue)] == ["yes"]
    outside.faults.set("paging_ignored", chance=1.0)
    with pytest.raises(Permanent, match=r"operations\.catalogue\.pagination"):
        read_whole(external)
    (found,) = check_catalogue(system)
    assert "operations.catalogue.pagination" in found.wrong
    (measured,) = measure_catalogue(system.catalogue)
    assert measured.differs


def test_products_of_wix_are_read_in_either_version(
    open_shop: OpenShop,
) -> None:
    shop = open_shop(None)
    box = shop.box
    several = Product("v", "Shirt", "S-OWN", variants=("S-S", "S-L"))
    box.wix.catalog.products = [*some(), several, Product("h", "Draft", is_hidden=True)]
    for version in (V3, V1):
        box.wix.catalog.version = version
        wix = shop.catalogues[Side.WIX]
        items, unreadable = read_whole(wix)
        assert [item.id for item in items] == [*(str(n + 1) for n in range(SOME)), "v"]
        mug = CatalogueItem(
            "3",
            "SKU-3",
            "Mug 3",
            url="https://mugs.wixsite.example.com/product-page/mug-3",
            image="https://images.example.com/3.png",
        )
        assert (items[2], unreadable) == (mug, 0)
        # None of its variants' SKUs is the product's own.
        assert items[-1].sku == ""
        box.wix.faults.set("paging_ignored", chance=1.0)
        with pytest.raises(Permanent, match="Query Products of Wix Stores"):
            read_whole(wix)
        box.wix.faults.clear()
    box.wix.catalog.version = NO_STORE
    with pytest.raises(Misconfigured, match="Wix Stores is not installed on the site"):
        read_whole(shop.catalogues[Side.WIX])


def test_pairs_come_from_both_live_catalogues(
    open_shop: OpenShop,
) -> None:
    shop = open_shop("woocommerce")
    box = shop.box
    assert box.platform is not None
    box.wix.catalog.products = [Product("w1", "Mug", "M-1"), Product("w2", "Tea Pot")]
    box.platform.catalogue = [Product("7", "Cup", "M-1"), Product("8", "tea  pot"), Product("9")]
    proposal = read_both(shop.catalogues).proposal()
    found = [(pair.wix.id, pair.external.id, pair.way) for pair in proposal.pairs]
    assert found == [("w1", "7", "sku"), ("w2", "8", "name")]
    assert [doubt.item.id for doubt in proposal.doubts] == ["9"]


def test_side_that_lists_no_products_says_so_before_any_call(
    open_shop: OpenShop,
) -> None:
    shop = open_shop(None)
    box = shop.box
    both = shop.catalogues
    box.reviews.calls.clear()
    none = Catalogue(both[Side.EXTERNAL].page, both[Side.EXTERNAL].place, "it has none")
    with pytest.raises(
        Misconfigured, match=r"lists no products \(it has none\); map them from files"
    ):
        read_both({**both, Side.EXTERNAL: none})
    assert "GET /v1/subjects" not in box.reviews.calls


def test_service_without_subjects_is_no_error_of_its_manifest(
    open_shop: OpenShop,
) -> None:
    """The listing of products is optional in the contract: an earlier service answers 404."""
    shop = open_shop(None)
    box = shop.box
    box.reviews.faults.set("no_subjects", chance=1.0)
    (found,) = check_catalogue(shop.live)
    assert (found.wrong, found.advice[:14]) == ("", "it lists none:")
    (measured,) = measure_catalogue(shop.live.catalogue)
    assert not measured.differs


@pytest.mark.full
def test_command_pairs_both_live_catalogues_and_what_it_writes_is_imported(
    open_shop: OpenShop, tmp_path: Path
) -> None:
    shop = open_shop("woocommerce")
    assert shop.box.platform is not None
    shop.box.wix.catalog.products = [Product("w1", "Mug", "M-1"), Product("w2", "Bowl")]
    shop.box.platform.catalogue = [Product("7", "Cup", "M-1")]
    shell = Shell(tmp_path, shop.environ)
    told = json.loads(shell.good("map", "entities", "propose", "--out", "pairs.csv", "--json"))
    assert (told["pairs"], told["doubtful"]) == ({"id": 0, "sku": 1, "name": 0}, 1)
    assert json.loads(shell.good("map", "entities", "import", "pairs.csv", "--json"))["added"] == 1
    shop.box.platform.faults.set("paging_ignored", chance=1.0)
    shop.box.platform.catalogue = some()
    said = shell.bad("map", "entities", "propose")
    assert "operations.catalogue.pagination" in said
