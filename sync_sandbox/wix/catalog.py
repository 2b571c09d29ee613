"""The catalogue of the stand-in Wix, as far as setting up a site may ask for it: which version of
Wix Stores the site has, and its products.

https://dev.wix.com/docs/api-reference/business-solutions/stores/catalog-versioning/introduction
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, jsonify

from sync_sandbox.wix.bodies import part_of
from sync_sandbox.wix.refusal import Refusal

V1, V3, NO_STORE = "V1_CATALOG", "V3_CATALOG", "STORES_NOT_INSTALLED"
API = ("/stores/", "/stores-reader/")
MAX_LIMIT = 100


@dataclass
class Catalog:
    """``products``: names by id. A product keeps its id in either version."""

    version: str = V3
    products: dict[str, str] = field(default_factory=dict)

    def by_cursor(self, paging: dict[str, Any]) -> dict[str, Any]:
        """A page as Catalog V3 answers. Raises Refusal."""
        self._require(V3)
        limit = _limit(paging)
        start = int(paging.get("cursor") or 0)
        page = self._listed()[start : start + limit]
        more = start + limit < len(self.products)
        cursors = {"next": str(start + limit)} if more else {}
        about = {"count": len(page), "cursors": cursors, "hasNext": more}
        return {"products": page, "pagingMetadata": about}

    def by_offset(self, paging: dict[str, Any]) -> dict[str, Any]:
        """A page as Catalog V1 answers. Raises Refusal."""
        self._require(V1)
        offset = int(paging.get("offset") or 0)
        page = self._listed()[offset : offset + _limit(paging)]
        about = {"items": len(page), "offset": offset}
        return {"products": page, "metadata": about, "totalResults": len(self.products)}

    def _listed(self) -> list[dict[str, str]]:
        return [{"id": one, "name": name} for one, name in list(self.products.items())]

    def _require(self, version: str) -> None:
        if self.version != version:
            raise Refusal(428, "CATALOG_VERSION_MISMATCH", f"the site has {self.version}")


def add_catalog(app: Flask, catalog: Catalog) -> None:
    """The calls of both versions."""

    @app.get("/stores/v3/provision/version")
    def version() -> Response:
        return jsonify(catalogVersion=catalog.version)

    @app.post("/stores/v3/products/query")
    def products_v3() -> Response:
        return jsonify(catalog.by_cursor(part_of("query").get("cursorPaging") or {}))

    @app.post("/stores-reader/v1/products/query-platformized")
    def products_v1() -> Response:
        return jsonify(catalog.by_offset(part_of("query").get("paging") or {}))


def _limit(paging: dict[str, Any]) -> int:
    limit = paging.get("limit", MAX_LIMIT)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        raise Refusal(400, "query.paging.limit", f"must be between 1 and {MAX_LIMIT}")
    return limit
