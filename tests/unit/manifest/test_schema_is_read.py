"""No key of a manifest is decoration: each is read by code that acts on it, or has only one
value.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

import sync_worker
from sync_worker.manifest.manifest import Manifest

ROOT = Path(sync_worker.__file__).parents[1]
MANIFEST = ROOT / "sync_worker" / "manifest"
SHAPES = {MANIFEST / "manifest.py", *(MANIFEST / "schema").glob("*.py")}
FOR_PEOPLE = {"Manifest.title"}


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation) if get_origin(annotation) is not Literal else ():
        yield from models_in(part)


def every_key() -> dict[str, Any]:
    """``Section.key`` → its annotation, for the whole manifest."""
    found: dict[str, Any] = {}
    waiting: list[type[BaseModel]] = [Manifest]
    while waiting:
        model = waiting.pop()
        for name, field in model.model_fields.items():
            place = f"{model.__name__}.{name}"
            if place not in found:
                found[place] = field.annotation
                waiting += models_in(field.annotation)
    return found


def has_one_value(annotation: Any) -> bool:
    """Such as ``version: 1``: there is nothing to act on."""
    origin, parts = (
        get_origin(annotation),
        [one for one in get_args(annotation) if one not in (type(None), ...)],
    )
    if origin is Literal:
        return len(parts) == 1
    return (
        origin in (Union, UnionType, Annotated, tuple)
        and len(parts) == 1
        and has_one_value(parts[0])
    )


def words_of(node: ast.AST) -> set[str]:
    """Attributes read or matched, and texts that may name one for ``getattr``."""
    found: set[str] = set()
    for one in ast.walk(node):
        match one:
            case ast.Attribute(attr=name, ctx=ast.Load()) | ast.Constant(value=str(name)):
                found.add(name)
            case ast.MatchClass(kwd_attrs=names):
                found.update(names)
            case _:
                pass
    return found


@cache
def words_read() -> frozenset[str]:
    """By code that knows manifests, and by those properties of the shapes that such code reads."""
    outside: set[str] = set()
    inside: dict[str, set[str]] = {}
    for folder in ("sync_worker", "webhook_gateway"):
        for file in (ROOT / folder).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            if file in SHAPES:
                for node in ast.walk(ast.parse(text)):
                    if isinstance(node, ast.FunctionDef) and not is_validator(node):
                        inside.setdefault(node.name, set()).update(words_of(node))
            elif "manifest.manifest import" in text or "manifest.schema" in text:
                outside |= words_of(ast.parse(text))
    return frozenset(grown(outside, inside))


def is_validator(node: ast.FunctionDef) -> bool:
    return any("validator" in ast.unparse(one) for one in node.decorator_list)


def grown(words: set[str], inside: Mapping[str, set[str]]) -> set[str]:
    while more := {word for name in words & inside.keys() for word in inside[name]} - words:
        words = words | more
    return words


KEYS = {place: annotation for place, annotation in every_key().items() if place not in FOR_PEOPLE}


def test_the_walk_reaches_the_depths_of_the_schema() -> None:
    assert {
        "CreateAsync.fail_event",
        "Backoff.after_unit",
        "HmacPairs.signature",
        "HookList.enabled",
    } <= KEYS.keys()


@pytest.mark.parametrize("place", sorted(KEYS))
def test_key_is_read_by_code_that_acts_on_it(place: str) -> None:
    name = place.rpartition(".")[2]
    assert has_one_value(KEYS[place]) or name in words_read(), (
        f"nobody reads {place}: carry it out, or take it away"
    )
