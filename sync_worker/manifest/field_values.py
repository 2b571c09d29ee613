"""Values of a system's JSON: found by path, then in the type and unit that we keep. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import jmespath
from jmespath.exceptions import JMESPathError

from sync_worker.core.errors import Permanent
from sync_worker.core.numbers import BadNumber, exact_number
from sync_worker.core.values import Operation
from sync_worker.core.values.plain_text import plain_text
from sync_worker.manifest.schema.base import CompiledPath
from sync_worker.manifest.schema.record import FieldPath, Fields, KeyPart, ScaleSection
from sync_worker.manifest.source.stands import at_path, kind_of

Context = Mapping[str, Any]
NOTHING_LOCKED: frozenset[str] = frozenset()
NO = ("false", "0", "no")
# The functions of a path let errors of Python through: `floor` of an infinite number, for one.
PATH_ERRORS = (JMESPathError, ArithmeticError, TypeError, ValueError, AttributeError)


def malformed(message: str) -> Permanent:
    """The error for what is no record in the form of the manifest."""
    return Permanent(message, reason="malformed_record")


def search(path: CompiledPath, document: Any) -> Any:
    """What is at a path.

    Raises Permanent where a function of the path meets what it cannot take.
    """
    try:
        return path.search(document)
    except PATH_ERRORS as error:
        raise malformed(f"{path}: {type(error).__name__}") from None


def is_shown(path: CompiledPath, document: Any) -> bool:
    """Whether a document names what is at a path, be it empty: ``heading: null`` says so.

    What is found by anything else than names is shown where it is found.
    """
    return _is_named(jmespath.compile(path).parsed, document)


def _is_named(node: Mapping[str, Any], document: Any) -> bool:
    children = node["children"]
    match node["type"]:
        case "field":
            return isinstance(document, Mapping) and node["value"] in document
        case "subexpression":
            inside: Any = document
            for child in children:
                # ``reply: null`` says that there is no ``reply.body``.
                if inside is None:
                    return True
                if child["type"] != "field" or not _is_named(child, inside):
                    return False
                inside = inside[child["value"]]
            return True
        case "or_expression":
            return any(_is_named(child, document) for child in children)
        case _:
            return False


def source_of(field: FieldPath | KeyPart, resource: Any, context: Context) -> Any:
    """The value that a field or a part of a key names: in the resource, the request, or fixed."""
    if field.path is not None:
        try:
            return field.path.search(resource)
        except PATH_ERRORS as error:
            raise malformed(f"{field.path}: {type(error).__name__}") from None
    if field.context is not None:
        return search(field.context, context)
    return field.const if isinstance(field, FieldPath) else None


def locked_in(fields: Fields, resource: Any, context: Context) -> frozenset[str]:
    """What a record says itself that we may not do with it; without a word of that it may be
    written.

    Raises Permanent where a path cannot be followed.
    """
    locks = {Operation.UPDATE: fields.can_update, Operation.DELETE: fields.can_delete}
    denied = set[str]()
    for name, field in locks.items():
        if field is not None and _denies(field, source_of(field, resource, context)):
            denied.add(name)
    return frozenset(denied)


def _denies(field: FieldPath, value: Any) -> bool:
    return str(field.values.get(str(value), value)).lower() in NO


def stands_at(field: FieldPath | KeyPart, resource: Any) -> str:
    """Words for a field or a part of a key that has nothing of use."""
    if field.context is not None:
        return f"the request knows no `{field.context}`"
    return at_path(str(field.path), resource)


def misread(place: str, field: FieldPath, error: Permanent) -> Permanent:
    """The error for a field that cannot be read, with its place in the manifest."""
    where = f", at `{field.path}`" if field.path is not None else ""
    return malformed(f"{place}: {error.message}{where}")


def converted(field: FieldPath, value: Any) -> Any:
    """A value in the type that the manifest asks for; ``None`` for what is none.

    Raises Permanent.
    """
    value = field.values.get(str(value), value)  # the manifest's name for it, if it has one
    match field.as_:
        case _ if value is None:
            return None
        case "datetime":
            return moment_of(field, value)
        case "html_text":
            return plain_text(value) if isinstance(value, str) else None
        case "bool":
            return value if isinstance(value, bool) else str(value).lower() in ("1", "true", "yes")
        case _:
            return value if isinstance(value, str | int | Decimal) else None


def moment_of(field: FieldPath, value: Any) -> datetime:
    """A time with its zone. Raises Permanent."""
    try:
        if field.unit == "epoch_ms":
            return datetime.fromtimestamp(_seconds(value) / 1000, UTC)
        if field.unit != "iso8601":
            return datetime.fromtimestamp(_seconds(value), UTC)
        moment = datetime.fromisoformat(str(value))
    except (ValueError, TypeError, OverflowError, OSError):
        raise malformed(f"{str(value)[:40]!r} is no time (unit: {field.unit})") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(field.tz))


def _seconds(value: Any) -> int:
    """Whole seconds, or milliseconds, of a number or of its digits. Raises ValueError."""
    return int(value if isinstance(value, int) else exact_number(str(value)))


def number_of(value: Any, scale: ScaleSection) -> Decimal | None:
    """An exact number; ``None`` if there is none or if it means "not rated"."""
    if value is None or isinstance(value, bool):
        return None
    if not isinstance(value, str | int | Decimal):
        raise malformed(f"{kind_of(value)} is not a number")
    try:
        number = exact_number(str(value))
    except BadNumber as error:
        raise malformed(str(error)) from None
    if number in scale.unrated:
        return None
    if scale.out_of_range == "clamp":
        return max(scale.min, min(scale.max, number))
    return number
