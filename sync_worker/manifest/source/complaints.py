"""What is wrong with a manifest's shape, in words for its author: the place, what stood there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from sync_worker.core.nearest import nearest
from sync_worker.manifest.manifest import Manifest

UNION_PARTS = frozenset({"OperationSpec", "Hook", "tuple", "DeliveryResult", "RecordResult"})
TYPES = frozenset(
    {"none", "basic", "bearer", "headers", "query", "oauth2_client_credentials", "hmac_request"}
    | {"hmac", "standard_webhooks", "jwt", "static_header", "url_token"}
)
MAX_HOMES = 3  # sections that are named for a key that belongs elsewhere
MAX_DEPTH = 6  # of sections inside sections


def complaint(error: ValidationError) -> tuple[tuple[str, ...], str]:
    """The place of the problem that explains most, and its words."""
    problems = error.errors(include_url=False)
    problem = problems[0]
    if (
        problem["type"] == "missing"
    ):  # perhaps only misspelt: then the unknown key beside it says more
        beside = (
            one
            for one in problems
            if one["type"] == "extra_forbidden" and one["loc"][:-1] == problem["loc"][:-1]
        )
        problem = next(beside, problem)
    parts = [str(part) for part in problem["loc"]]
    place = tuple(
        part for before, part in zip(["", *parts], parts, strict=False) if _is_written(part, before)
    )
    if problem["type"] == "extra_forbidden":
        return place, f"unknown key {'.'.join(place)!r}{_advice_for(parts)}"
    message = (
        _misread(problem["type"], problem["input"])
        or _reworded(problem["type"], problem.get("ctx", {}))
        or problem["msg"].removeprefix("Value error, ")
    )
    return place, f"{'.'.join(place)}: {message}" if place else message


def _misread(kind: str, found: Any) -> str:
    """Words for a text that YAML 1.1 takes for a number, a date, or one of its own words."""
    if kind != "string_type" or not isinstance(found, bool | int | float | date | None):
        return ""
    shown = "empty" if found is None else str(found)
    return f"is a text, and YAML reads this as {shown}; put it in quotes: '…'"


def _reworded(kind: str, facts: Mapping[str, Any]) -> str:
    """What pydantic says, in words for whoever writes a manifest.

    Empty where pydantic's own words will do.
    """
    match kind:
        case "missing":
            return "is missing"
        case "literal_error":
            return f"is one of {facts['expected']}"
        case "string_pattern_mismatch" if str(facts["pattern"]).startswith("^https?://"):
            return (
                "is not in its form: an address such as https://shop.example.org/path, without a"
                " user or password before the host, and without ? or #"
            )
        case "string_pattern_mismatch":
            return f"is not in its form, {facts['pattern']}; see docs/connectors.md"
        case "union_tag_invalid":
            return (
                f"{facts['discriminator'].strip(chr(39))}: {facts['tag']!r} is none of"
                f" {facts['expected_tags']}"
            )
        case "union_tag_not_found":
            return f"needs {facts['discriminator'].strip(chr(39))}"
        case "tuple_type":
            return "is a list: [ … ]"
        case "model_type" | "model_attributes_type" | "mapping_type" | "dict_type":
            return "is a section with keys of its own"
        case _:
            return ""


def _is_written(part: str, before: str) -> bool:
    """Whether a part of a place is in the manifest.

    Pydantic also names the branch of a union that it tried.
    """
    is_type = (before == "auth" or before.isdigit()) and part in TYPES
    return not is_type and "[" not in part and part not in UNION_PARTS


# -- unknown keys


def _advice_for(parts: Sequence[str]) -> str:
    """What may have been meant by an unknown key, else where it belongs, else what is known."""
    *section, key = parts
    known = sorted({name for model in _models_at(section) for name in _keys_of(model)})
    meant = nearest(key, known)
    if meant is not None:
        return f"; did you mean {meant!r}?"
    homes = list(dict.fromkeys(_homes(Manifest, key)))
    if homes:
        more = ", …" if len(homes) > MAX_HOMES else ""
        return f"; it belongs to another section: {', '.join(homes[:MAX_HOMES])}{more}"
    return f"; known here: {', '.join(known)}" if known else "; see docs/connectors.md for the keys"


def _models_at(section: Sequence[str]) -> list[type[BaseModel]]:
    """The shapes that a section may have."""
    models: list[type[BaseModel]] = [Manifest]
    for part in section:
        chosen = [model for model in models if part in (model.__name__, _type_of(model))]
        inner = [sub for model in models for sub in _inside(model, part)]
        # An item of a list, or a name of the author's own, stays in its section.
        models = chosen or inner or models
    return models


def _inside(model: type[BaseModel], part: str) -> list[type[BaseModel]]:
    for name, field in model.model_fields.items():
        if part == (field.alias or name):
            return list(_models_in(field.annotation))
    return []


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for part in get_args(annotation):
        yield from _models_in(part)


def _type_of(model: type[BaseModel]) -> str:
    """The word under ``type`` that chooses this shape."""
    field = model.model_fields.get("type")
    return next(iter(get_args(field.annotation)), "") if field is not None else ""


def _keys_of(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _homes(model: type[BaseModel], key: str, *place: str) -> Iterator[str]:
    """The sections in which a key is known."""
    if len(place) > MAX_DEPTH:
        return
    if key in _keys_of(model):
        yield ".".join(place) or "the head of the file"
    for name, field in model.model_fields.items():
        for sub in _models_in(field.annotation):
            yield from _homes(sub, key, *place, field.alias or name)
