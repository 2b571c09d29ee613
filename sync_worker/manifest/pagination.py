"""How a listing goes on: from one answer to the place of the next page, as a text that any process
can go on with.

A listing that was cut must never look complete, as absence leads to deletes: repeats, endless pages
and pages that end before the announced total are errors. Pure.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sync_worker.core import exact_json
from sync_worker.core.errors import Permanent
from sync_worker.manifest.record_reader import search
from sync_worker.manifest.schema.calls import Pagination

LINK = re.compile(r"<([^<>]*)>([^<]*)")
NEXT = re.compile(r"""\brel\s*=\s*"?(?:[^";]*\s)?next\b""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the next page begins: pages and rows so far, the cursor or link ``at``, a digest of the
    last page.
    """

    pages: int = 0
    rows: int = 0
    at: str = ""
    last: str = ""


@dataclass(frozen=True, slots=True)
class ParentPlace:
    """A listing parent by parent: those left of this page of parents, where in the first of them,
    and the next page.
    """

    left: tuple[str, ...] = ()
    child: Place | None = None
    parents: Place | None = None


def place_text(place: Place | ParentPlace) -> str:
    """A place as a cursor."""
    return exact_json.dumps(asdict(place))


def place_of(cursor: str) -> Place:
    """Raises Permanent for a text that ``place_text`` did not make."""
    return _place(_document(cursor))


def parent_place_of(cursor: str) -> ParentPlace:
    """Raises Permanent for a text that ``place_text`` did not make."""
    document = _document(cursor)
    left = document.get("left")
    if not isinstance(left, list):
        raise _no_cursor()
    child, parents = document.get("child"), document.get("parents")
    return ParentPlace(
        tuple(str(one) for one in left),
        _place(child) if child else None,
        _place(parents) if parents else None,
    )


def _document(cursor: str) -> Mapping[str, Any]:
    try:
        document = exact_json.loads(cursor)
    except ValueError:
        raise _no_cursor() from None
    if not isinstance(document, dict):
        raise _no_cursor()
    return document


def _place(document: Any) -> Place:
    try:
        return Place(
            int(document["pages"]),
            int(document["rows"]),
            str(document.get("at", "")),
            str(document.get("last", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _no_cursor() from None


def _no_cursor() -> Permanent:
    return Permanent("this is no cursor of a listing", reason="bad_cursor")


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
    size = {paging.page_size_param: str(paging.size)} if paging.page_size_param else {}
    match paging.kind:
        case "page":
            return {**size, paging.place_param: str(paging.start + place.pages)}
        case "offset":
            return {**size, paging.place_param: str(place.rows)}
        case "cursor":
            return {**size, paging.place_param: place.at} if place.at else size
        case "next_link":
            return {} if place.at else size
        case "none":
            return size if paging.size_param else {}


def next_place(
    paging: Pagination, place: Place, items: Sequence[Any], body: Any, headers: Mapping[str, str]
) -> Place | None:
    """Where the listing goes on, ``None`` if this was its last page. Raises Permanent."""
    there = replace(place, pages=place.pages + 1, rows=place.rows + len(items), last=_digest(items))
    if paging.stop_on_repeat and items and there.last == place.last:
        raise Permanent(
            "a page repeats the one before: the listing cannot be trusted", reason="paging_repeats"
        )
    following = _following(paging, there, items, body, headers)
    if following is not None and following.pages >= paging.max_pages:
        raise Permanent(
            f"the listing has more than {paging.max_pages} pages", reason="paging_too_long"
        )
    return following


def _digest(items: Sequence[Any]) -> str:
    return hashlib.sha256(exact_json.dumps(items).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _following(
    paging: Pagination, there: Place, items: Sequence[Any], body: Any, headers: Mapping[str, str]
) -> Place | None:
    match paging.kind:
        case "page":
            total = _number(headers.get(paging.total_pages_header or "")) or _number(
                _at(paging.total_pages_path, body)
            )
            # Without a total only an empty page is the end: a system may give fewer rows than were
            # asked for.
            return there if (there.pages < total if total is not None else bool(items)) else None
        case "offset":
            total = _number(_at(paging.total_path, body))
            if total is not None and there.rows < total and not items:
                raise Permanent("the listing ends before its total", reason="listing_cut")
            return there if (there.rows < total if total is not None else bool(items)) else None
        case "cursor" | "next_link":
            if paging.kind == "cursor":
                found = _at(paging.next_path, body)
            else:
                found = _link(headers) if paging.source == "header" else _at(paging.path, body)
            if found in (None, "", False):
                return None
            if str(found) == there.at:
                raise Permanent("the listing repeats a cursor", reason="paging_repeats")
            return replace(there, at=str(found))
        case "none":
            return None


def _at(path: Any, body: Any) -> Any:
    return None if path is None else search(path, body)


def _number(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _link(headers: Mapping[str, str]) -> str | None:
    """The target of ``rel="next"`` in a Link header (RFC 8288)."""
    found = LINK.findall(headers.get("Link", ""))
    return next((target for target, parameters in found if NEXT.search(parameters)), None)
