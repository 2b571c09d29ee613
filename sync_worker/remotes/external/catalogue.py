"""The catalogue of an external system, by its manifest's ``operations.catalogue``."""

from __future__ import annotations

from typing import Any

from sync_worker.core.errors import Permanent
from sync_worker.core.ports.catalogue import Catalogue, CataloguePage, NotListed
from sync_worker.core.said import said
from sync_worker.core.values.catalogue import CatalogueItem
from sync_worker.manifest.catalogue_reader import PLACE, read_item
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.paging.places import Place, place_of, place_text
from sync_worker.manifest.schema.calls import CatalogueSpec
from sync_worker.remotes.external.calls import ExternalCalls
from sync_worker.remotes.http.client import RemoteHttp

UNDECLARED = said("its manifest declares no operations.catalogue")


def catalogue_of(manifest: Manifest, http: RemoteHttp) -> Catalogue:
    """How its catalogue is read, or why it cannot be."""
    place = f"connector {manifest.id}, {PLACE}.pagination"
    return Catalogue(_Pages(manifest, http).page, place, why_none(manifest))


def why_none(manifest: Manifest) -> str:
    """Why a system lists no products, in words; empty where it does."""
    if manifest.operations.catalogue is not None:
        return ""
    return manifest.operations.no_catalogue or UNDECLARED


class _Pages:
    def __init__(self, manifest: Manifest, http: RemoteHttp) -> None:
        self._manifest, self._calls = manifest, ExternalCalls(manifest, http)

    def page(self, cursor: str | None) -> CataloguePage:
        """One call. A row without an id is left out and counted."""
        spec = self._manifest.operations.catalogue
        if spec is None:
            why = why_none(self._manifest)
            raise NotListed(
                said(
                    "connector %(name)s lists no products: %(why)s", name=self._manifest.id, why=why
                )
            )
        place = Place() if cursor is None else place_of(cursor)
        context = self._calls.context()
        # A row that cannot be read has no id to be known again by.
        try:
            raw = self._calls.page_of(
                spec, PLACE, "catalogue", context, place, lambda row: _id_of(spec, row)
            )
        except Permanent as error:
            # The manifest calls this answer the system's word.
            if error.reason == "skipped":
                raise NotListed(
                    said("connector %(name)s lists no products here", name=self._manifest.id)
                ) from None
            raise
        items: list[CatalogueItem] = []
        unreadable, why = 0, ""
        for row in raw.items:
            try:
                items.append(read_item(spec, row))
            except Permanent as error:
                unreadable += 1
                why = why or error.message
        following = None if raw.place is None else place_text(raw.place)
        return CataloguePage(items, following, unreadable, why)


def _id_of(spec: CatalogueSpec, row: Any) -> str | None:
    try:
        return read_item(spec, row).id
    except Permanent:
        return None
