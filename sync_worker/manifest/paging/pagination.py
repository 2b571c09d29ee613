"""How a listing goes on: from one answer to the place of the next page, one class a kind. Pure.

A listing that was cut must never look complete, as absence leads to deletes: repeats, endless pages
and pages that end before the announced total are errors.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sync_worker.core import exact_json
from sync_worker.core.errors import Permanent
from sync_worker.manifest.field_values import search
from sync_worker.manifest.paging.places import Place
from sync_worker.manifest.schema.calls import Pagination

LINK = re.compile(r"<([^<>]*)>([^<]*)")


@dataclass(frozen=True, slots=True)
class ListingAnswer:
    """One page as the system gave it.

    ``ids``: of its rows where they are known, as ``None`` where a row has none. ``where``: the
    section of the manifest that says how the listing goes on.
    """

    items: Sequence[Any]
    body: Any
    headers: Mapping[str, str]
    ids: Sequence[str | None] = ()
    where: str = "pagination"

    def advice(self, what: str, key: str) -> str:
        """Words for a listing that cannot be trusted; ``key``: what may be wrong."""
        return f"{what}; check {self.where}.{key} of the manifest"


class Pages(Protocol):
    """One kind of pagination."""

    def query(self, place: Place) -> dict[str, str]:
        """Query parameters of the page at a place, besides the size."""

    def following(self, place: Place, answer: ListingAnswer) -> Place | None:
        """Where to go on; ``None`` after the last page. ``place``: with this page counted.

        Raises Permanent.
        """


@dataclass(frozen=True, slots=True)
class NumberedPages:
    paging: Pagination

    def query(self, place: Place) -> dict[str, str]:
        return {self.paging.place_param: str(self.paging.start + place.pages)}

    def following(self, place: Place, answer: ListingAnswer) -> Place | None:
        total = self._total(answer)
        if total is not None:
            return place if place.pages < total else None
        # Without a total only an empty page is the end: a system may give fewer rows than asked
        # for.
        return place if answer.items else None

    def _total(self, answer: ListingAnswer) -> int | None:
        in_header = _number(answer.headers.get(self.paging.total_pages_header or ""))
        return in_header or _number(_at(self.paging.total_pages_path, answer.body))


@dataclass(frozen=True, slots=True)
class Offsets:
    paging: Pagination

    def query(self, place: Place) -> dict[str, str]:
        return {self.paging.place_param: str(place.rows)}

    def following(self, place: Place, answer: ListingAnswer) -> Place | None:
        total = _number(_at(self.paging.total_path, answer.body))
        # Without a total only an empty page is the end.
        if total is None:
            return place if answer.items else None
        if place.rows >= total:
            return None
        if not answer.items:
            words = answer.advice("the listing ends before its total", "total_path")
            raise Permanent(words, reason="listing_cut")
        return place


@dataclass(frozen=True, slots=True)
class Cursors:
    paging: Pagination

    def query(self, place: Place) -> dict[str, str]:
        return {self.paging.place_param: place.at} if place.at else {}

    def following(self, place: Place, answer: ListingAnswer) -> Place | None:
        return _gone_on(place, answer, _at(self.paging.next_path, answer.body), "next_path")


@dataclass(frozen=True, slots=True)
class NextLinks:
    paging: Pagination

    def query(self, place: Place) -> dict[str, str]:
        return {}  # a link has its own

    def following(self, place: Place, answer: ListingAnswer) -> Place | None:
        if self.paging.source == "header":
            return _gone_on(place, answer, _link_in(answer.headers), "source")
        return _gone_on(place, answer, _at(self.paging.path, answer.body), "path")


@dataclass(frozen=True, slots=True)
class SinglePage:
    paging: Pagination

    def query(self, place: Place) -> dict[str, str]:
        return {}

    def following(self, place: Place, answer: ListingAnswer) -> Place | None:
        return None


KINDS: Mapping[str, type[NumberedPages | Offsets | Cursors | NextLinks | SinglePage]] = {
    "page": NumberedPages,
    "offset": Offsets,
    "cursor": Cursors,
    "next_link": NextLinks,
    "none": SinglePage,
}


def pages_of(paging: Pagination) -> Pages:
    """The kind that a manifest declares."""
    return KINDS[paging.kind](paging)


def page_context(paging: Pagination, place: Place) -> dict[str, Any]:
    """The root ``page`` for trees: systems that take the place in a body."""
    return {
        "number": paging.start + place.pages,
        "offset": place.rows,
        "cursor": place.at or None,
        "size": paging.size,
    }


def page_query(paging: Pagination, place: Place) -> dict[str, str]:
    """Query parameters of the page at a place; a next link has its own."""
    if paging.kind == "next_link" and place.at:
        return {}
    size = {paging.page_size_param: str(paging.size)} if paging.page_size_param else {}
    return {**size, **pages_of(paging).query(place)}


def next_place(paging: Pagination, place: Place, answer: ListingAnswer) -> Place | None:
    """Where the listing goes on, ``None`` if this was its last page. Raises Permanent."""
    digest = _digest(answer)
    there = replace(
        place,
        pages=place.pages + 1,
        rows=place.rows + len(answer.items),
        last=digest,
        first=place.first or digest,
    )
    # A system that does not know the parameter gives its first page again and again.
    if paging.stop_on_repeat and answer.items and digest in (place.last, place.first):
        what = (
            f"page {there.pages} shows the rows of an earlier one again, as if the system ignored"
            f" {_asked_by(paging)}"
        )
        raise Permanent(answer.advice(what, _key_of_place(paging)), reason="paging_repeats")
    following = pages_of(paging).following(there, answer)
    if following is not None and following.pages >= paging.max_pages:
        what = f"the listing has more than {paging.max_pages} pages"
        raise Permanent(answer.advice(what, "max_pages"), reason="paging_too_long")
    return following


def _asked_by(paging: Pagination) -> str:
    return "its own link" if paging.kind == "next_link" else f"the parameter {paging.place_param}"


def _key_of_place(paging: Pagination) -> str:
    """What says in the manifest how a page is asked for."""
    return {"cursor": "next_path", "next_link": "source"}.get(paging.kind, "param")


def _digest(answer: ListingAnswer) -> str:
    """Names the rows of a page: by their ids, as other parts may change with each answer."""
    rows = list(answer.items)
    named: Any = sorted(str(row_id) for row_id in answer.ids)
    if len(named) != len(rows) or None in answer.ids:
        named = rows
    text = exact_json.dumps(named).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:16]


def _gone_on(place: Place, answer: ListingAnswer, found: Any, key: str) -> Place | None:
    """At the cursor or link that an answer names; without one it was the last page."""
    if found in (None, "", False):
        return None
    if str(found) == place.at:
        words = answer.advice("the listing repeats a cursor", key)
        raise Permanent(words, reason="paging_repeats")
    return replace(place, at=str(found))


def _at(path: Any, body: Any) -> Any:
    return None if path is None else search(path, body)


def _number(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _link_in(headers: Mapping[str, str]) -> str | None:
    """The target of ``rel="next"`` in a Link header (RFC 8288)."""
    found = LINK.findall(headers.get("Link", ""))
    return next((target for target, parameters in found if _is_next(parameters)), None)


def _is_next(parameters: str) -> bool:
    """Whether `next` is among the relations: ``; rel="prev next"; title="…"``."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "rel" and "next" in value.strip(' ,\t"').lower().split():
            return True
    return False
