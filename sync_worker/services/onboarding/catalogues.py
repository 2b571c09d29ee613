"""Both catalogues of a site, read whole, in one look or in several."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from sync_worker.core.errors import Permanent, Transient
from sync_worker.core.pages_seen import TOO_LONG, PagesSeen
from sync_worker.core.ports.catalogue import Catalogue, CataloguePage, NotListed
from sync_worker.core.said import said
from sync_worker.core.values import Side
from sync_worker.core.values.catalogue import CatalogueItem, CataloguePart
from sync_worker.files.proposals import EntityProposal, propose_entities

MAX_ITEMS = 100_000  # of one side; what more would take is a matter of files
Keep = Callable[[Side, CataloguePart], None]


@dataclass(frozen=True, slots=True)
class Catalogues:
    """What both sides list; ``unreadable``: rows without an id, by side."""

    wix: list[CatalogueItem]
    external: list[CatalogueItem]
    unreadable: Mapping[Side, int]

    def proposal(self) -> EntityProposal:
        """Pairs by id, SKU and name, and what has no certain twin."""
        return propose_entities(self.wix, self.external)


def read_both(
    catalogues: Mapping[Side, Catalogue],
    before: Mapping[Side, CataloguePart] = MappingProxyType({}),
    keep: Keep = lambda side, part: None,
    pause: Callable[[], None] = lambda: None,
) -> Catalogues:
    """Both sides whole. Raises what ``refuse_unlisted`` and the remotes raise.

    ``before``: what an earlier look has read; ``keep``: is given what this one has read of a side
    that it could not end; ``pause``: called between two pages, and may raise.
    """
    refuse_unlisted(catalogues)
    readings = {
        side: Reading(catalogue, before.get(side)) for side, catalogue in catalogues.items()
    }
    try:
        for reading in readings.values():
            reading.read(pause)
    except Transient:
        for side, reading in readings.items():
            if reading.news is not None:
                keep(side, reading.news)
        raise
    unreadable = {side: reading.unreadable for side, reading in readings.items()}
    found = {side: reading.items for side, reading in readings.items()}
    return Catalogues(found[Side.WIX], found[Side.EXTERNAL], unreadable)


def refuse_unlisted(catalogues: Mapping[Side, Catalogue]) -> None:
    """Raises NotListed where a side lists no products, with what to do."""
    for side, catalogue in catalogues.items():
        if catalogue.none:
            raise NotListed(
                said(
                    "the %(side)s side lists no products (%(why)s); map them from files",
                    side=side,
                    why=catalogue.none,
                )
            )


def read_whole(catalogue: Catalogue) -> tuple[list[CatalogueItem], int]:
    """All items, each once, and how many rows had no id. Raises as ``Reading.read``."""
    reading = Reading(catalogue)
    reading.read()
    return reading.items, reading.unreadable


class Reading:
    """One side's catalogue, page by page, from where an earlier look has ended."""

    def __init__(self, catalogue: Catalogue, before: CataloguePart | None = None) -> None:
        self._catalogue, self._before = catalogue, before
        # The same thing on two pages is one: rows move while they are read.
        self._items: dict[tuple[str, str], CatalogueItem] = {}
        self._new: list[CatalogueItem] = []
        self._cursor: str | None = None
        self._is_whole = False
        self.unreadable = 0
        if before is not None:
            self._items = {(item.group, item.id): item for item in before.items}
            self._cursor, self._is_whole = before.cursor, before.cursor is None
            self.unreadable = before.unreadable

    @property
    def items(self) -> list[CatalogueItem]:
        """Those that were read, each once."""
        return _certain(list(self._items.values()))

    @property
    def news(self) -> CataloguePart | None:
        """What this look has read, of which no earlier one knows."""
        known = self._before.cursor if self._before is not None else None
        is_same = self._cursor == known and not self._new
        if is_same and (self._before is not None or not self._is_whole):
            return None
        unreadable = self.unreadable
        if self._before is not None:
            unreadable -= self._before.unreadable
        return CataloguePart(tuple(self._new), self._cursor, unreadable)

    def read(self, pause: Callable[[], None] = lambda: None) -> None:
        """Read on to the end.

        Raises Permanent for a catalogue that goes on for ever, with the key that pages it.
        """
        seen = PagesSeen(self._catalogue.place)
        while not self._is_whole:
            pause()
            page = self._catalogue.page(self._cursor)
            self._take(page)
            if len(self._items) > MAX_ITEMS:
                raise Permanent(
                    f"{self._catalogue.place}: more than {MAX_ITEMS} products; map them from files",
                    reason=TOO_LONG,
                )
            if page.cursor is not None:
                seen.add(item.id for item in page.items)

    def _take(self, page: CataloguePage) -> None:
        self._items |= {(item.group, item.id): item for item in page.items}
        self._new += page.items
        self.unreadable += page.unreadable
        self._cursor, self._is_whole = page.cursor, page.cursor is None


def _certain(items: list[CatalogueItem]) -> list[CatalogueItem]:
    """An id that stands in two groups is certain in neither, where ids alone are compared."""
    counts: dict[str, int] = {}
    for item in items:
        counts[item.id] = counts.get(item.id, 0) + 1
    twice = "its id stands in several groups"
    return [replace(item, problem=item.problem or twice * (counts[item.id] > 1)) for item in items]
