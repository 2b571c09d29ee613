"""Both catalogues of a site, read whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sync_worker.core.errors import Permanent
from sync_worker.core.pages_seen import TOO_LONG, PagesSeen
from sync_worker.core.ports.catalogue import Catalogue, NotListed
from sync_worker.core.said import said
from sync_worker.core.values import Side
from sync_worker.core.values.catalogue import CatalogueItem
from sync_worker.files.proposals import EntityProposal, propose_entities

MAX_ITEMS = 100_000  # of one side; what more would take is a matter of files


@dataclass(frozen=True, slots=True)
class Catalogues:
    """What both sides list; ``unreadable``: rows without an id, by side."""

    wix: list[CatalogueItem]
    external: list[CatalogueItem]
    unreadable: Mapping[Side, int]

    def proposal(self) -> EntityProposal:
        """Pairs by id, SKU and name, and what has no certain twin."""
        return propose_entities(self.wix, self.external)


def read_both(catalogues: Mapping[Side, Catalogue]) -> Catalogues:
    """Both sides whole. Raises what ``refuse_unlisted`` and the remotes raise."""
    refuse_unlisted(catalogues)
    unreadable: dict[Side, int] = {}
    found: dict[Side, list[CatalogueItem]] = {}
    for side, catalogue in catalogues.items():
        found[side], unreadable[side] = read_whole(catalogue)
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
    """All items, each once, and how many rows had no id.

    Raises Permanent for a catalogue that goes on for ever, with the key that pages it.
    """
    # The same thing on two pages is one: rows move while they are read.
    items: dict[tuple[str, str], CatalogueItem] = {}
    unreadable, cursor = 0, None
    seen = PagesSeen(catalogue.place)
    while True:
        page = catalogue.page(cursor)
        items |= {(item.group, item.id): item for item in page.items}
        unreadable += page.unreadable
        if len(items) > MAX_ITEMS:
            raise Permanent(
                f"{catalogue.place}: more than {MAX_ITEMS} products; map them from files",
                reason=TOO_LONG,
            )
        if page.cursor is None:
            return _certain(list(items.values())), unreadable
        seen.add(item.id for item in page.items)
        cursor = page.cursor


def _certain(items: list[CatalogueItem]) -> list[CatalogueItem]:
    """An id that stands in two groups is certain in neither, where ids alone are compared."""
    counts: dict[str, int] = {}
    for item in items:
        counts[item.id] = counts.get(item.id, 0) + 1
    twice = "its id stands in several groups"
    return [replace(item, problem=item.problem or twice * (counts[item.id] > 1)) for item in items]
