"""The first page of a live catalogue: whether its rows are products that can be paired."""

from __future__ import annotations

from collections.abc import Iterator

from sync_worker.core.errors import SyncError
from sync_worker.core.outside_words import for_people
from sync_worker.core.ports.catalogue import Catalogue, CataloguePage, NotListed
from sync_worker.core.values.catalogue import CatalogueItem
from sync_worker.doctor.live.advice import in_words, place_after
from sync_worker.doctor.live.system import LiveSystem
from sync_worker.doctor.measured import Measured
from sync_worker.manifest.check import Finding
from sync_worker.remotes.external.catalogue import why_none

LISTS = "it lists its products"
CATALOGUE, PLACE = "live: a product of the catalogue", "operations.catalogue"


def check_catalogue(system: LiveSystem) -> Iterator[Finding]:
    """Where the manifest declares one: its first row in our words, and that it goes on."""
    if why_none(system.manifest):
        return
    try:
        page = first_pages(system.catalogue)
    except SyncError as error:
        if isinstance(error, NotListed):
            yield Finding(CATALOGUE, advice=f"it lists none: {error.message}")
            return
        words = in_words(error, "catalogue")
        yield Finding(CATALOGUE, words, place=place_after(error, "catalogue"))
        return
    yield _first(page)


def measure_catalogue(catalogue: Catalogue) -> Iterator[Measured]:
    """The same beside what the manifest declares."""
    if catalogue.none:
        yield Measured(LISTS, "no", "no")
        return
    try:
        page = first_pages(catalogue)
    except SyncError as error:
        place = place_after(error, "catalogue")
        yield Measured(
            LISTS, "yes", f"no: {error.message}", not isinstance(error, NotListed), place
        )
        return
    if page.items or not page.unreadable:
        yield Measured(LISTS, "yes", "yes")
        return
    yield Measured(LISTS, "yes", f"no: {page.why_unreadable}", key=f"{PLACE}.id")


def first_pages(catalogue: Catalogue) -> CataloguePage:
    """The first page, after a look at the second: one that shows the first again is an error."""
    page = catalogue.page(None)
    if page.cursor is not None:
        catalogue.page(page.cursor)
    return page


def _first(page: CataloguePage) -> Finding:
    if page.items:
        advice = page.why_unreadable and f"{page.unreadable} cannot be read: {page.why_unreadable}"
        return Finding(f"{CATALOGUE}: {_in_our_words(page.items[0])}", "", advice, PLACE)
    if page.unreadable:
        return Finding(CATALOGUE, page.why_unreadable, place=f"{PLACE}.id")
    return Finding(CATALOGUE, advice="there is none yet; add one there and check again")


def _in_our_words(item: CatalogueItem) -> str:
    parts = [f"id {item.id}", f"SKU {item.sku}" if item.sku else "no SKU", item.name or "no name"]
    if item.problem:
        parts.append(item.problem)
    return for_people(", ".join(parts))
