"""What the manifests of all accounts of a connector have in common, kept once. Pure.

A fleet has thousands of accounts of few connectors: nearly all of a manifest names no setting, and
is the same object in each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from sync_worker.manifest.source.resolving import UNRESOLVED, Shared, is_reference


def shared_parts(document: Mapping[str, Any], parsed: BaseModel) -> dict[str, Any]:
    """A manifest's document, in which parts without a reference are those of ``parsed``."""
    found = _section(document, parsed)
    # Data, whatever stands in it.
    for name in UNRESOLVED & set(document):
        found[name] = Shared(getattr(parsed, name))
    return found


def _section(part: Mapping[str, Any], parsed: BaseModel) -> dict[str, Any]:
    attributes = {field.alias or name: name for name, field in type(parsed).model_fields.items()}
    return {
        key: _part(value, getattr(parsed, attributes.get(key, key), None))
        for key, value in part.items()
    }


def _part(part: Any, parsed: Any) -> Any:
    if not _names_something(part):
        return Shared(parsed)
    if is_reference(part):
        return part
    match part, parsed:
        case Mapping(), BaseModel():
            return _section(part, parsed)
        case list(), tuple() if len(part) == len(parsed):
            return [_part(item, one) for item, one in zip(part, parsed, strict=True)]
        case _:
            return part


def _names_something(part: Any) -> bool:
    """Whether a reference stands anywhere in it."""
    if is_reference(part):
        return True
    if isinstance(part, Mapping):
        return any(map(_names_something, part.values()))
    return isinstance(part, list) and any(map(_names_something, part))
