"""Typed trees: how a manifest says what a call carries.

There are no templates: values keep their types, texts their bytes.

A leaf ``{from: PATH, as: KIND, default: VALUE, max_length: N, values: MAP, required: true}`` is
filled from the context; everything else is literal. In URL paths ``{PATH}`` is filled and
percent-encoded, and may not be empty: ``DELETE /ratings/`` must not be possible.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from jmespath.exceptions import JMESPathError

from sync_worker.core.errors import Permanent
from sync_worker.core.nearest import nearest
from sync_worker.core.numbers import exact_number
from sync_worker.core.values.plain_text import with_entities
from sync_worker.manifest.schema.base import CompiledPath

ROOTS = frozenset({"rating", "entity", "contact", "key", "sync", "page", "conn"})
CREATE_ROOTS = ROOTS | {"author"}
HOOK_ROOTS = frozenset({"hook", "conn", "page"})
LEAF_KEYS = frozenset({"from", "as", "default", "max_length", "values", "required"})
KINDS = frozenset({"str", "int", "decimal", "bool", "html_text", "iso8601", "epoch_s", "epoch_ms"})
TREES = (Mapping, list, tuple)  # what has leaves; all else is literal
VARIABLE = re.compile(r"\{([^{}]*)\}")


@lru_cache(maxsize=1024)
def _path(text: str) -> CompiledPath:
    return CompiledPath(text)


def check_tree(node: Any, *, is_path: bool = False, roots: Set[str] = ROOTS) -> str:
    """What is wrong with a tree or a URL path, in words; empty if nothing is."""
    if is_path:
        problems = (_check_source(name, roots) for name in VARIABLE.findall(node or ""))
        return next(filter(None, problems), "")
    children: Iterable[Any] = ()
    if isinstance(node, Mapping):
        if "from" in node:
            return _check_leaf(node) or _check_source(node["from"], roots)
        children = node.values()
    elif isinstance(node, list | tuple):
        children = node
    problems = (check_tree(child, roots=roots) for child in children)
    return next(filter(None, problems), "")


def _check_leaf(node: Mapping[str, Any]) -> str:
    unknown = sorted(set(node) - LEAF_KEYS)
    if unknown:
        meant = nearest(str(unknown[0]), sorted(LEAF_KEYS))
        hint = f"; did you mean {meant!r}?" if meant else ""
        return f"a leaf knows {sorted(LEAF_KEYS)}, not {unknown}{hint}"
    if str(node.get("as", "str")) not in KINDS:
        return f"as: {node['as']!r} is none of {sorted(KINDS)}"
    if not isinstance(node.get("values", {}), Mapping):
        return "values: is a mapping of ours to the system's"
    limit = node.get("max_length", 1)
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        return f"max_length: {limit!r} is no number of characters"
    return ""


def _check_source(source: Any, roots: Set[str]) -> str:
    root = re.split(r"[.\[| ]", str(source), maxsplit=1)[0]
    if root not in roots:
        return f"{str(source)[:200]!r} starts with none of {sorted(roots)}"
    try:
        _path(str(source))
    except JMESPathError as error:
        return f"{str(source)[:200]!r} is no JMESPath: {str(error).splitlines()[0][:200]}"
    return ""


def filled(node: Any, context: Mapping[str, Any]) -> Any:
    """A tree with its leaves filled; leaves without a value are left out of mappings.

    Raises Permanent.
    """
    if isinstance(node, list | tuple):
        # In a list the place counts: a leaf without a value stays, as null.
        return [filled(child, context) for child in node]
    if not isinstance(node, Mapping):
        return node
    if "from" in node:
        return _leaf(node, context)
    found = {}
    for key, child in node.items():
        value = child
        # Most children are leaves.
        if isinstance(child, Mapping) and "from" in child:
            value = _leaf(child, context)
        elif isinstance(child, TREES):
            value = filled(child, context)
        if value is not None:
            found[key] = value
    return found


def _leaf(node: Mapping[str, Any], context: Mapping[str, Any]) -> Any:
    try:
        value = _path(node["from"]).search(context)
    except JMESPathError as error:
        raise _unreadable(node["from"], error) from None
    if value is None:
        value = node.get("default")
    if value in (None, "") and node.get("required"):
        raise Permanent(
            f"{node['from']} is not known, and the system wants it", reason="cannot_write"
        )
    if value is None:
        return None
    value = node.get("values", {}).get(str(value), value)
    if "as" in node:
        value = _converted(value, node["as"])
    limit = node.get("max_length")
    return value[:limit] if limit is not None and isinstance(value, str) else value


def _unreadable(source: str, error: JMESPathError) -> Permanent:
    return Permanent(f"{source!r} cannot be read: {type(error).__name__}", reason="cannot_write")


def _converted(value: Any, kind: str) -> Any:
    try:
        match kind:
            case "str":
                return str(value)
            case "int":
                number = value if isinstance(value, Decimal) else exact_number(str(value))
                # A value is never rounded on its way out.
                if number != number.to_integral_value():
                    raise ValueError
                return int(number)
            case "decimal":
                # Whole numbers go out as 4, not as 4.0.
                number = value if isinstance(value, Decimal) else exact_number(str(value))
                return int(number) if number == number.to_integral_value() else number
            case "bool":
                return bool(value)
            case "html_text":
                return with_entities(str(value))
            case "iso8601":
                return (
                    _moment(value)
                    .astimezone(UTC)
                    .isoformat(timespec="seconds")
                    .replace("+00:00", "Z")
                )
            case "epoch_s" | "epoch_ms":
                return int(_moment(value).timestamp() * (1000 if kind == "epoch_ms" else 1))
            case _:
                return value
    except (ValueError, OverflowError):
        raise Permanent(f"a value is no {kind}", reason="cannot_write") from None


def _moment(value: Any) -> datetime:
    """Raises ValueError."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def url_path(template: str, context: Mapping[str, Any]) -> str:
    """A URL path with its variables percent-encoded.

    Raises Permanent if one is empty or only dots.
    """

    def fill(variable: re.Match[str]) -> str:
        try:
            value = _path(variable.group(1)).search(context)
        except JMESPathError as error:
            raise _unreadable(variable.group(1), error) from None
        text = "" if value is None else str(value)
        # `/ratings/` and `/ratings/..` are other resources.
        if not text.strip(". "):
            raise Permanent(
                f"{variable.group(1)} is empty in the address {template}", reason="cannot_write"
            )
        return quote(text, safe="")

    return VARIABLE.sub(fill, template)


def query_of(tree: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, str]:
    """Query parameters as text; those without a value are left out."""
    return {name: _as_text(value) for name, value in filled(tree, context).items()}


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def merged_over(record: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """A full update: the record as last returned, with our fields over it.

    What we do not send stays as it was.
    """
    merged = dict(record)
    for key, value in body.items():
        old = merged.get(key)
        # Only mappings are merged. A list takes the place of the old list; see `keep_items`.
        merged[key] = (
            merged_over(old, value)
            if isinstance(old, Mapping) and isinstance(value, Mapping)
            else value
        )
    return merged
