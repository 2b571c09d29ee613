"""Where a listing goes on, as a text that any process can go on with. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sync_worker.core import exact_json
from sync_worker.core.errors import Permanent


@dataclass(frozen=True, slots=True)
class Place:
    """Where the next page begins."""

    pages: int = 0
    """Pages so far."""
    rows: int = 0
    """Rows so far."""
    at: str = ""
    """The cursor, or the link."""
    last: str = ""
    """A digest of the page before."""
    first: str = ""
    """A digest of the first page."""


@dataclass(frozen=True, slots=True)
class ParentPlace:
    """Where a listing parent by parent goes on."""

    left: tuple[str, ...] = ()
    """Parents left of this page of parents."""
    child: Place | None = None
    """Where in the first of them."""
    parents: Place | None = None
    """The next page of parents."""


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
    child, parents = _place_or_none(document, "child"), _place_or_none(document, "parents")
    return ParentPlace(tuple(str(parent_id) for parent_id in left), child, parents)


def _place_or_none(document: Mapping[str, Any], name: str) -> Place | None:
    found = document.get(name)
    return _place(found) if found else None


def _document(cursor: str) -> Mapping[str, Any]:
    try:
        document = exact_json.loads_own(cursor)
    except (ValueError, RecursionError):
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
            str(document.get("first", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _no_cursor() from None


def _no_cursor() -> Permanent:
    return Permanent("this is no cursor of a listing", reason="bad_cursor")
