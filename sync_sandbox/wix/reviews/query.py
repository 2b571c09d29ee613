"""Which filters and sorts a query of reviews may have, and what it finds.

https://dev.wix.com/docs/api-reference/crm/community/feedback-moderation/reviews/reviews/sort-and-filter
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sync_sandbox.wix.filters import OPERATORS
from sync_sandbox.wix.refusal import Refusal

_NAMES, _RANGES = {"$eq", "$ne", "$in"}, {"$eq", "$ne", "$in", "$lt", "$lte", "$gt", "$gte"}
FILTERS = {
    "id": _NAMES,
    "namespace": _NAMES,
    "entityId": _NAMES,
    "author.contactId": _NAMES,
    "moderation.moderationStatus": _NAMES,
    "content.rating": _RANGES,
    "createdDate": _RANGES,
    "helpfulness": _RANGES,
    "relevanceScore": _RANGES,
    "verified": {"$eq", "$ne"},
    "origin.type": {"$eq", "$ne"},
    "content.media": {"$isEmpty"},
}
SORTS = {
    "content.rating",
    "createdDate",
    "helpfulness",
    "relevanceScore",
    "verified",
    "origin.type",
}
QUERY = {"filter", "sort", "cursorPaging"}
MAX_LIMIT, USUAL_LIMIT = 100, 50

Test = tuple[str, str, Any]
"""Field, operator, and what it is compared with."""


def check_query(query: Mapping[str, Any]) -> int:
    """The page's size. Raises Refusal for what Query Reviews does not know."""
    for name in query:
        if name not in QUERY:
            raise Refusal(400, f"query.{name}", "unknown field")
    paging = query.get("cursorPaging") or {}
    limit = paging.get("limit", USUAL_LIMIT)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        raise Refusal(400, "query.cursorPaging.limit", f"must be between 1 and {MAX_LIMIT}")
    if paging.get("cursor") is not None and (query.get("filter") or query.get("sort")):
        raise Refusal(400, "query.cursorPaging.cursor", "goes without filter and sort")
    return limit


def conditions(where: Any, *, can_ask_for_contacts: bool) -> list[Test]:
    """A filter, flat: all of it must be so. Raises Refusal."""
    if not isinstance(where, Mapping):
        raise Refusal(400, "query.filter", "must be an object")
    tests = list(_flat(where))
    for name, operator, value in tests:
        if name not in FILTERS or operator not in FILTERS[name]:
            raise Refusal(400, f"query.filter.{name}", f"cannot be filtered by with {operator}")
        if name == "author.contactId" and not can_ask_for_contacts:
            raise Refusal(400, f"query.filter.{name}", "cannot be filtered by")
        if operator == "$in" and not isinstance(value, list):
            raise Refusal(400, f"query.filter.{name}", "$in needs a list")
    return tests


def _flat(where: Mapping[str, Any]) -> Iterator[Test]:
    for name, condition in where.items():
        if name == "$and":
            for part in condition:
                yield from _flat(part)
        elif isinstance(condition, Mapping):
            yield from ((name, operator, value) for operator, value in condition.items())
        else:
            yield name, "$eq", condition


def matches(review: Mapping[str, Any], tests: Iterable[Test]) -> bool:
    """Raises Refusal for a value of another kind than the field's."""
    return all(_is_so(_at(review, name), operator, value) for name, operator, value in tests)


def _is_so(found: Any, operator: str, wanted: Any) -> bool:
    if operator == "$isEmpty":
        return (not found) is wanted
    try:
        return OPERATORS[operator](_comparable(found), _comparable(wanted))
    except TypeError:
        raise Refusal(400, "query.filter", f"{wanted!r} is no value to compare with") from None


def _comparable(value: Any) -> Any:
    """A time as a time, since its text may have any number of digits."""
    if isinstance(value, list):
        return [_comparable(one) for one in value]
    if isinstance(value, str) and value[4:5] == "-" and "T" in value:
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return value
    return value


def entities_of(tests: Iterable[Test]) -> set[str] | None:
    """The products that a filter names, ``None`` if it names none."""
    for name, operator, value in tests:
        if name == "entityId" and operator in ("$eq", "$in"):
            return set(value) if operator == "$in" else {value}
    return None


def in_order(
    reviews: Iterable[dict[str, Any]], sort: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Oldest first unless told otherwise. Raises Refusal."""
    found = sorted(reviews, key=lambda review: (review["createdDate"], review["id"]))
    for one in reversed(sort):
        name, order = one.get("fieldName"), one.get("order", "ASC")
        if name not in SORTS or order not in ("ASC", "DESC"):
            raise Refusal(400, f"query.sort.{name}", "cannot be sorted by")
        found.sort(key=lambda review: _at(review, str(name)) or 0, reverse=order == "DESC")
    return found


def _at(review: Mapping[str, Any], path: str) -> Any:
    value: Any = review
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
