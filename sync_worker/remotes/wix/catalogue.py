"""The products of Wix Stores, in the version of the catalogue that the site has.

https://dev.wix.com/docs/api-reference/business-solutions/stores/catalog-versioning/introduction
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync_worker.core.errors import Permanent, Transient
from sync_worker.core.ports.catalogue import Catalogue, CataloguePage, NotListed
from sync_worker.core.said import said
from sync_worker.core.values.catalogue import CatalogueItem, item_of
from sync_worker.remotes.wix.api import WixApi

V1, V3, NO_STORE = "V1_CATALOG", "V3_CATALOG", "STORES_NOT_INSTALLED"
PAGE_SIZE = 100  # the most that either version gives
# https://dev.wix.com/docs/api-reference/business-solutions/stores/catalog-v3/products-v3/query-products
# Without these a product of V3 comes without its address, and without any SKU.
V3_FIELDS = ["URL", "MIN_PRICE_VARIANT"]
# https://dev.wix.com/docs/rest/business-solutions/stores/catalog-v1/catalog/query-products
# Filter and sort of V1 are texts that hold JSON. New products come last in this order.
V1_SORT = '[{"numericId": "asc"}]'


def wix_catalogue(api: WixApi) -> Catalogue:
    """How the products of a site are read."""
    return Catalogue(_Pages(api).page, "Query Products of Wix Stores")


class _Pages:
    """Pages of either version; a cursor begins with the version that gave it."""

    def __init__(self, api: WixApi) -> None:
        self._api = api

    def page(self, cursor: str | None) -> CataloguePage:
        version, _, place = (cursor or f"{self._version()}:").partition(":")
        if version == V3:
            return self._page_v3(place)
        return self._page_v1(int(place or 0))

    def _version(self) -> str:
        """Raises NotListed where the site has no store."""
        version = _mapping(self._api.call("get_catalog_version").body).get("catalogVersion")
        if version == NO_STORE:
            raise NotListed(
                said(
                    "Wix Stores is not installed on the site, so it has no products; add it to the"
                    " site, or map your things from files"
                )
            )
        if version not in (V1, V3):
            raise Transient("Wix does not say which catalogue the site has")
        return str(version)

    def _page_v3(self, cursor: str) -> CataloguePage:
        paging: dict[str, Any] = {"limit": PAGE_SIZE}
        if cursor:
            paging["cursor"] = cursor
        asked = {"query": {"cursorPaging": paging}, "fields": V3_FIELDS}
        body = _mapping(self._api.call("query_products_v3", json=asked).body)
        cursors = _mapping(_mapping(body.get("pagingMetadata")).get("cursors"))
        following = cursors.get("next")
        if not following:
            return _page(body, _of_v3, None)
        return _page(body, _of_v3, f"{V3}:{following}")

    def _page_v1(self, offset: int) -> CataloguePage:
        paging = {"limit": PAGE_SIZE, "offset": offset}
        asked = {"query": {"paging": paging, "sort": V1_SORT}}
        body = _mapping(self._api.call("query_products_v1", json=asked).body)
        following = offset + len(_rows(body))
        total = body.get("totalResults")
        # Without a total only an empty page is the end.
        is_more = following < total if isinstance(total, int) else following > offset
        if not is_more:
            return _page(body, _of_v1, None)
        return _page(body, _of_v1, f"{V1}:{following}")


def _page(body: Mapping[str, Any], read: Any, cursor: str | None) -> CataloguePage:
    rows = [_mapping(row) for row in _rows(body)]
    items = [read(row) for row in rows if _text(row, "id")]
    left_out = len(rows) - len(items)
    return CataloguePage(items, cursor, left_out, "a product without an id" * bool(left_out))


def _rows(body: Mapping[str, Any]) -> list[Any]:
    rows = body.get("products")
    if not isinstance(rows, list):
        raise Permanent("Query Products: the answer holds no products", reason="malformed_listing")
    return rows


def _of_v3(row: Mapping[str, Any]) -> CatalogueItem:
    summary = _mapping(row.get("variantSummary"))
    # A product of several variants has several SKUs, and none of them is its own.
    is_one = summary.get("variantCount") == 1
    sku = _text(_mapping(summary.get("minPriceVariant")), "sku") if is_one else ""
    main = _mapping(_mapping(row.get("media")).get("main"))
    # An address over REST is a mapping; older answers had its text.
    url = _text(_mapping(row.get("url")), "url") or _text(row, "url")
    image = _text(_mapping(main.get("image")), "url") or _text(main, "url")
    return item_of(_common(row) | {"sku": sku, "url": url, "image": image})


def _of_v1(row: Mapping[str, Any]) -> CatalogueItem:
    page = _mapping(row.get("productPageUrl"))
    main = _mapping(_mapping(row.get("media")).get("mainMedia"))
    url = _text(page, "base").rstrip("/") + _text(page, "path")
    image = _text(_mapping(main.get("image")), "url")
    return item_of(_common(row) | {"sku": _text(row, "sku"), "url": url, "image": image})


def _common(row: Mapping[str, Any]) -> dict[str, str]:
    return {"id": _text(row, "id"), "name": _text(row, "name")}


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _text(row: Mapping[str, Any], name: str) -> str:
    found = row.get(name)
    return found.strip() if isinstance(found, str) else ""
