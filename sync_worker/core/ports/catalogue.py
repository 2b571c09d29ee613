"""What can be rated on one side, page by page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sync_worker.core.errors import Misconfigured
from sync_worker.core.values.catalogue import CatalogueItem


class NotListed(Misconfigured):
    """A side lists no products, by its own word: they are mapped from files, or by policy."""


@dataclass(frozen=True, slots=True)
class CataloguePage:
    """Part of a catalogue. ``cursor``: where it goes on; ``None``: this is the last page.

    ``unreadable``: rows that have no id where the manifest looks for it; ``why_unreadable``: of the
    first of them.
    """

    items: Sequence[CatalogueItem]
    cursor: str | None = None
    unreadable: int = 0
    why_unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """How one side's catalogue is read. ``place``: of the declaration that says how it is paged.

    ``page``: of a cursor, ``None`` begins; errors as for Remote. ``none``: why there is none to
    read, in words; empty where there is one.
    """

    page: Callable[[str | None], CataloguePage]
    place: str
    none: str = ""
