"""The catalogue of the stand-in Wix, as far as setting up a site may ask for it: which version of
Wix Stores the site has, and its products.

https://dev.wix.com/docs/api-reference/business-solutions/stores/catalog-versioning/introduction
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, jsonify

from sync_sandbox.faults import Faults
from sync_sandbox.products import Product
from sync_sandbox.wix.bodies import body_of, part_of
from sync_sandbox.wix.refusal import Refusal

V1, V3, NO_STORE = "V1_CATALOG", "V3_CATALOG", "STORES_NOT_INSTALLED"
API = ("/stores/", "/stores-reader/")
MAX_LIMIT = 100
SITE = "https://mugs.wixsite.example.com"


@dataclass
class Catalog:
    """``products`` are in the order of their creation. A product keeps its id in either version."""

    version: str = V3
    products: Sequence[Product] = field(default_factory=list)

    def by_cursor(self, paging: dict[str, Any], fields: Collection[str]) -> dict[str, Any]:
        """A page as Catalog V3 answers. Raises Refusal."""
        self._require(V3)
        limit, listed = _limit(paging), self._listed()
        start = int(paging.get("cursor") or 0)
        page = [_as_v3(product, fields) for product in listed[start : start + limit]]
        more = start + limit < len(listed)
        cursors = {"next": str(start + limit)} if more else {}
        about = {"count": len(page), "cursors": cursors, "hasNext": more}
        return {"products": page, "pagingMetadata": about}

    def by_offset(self, paging: dict[str, Any]) -> dict[str, Any]:
        """A page as Catalog V1 answers. Raises Refusal."""
        self._require(V1)
        offset, listed = int(paging.get("offset") or 0), self._listed()
        page = [_as_v1(product) for product in listed[offset : offset + _limit(paging)]]
        about = {"items": len(page), "offset": offset}
        return {"products": page, "metadata": about, "totalResults": len(listed)}

    def _listed(self) -> list[Product]:
        """What an app sees that may not read hidden products."""
        return [product for product in self.products if not product.is_hidden]

    def _require(self, version: str) -> None:
        if self.version != version:
            raise Refusal(428, "CATALOG_VERSION_MISMATCH", f"the site has {self.version}")


def _as_v3(product: Product, fields: Collection[str]) -> dict[str, Any]:
    """Query Products gives no variants, and an address only to who asks for it.

    https://dev.wix.com/docs/api-reference/business-solutions/stores/catalog-v3/products-v3/query-products
    """
    skus = product.variants or [product.sku]
    summary: dict[str, Any] = {"variantCount": len(skus)}
    if "MIN_PRICE_VARIANT" in fields:
        summary["minPriceVariant"] = {"id": f"variant-{product.id}"}
        if skus[0]:
            summary["minPriceVariant"]["sku"] = skus[0]
    shown: dict[str, Any] = {
        "id": product.id,
        "revision": "1",
        "name": product.name,
        "visible": True,
        "variantSummary": summary,
        "media": {"main": {"id": "m", "image": {"url": product.image}, "mediaType": "IMAGE"}},
    }
    if "URL" in fields:
        shown["url"] = {"relativePath": product.path, "url": SITE + product.path}
    return shown


def _as_v1(product: Product) -> dict[str, Any]:
    """https://dev.wix.com/docs/rest/business-solutions/stores/catalog-v1/catalog/query-products"""
    shown: dict[str, Any] = {
        "id": product.id,
        "name": product.name,
        "visible": True,
        "productPageUrl": {"base": f"{SITE}/", "path": product.path},
        "media": {"mainMedia": {"image": {"url": product.image}, "mediaType": "image"}},
    }
    # Where variants are managed, each has its own.
    if product.sku and not product.variants:
        shown["sku"] = product.sku
    return shown


def add_catalog(app: Flask, catalog: Catalog, faults: Faults) -> None:
    """The calls of both versions."""

    @app.get("/stores/v3/provision/version")
    def version() -> Response:
        return jsonify(catalogVersion=catalog.version)

    @app.post("/stores/v3/products/query")
    def products_v3() -> Response:
        paging = part_of("query").get("cursorPaging") or {}
        if paging.get("cursor") and faults.strikes("paging_ignored"):
            paging = paging | {"cursor": "0"}
        fields = body_of().get("fields") or []
        return jsonify(catalog.by_cursor(paging, fields))

    @app.post("/stores/v1/products/query")
    def products_v1() -> Response:
        query = part_of("query")
        for name in ("filter", "sort"):
            # They are texts that hold JSON.
            if not isinstance(query.get(name, ""), str):
                raise Refusal(400, f"query.{name}", "must be a string")
        paging = query.get("paging") or {}
        if paging.get("offset") and faults.strikes("paging_ignored"):
            paging = paging | {"offset": 0}
        return jsonify(catalog.by_offset(paging))

    @app.post("/stores-reader/v1/products/query-platformized")
    def products_platformized() -> Response:
        return jsonify(catalog.by_offset(part_of("query").get("paging") or {}))


def _limit(paging: dict[str, Any]) -> int:
    limit = paging.get("limit", MAX_LIMIT)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        raise Refusal(400, "query.paging.limit", f"must be between 1 and {MAX_LIMIT}")
    return limit
