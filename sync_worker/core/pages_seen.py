"""Ends a listing that does not go on. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from sync_worker.core.errors import Permanent

TOO_LONG = "paging_too_long"
MAX_PAGES = 1_000


class PagesSeen:
    """The pages of one listing so far.

    ``what``: the listing, and what of it may be wrong.
    """

    def __init__(self, what: str, max_pages: int = MAX_PAGES) -> None:
        self._what, self._max_pages = what, max_pages
        self._pages, self._ids = 0, set[str]()

    def add(self, ids: Iterable[str]) -> None:
        """One page more, which is not the last. Raises Permanent where it shows nothing new."""
        shown = set(ids)
        self._pages += 1
        if shown and shown <= self._ids:
            raise shows_nothing_new(self._what)
        if self._pages >= self._max_pages:
            raise Permanent(
                f"{self._what}: more than {self._max_pages} pages", reason="paging_too_long"
            )
        self._ids |= shown


def shows_nothing_new(what: str) -> Permanent:
    """The error of a listing that gives a page again under another cursor."""
    return Permanent(f"{what}: a page shows only rows of earlier ones", reason="paging_repeats")
