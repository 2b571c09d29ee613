"""Whether what a manifest asks for holds, in a body or in a header. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync_worker.core.errors import Permanent
from sync_worker.manifest.field_values import search
from sync_worker.manifest.schema.calls import Condition
from sync_worker.manifest.schema.webhook import EventRule


def holds(condition: Condition, body: Any, headers: Mapping[str, str]) -> bool:
    """Whether a condition holds. ``headers``: found by names in any case, or in small letters."""
    wanted = condition.equals
    if condition.header is not None:
        found = headers.get(condition.header.lower())
        return found is not None and found.strip() == _as_header(wanted)
    if condition.path is None:
        return False
    try:
        found = search(condition.path, body)
    except Permanent:
        # A function of the path meets what it cannot take: not what the condition is about.
        return False
    # To Python true is the number 1.
    return bool(found == wanted) and isinstance(found, bool) == isinstance(wanted, bool)


def applies(rule: EventRule, item: Any, headers: Mapping[str, str]) -> bool:
    """Whether ``when`` of an event's rule is so. Raises Permanent."""
    if isinstance(rule.when, Condition):
        return holds(rule.when, item, headers)
    return rule.when is None or bool(search(rule.when, item))


def _as_header(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
