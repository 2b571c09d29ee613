"""Words that a manifest inherits and leaves out, as by ``fields: {title: null}``. Pure.

Such manifests are older than ``text.sync``: what they do not read, they keep in step no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def without_left_out(inherited: Mapping[str, Any], own: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is inherited, without the words whose field ``own`` sets to nothing."""
    text = inherited.get("text")
    left_out = _left_out(own.get("fields"))
    if not left_out or not isinstance(text, Mapping):
        return inherited
    limits = {f"{name}_max_length" for name in left_out}
    kept = {key: _without(left_out, value) for key, value in text.items() if key not in limits}
    return {**inherited, "text": kept}


def _left_out(fields: Any) -> set[str]:
    if not isinstance(fields, Mapping):
        return set()
    return {str(name) for name, field in fields.items() if _is_unread(field)}


def _is_unread(field: Any) -> bool:
    """Nothing, or something that stands there instead of a path."""
    return field is None or (isinstance(field, Mapping) and field.get("path", "") is None)


def _without(left_out: Iterable[str], value: Any) -> Any:
    return [name for name in value if name not in left_out] if isinstance(value, list) else value
