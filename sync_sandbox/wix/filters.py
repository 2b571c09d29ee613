"""Which filters a query of ratings may have, and what they find."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sync_sandbox.wix.refusal import Refusal

FILTERS = {
    "id": {"$eq", "$ne", "$in"},
    "group": {"$eq", "$ne", "$in"},
    "entityId": {"$eq", "$ne", "$in"},
    "attributeId": {"$eq", "$ne", "$in"},
    "owner.contactId": {"$eq", "$ne", "$in"},
    "owner.memberId": {"$eq", "$ne", "$in"},
    "owner.anonymousVisitorId": {"$eq", "$ne", "$in"},
    "value": {"$eq", "$ne", "$in", "$lt", "$lte", "$gt", "$gte"},
    "createdDate": {"$eq", "$ne", "$in", "$lt", "$lte", "$gt", "$gte"},
}
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": lambda one, other: bool(one == other),
    "$ne": lambda one, other: bool(one != other),
    "$in": lambda one, others: one in others,
    "$lt": lambda one, other: bool(one < other),
    "$lte": lambda one, other: bool(one <= other),
    "$gt": lambda one, other: bool(one > other),
    "$gte": lambda one, other: bool(one >= other),
}


def check_filter(where: Mapping[str, Any]) -> None:
    for name, condition in where.items():
        operators = set(condition) if isinstance(condition, Mapping) else {"$eq"}
        if name not in FILTERS or not operators <= FILTERS[name]:
            raise Refusal(
                400, f"query.filter.{name}", "this field or operator cannot be filtered by"
            )


def matches(rating: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    for name, condition in where.items():
        value: Any = rating
        for part in name.replace("attributeId", "attributeName").split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        tests = condition if isinstance(condition, Mapping) else {"$eq": condition}
        if not all(OPERATORS[operator](value, wanted) for operator, wanted in tests.items()):
            return False
    return True
