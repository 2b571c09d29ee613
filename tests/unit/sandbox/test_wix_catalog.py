"""The catalogue of the stand-in Wix, in both of its versions."""

from __future__ import annotations

from sync_sandbox.products import Product
from sync_sandbox.wix.catalog import NO_STORE, V1, V3
from sync_sandbox.wix.state import WixState
from tests.unit.sandbox.client import WixClient


def test_site_says_its_version_and_lists_products_that_way_only(
    client: WixClient, wix: WixState
) -> None:
    catalog = wix.catalog
    catalog.products = [Product(f"product-{number}", f"Mug {number}") for number in range(3)]
    v3, v1 = "/stores/v3/products/query", "/stores/v1/products/query"
    version = "/stores/v3/provision/version"
    assert client.good("GET", version) == {"catalogVersion": "V3_CATALOG"}
    first = client.good("POST", v3, {"query": {"cursorPaging": {"limit": 2}}})
    cursor = first["pagingMetadata"]["cursors"]["next"]
    rest = client.good("POST", v3, {"query": {"cursorPaging": {"limit": 2, "cursor": cursor}}})
    assert [one["id"] for one in first["products"] + rest["products"]] == [
        one.id for one in catalog.products
    ]
    assert rest["pagingMetadata"]["cursors"] == {}
    assert client.refused("POST", v1, {"query": {}})[0] == 428
    catalog.version = V1
    page = client.good("POST", v1, {"query": {"paging": {"limit": 2, "offset": 2}}})
    assert [one["id"] for one in page["products"]] == ["product-2"]
    assert page["totalResults"] == 3
    assert client.refused("POST", v3, {"query": {}})[0] == 428
    catalog.version = NO_STORE
    assert client.good("GET", version) == {"catalogVersion": "STORES_NOT_INSTALLED"}
    assert client.refused("POST", v3, {"query": {}})[0] == 428


def test_product_shows_what_its_version_shows(client: WixClient, wix: WixState) -> None:
    """V3 gives an address and a SKU to who asks for them, V1 takes its sort as a text only."""
    catalog = wix.catalog
    catalog.products = [Product("p", "Mug", "M-1"), Product("h", "Draft", is_hidden=True)]
    catalog.version = V3
    path, paging = "/stores/v3/products/query", {"cursorPaging": {"limit": 2}}
    (bare,) = client.good("POST", path, {"query": paging})["products"]
    assert "url" not in bare
    assert "minPriceVariant" not in bare["variantSummary"]
    asked = {"query": paging, "fields": ["URL", "MIN_PRICE_VARIANT"]}
    (full,) = client.good("POST", path, asked)["products"]
    assert full["variantSummary"]["minPriceVariant"]["sku"] == "M-1"
    assert full["url"]["relativePath"] == "/product-page/mug"
    catalog.version = V1
    sort = [{"numericId": "asc"}]
    refused = client.refused("POST", "/stores/v1/products/query", {"query": {"sort": sort}})
    assert refused == (400, "query.sort")
    (shown,) = client.good("POST", "/stores/v1/products/query", {"query": {}})["products"]
    assert shown["sku"] == "M-1"
