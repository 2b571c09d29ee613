"""The catalogue of the stand-in Wix, in both of its versions."""

from __future__ import annotations

from sync_sandbox.wix.catalog import NO_STORE, V1
from sync_sandbox.wix.state import WixState
from tests.unit.sandbox.client import WixClient


def test_site_says_its_version_and_lists_products_that_way_only(
    client: WixClient, wix: WixState
) -> None:
    catalog = wix.catalog
    catalog.products = {f"product-{number}": f"Mug {number}" for number in range(3)}
    v3, v1 = "/stores/v3/products/query", "/stores-reader/v1/products/query-platformized"
    version = "/stores/v3/provision/version"
    assert client.good("GET", version) == {"catalogVersion": "V3_CATALOG"}
    first = client.good("POST", v3, {"query": {"cursorPaging": {"limit": 2}}})
    cursor = first["pagingMetadata"]["cursors"]["next"]
    rest = client.good("POST", v3, {"query": {"cursorPaging": {"limit": 2, "cursor": cursor}}})
    assert [one["id"] for one in first["products"] + rest["products"]] == list(catalog.products)
    assert rest["pagingMetadata"]["cursors"] == {}
    assert client.refused("POST", v1, {"query": {}})[0] == 428
    catalog.version = V1
    page = client.good("POST", v1, {"query": {"paging": {"limit": 2, "offset": 2}}})
    assert page["products"] == [{"id": "product-2", "name": "Mug 2"}]
    assert page["totalResults"] == 3
    assert client.refused("POST", v3, {"query": {}})[0] == 428
    catalog.version = NO_STORE
    assert client.good("GET", version) == {"catalogVersion": "STORES_NOT_INSTALLED"}
    assert client.refused("POST", v3, {"query": {}})[0] == 428
