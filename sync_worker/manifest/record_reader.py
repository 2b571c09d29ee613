"""A system's JSON as a record: paths in, values out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from jmespath.exceptions import JMESPathError

from sync_worker.core import exact_json
from sync_worker.core.email_identity import normalise_email
from sync_worker.core.errors import Permanent
from sync_worker.core.values import EntityRef, Person, Record, RecordState
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.plain_text import plain_text
from sync_worker.manifest.schema.base import CompiledPath
from sync_worker.manifest.schema.record import FieldPath, KeyPart, ScaleSection

MAIN_FIELD = "value"
MAX_ID_LENGTH = 500
Context = Mapping[str, Any]
NO_CONTEXT: Context = MappingProxyType({})
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Texts:
    """What a person wrote; a placeholder of ours counts as nothing."""

    title: str | None = None
    body: str | None = None


NO_TEXTS = Texts()


def read_record(manifest: Manifest, resource: Any, context: Context = NO_CONTEXT) -> Record:
    """The record that a resource of the system is. ``context``: what the request for it knew.

    Raises Permanent (``malformed_record``).
    """
    if not isinstance(resource, Mapping):
        raise malformed("the system sent no record")
    reader = _Reader(manifest, resource, context)
    return Record(
        remote_id=remote_id_of(
            {name: reader.key_part(part) for name, part in manifest.key.items()}
        ),
        values=reader.values(),
        revision=reader.revision(),
        state=reader.state(),
        entity=reader.entity(),
        person=Person(email=reader.email(), name=reader.text("author")),
        raw=resource,
        has_words=manifest.correlates_text and read_texts(manifest, resource, context) != NO_TEXTS,
    )


def read_subject(
    manifest: Manifest, resource: Any, context: Context = NO_CONTEXT
) -> tuple[EntityRef | None, str | None]:
    """What is rated and by which address, as far as a resource tells that is no whole record."""
    if not isinstance(resource, Mapping):
        return None, None
    reader = _Reader(manifest, resource, context)
    return _if_readable(reader.entity), _if_readable(reader.email)


def read_remote_id(manifest: Manifest, resource: Any, context: Context = NO_CONTEXT) -> str | None:
    """The id of a resource that is perhaps no whole record; ``None`` if it has none."""
    if not isinstance(resource, Mapping):
        return None
    reader = _Reader(manifest, resource, context)
    return _if_readable(
        lambda: remote_id_of({name: reader.key_part(part) for name, part in manifest.key.items()})
    )


def _if_readable(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except Permanent:
        return None


def read_values(manifest: Manifest, resource: Mapping[str, Any]) -> dict[str, Decimal]:
    """The values of a record by field name. Raises Permanent."""
    return _Reader(manifest, resource, NO_CONTEXT).values()


def read_texts(
    manifest: Manifest, resource: Mapping[str, Any], context: Context = NO_CONTEXT
) -> Texts:
    """Title and body of a record, as people wrote them. Raises Permanent."""
    reader = _Reader(manifest, resource, context)
    placeholders = {
        "title": manifest.text.placeholder_title,
        "body": manifest.text.placeholder_body,
    }
    found = {name: reader.text(name) for name in placeholders}
    return Texts(
        **{
            name: text if text and text != placeholders[name] else None
            for name, text in found.items()
        }
    )


def read_details(
    manifest: Manifest, resource: Mapping[str, Any], context: Context = NO_CONTEXT
) -> dict[str, Any]:
    """What a record says beyond our use of it, by field. Raises Permanent."""
    fields = {
        name: getattr(manifest.fields, name)
        for name in ("created_at", "updated_at", "language", "verified")
    }
    return {
        name: _converted(field, _source(field, resource, context)) if field is not None else None
        for name, field in fields.items()
    }


def created_at(manifest: Manifest, resource: Mapping[str, Any]) -> datetime | None:
    """When a record was made, if the manifest says where that is. Raises Permanent."""
    return _time_in(manifest.fields.created_at, resource)


def updated_at(manifest: Manifest, resource: Mapping[str, Any]) -> datetime | None:
    """When a record was last changed, if the manifest says where that is. Raises Permanent."""
    return _time_in(manifest.fields.updated_at, resource)


def _time_in(field: FieldPath | None, resource: Mapping[str, Any]) -> datetime | None:
    value = _converted(field, _source(field, resource, NO_CONTEXT)) if field else None
    return value if isinstance(value, datetime) else None


def malformed(message: str) -> Permanent:
    return Permanent(message, reason="malformed_record")


def search(path: CompiledPath, document: Any) -> Any:
    """What is at a path.

    Raises Permanent where a function of the path meets what it cannot take.
    """
    try:
        return path.search(document)
    except JMESPathError as error:
        raise malformed(f"{path}: {type(error).__name__}") from None


# -- keys


def remote_id_of(parts: Mapping[str, Any]) -> str:
    """The id by which we keep a record: the one key part, or all of them as JSON.

    Raises Permanent.
    """
    for name, value in parts.items():
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise malformed(f"the key part {name!r} is missing")
    texts = {name: str(value) for name, value in parts.items()}
    remote_id = (
        next(iter(texts.values()))
        if len(texts) == 1
        else exact_json.dumps(dict(sorted(texts.items())))
    )
    if len(remote_id) > MAX_ID_LENGTH or not remote_id.isprintable():
        raise malformed(
            "the id is longer than 500 characters or has a character that cannot be printed"
        )
    return remote_id


def key_of(manifest: Manifest, remote_id: str) -> dict[str, str]:
    """The key parts of an id that ``remote_id_of`` made. Raises Permanent for any other."""
    if len(manifest.key) == 1:
        return {next(iter(manifest.key)): remote_id}
    try:
        key = exact_json.loads(remote_id)
    except ValueError:
        key = None
    if not isinstance(key, dict) or set(key) != set(manifest.key):
        raise Permanent(
            f"the id has not the parts {sorted(manifest.key)}", reason="malformed_record"
        )
    return key


def context_of(manifest: Manifest, remote_id: str) -> dict[str, Any]:
    """What the request for one record knows: its key, and what of the key came from a request."""
    key = key_of(manifest, remote_id)
    context: dict[str, Any] = {"key": key}
    for name, part in manifest.key.items():
        if part.context is not None:
            root, _, leaf = str(part.context).rpartition(".")
            context.setdefault(root, {})[leaf] = key[name]
    return context


# -- values


class _Reader:
    """One resource."""

    def __init__(self, manifest: Manifest, resource: Mapping[str, Any], context: Context) -> None:
        self._manifest, self._resource, self._context = manifest, resource, context

    def key_part(self, part: KeyPart) -> Any:
        value = _source(part, self._resource, self._context)
        if part.as_ == "int" and not str(value).lstrip("-").isdigit():
            raise malformed(f"the key part {str(value)[:40]!r} is no whole number")
        return value

    def text(self, name: str) -> str | None:
        """A field as text. Raises Permanent if it is required and missing."""
        field: FieldPath | None = getattr(self._manifest.fields, name)
        if field is None:
            return None
        value = _converted(field, _source(field, self._resource, self._context))
        if value in (None, "") and field.required:
            raise malformed(f"the record has no {name}")
        if isinstance(value, bool):
            return str(value).lower()
        return None if value is None else str(value)

    def email(self) -> str | None:
        text = (self.text("email") or "").strip()
        return normalise_email(text) if "@" in text else None

    def revision(self) -> int | None:
        text = self.text("revision")
        if text is None:
            return None
        try:
            number = int(text)
        except ValueError:
            raise malformed(f"{text[:40]!r} is no revision") from None
        if abs(number) >= 2**63:
            raise malformed("the revision is larger than 64 bits")
        return number

    def entity(self) -> EntityRef | None:
        entity = self.text("entity")
        return EntityRef(entity, self.text("entity_group") or "") if entity else None

    def state(self) -> RecordState:
        """Unknown states wait: only what is surely published may cross."""
        if self._manifest.fields.state is None:
            return RecordState.PUBLISHED
        return self._manifest.states.of(self.text("state"))

    def values(self) -> dict[str, Decimal]:
        main = self._main_value()
        scale = self._manifest.attribute_scale or self._manifest.scale
        found = {name: _number(value, scale) for name, value in self._attributes().items()}
        found = {MAIN_FIELD: main} | found
        return {name: number for name, number in found.items() if number is not None}

    def _main_value(self) -> Decimal | None:
        field = self._manifest.fields.value
        value = _named(field, _source(field, self._resource, self._context))
        if value is None and field.required:
            raise malformed("the record has no value")
        return _number(value, self._manifest.scale)

    def _attributes(self) -> dict[str, Any]:
        found = {
            name: search(path, self._resource) for name, path in self._manifest.attributes.items()
        }
        listed = self._manifest.attributes_list
        items = search(listed.items, self._resource) if listed else None
        for item in items if listed and isinstance(items, list) else ():
            name = search(listed.name, item) if listed else None
            if isinstance(name, str):
                found[name] = search(listed.value, item) if listed else None
        return found


def _source(field: FieldPath | KeyPart, resource: Any, context: Context) -> Any:
    if field.path is not None:
        return search(field.path, resource)
    if field.context is not None:
        return search(field.context, context)
    return field.const if isinstance(field, FieldPath) else None


def _named(field: FieldPath, value: Any) -> Any:
    """The manifest's name for a value, the value itself if it has none."""
    return field.values.get(str(value), value) if field.values else value


def _converted(field: FieldPath, value: Any) -> Any:
    value = _named(field, value)
    match field.as_:
        case _ if value is None:
            return None
        case "datetime":
            return _moment(field, value)
        case "html_text":
            return plain_text(value) if isinstance(value, str) else None
        case "bool":
            return value if isinstance(value, bool) else str(value).lower() in ("1", "true", "yes")
        case _:
            return value if isinstance(value, str | int | Decimal) else None


def _moment(field: FieldPath, value: Any) -> datetime:
    """A time with its zone. Raises Permanent."""
    try:
        if field.unit != "iso8601":
            return datetime.fromtimestamp(
                int(value) / (1000 if field.unit == "epoch_ms" else 1), UTC
            )
        moment = datetime.fromisoformat(str(value))
    except (ValueError, TypeError, OverflowError, OSError):
        raise malformed(f"{str(value)[:40]!r} is no time ({field.unit})") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(field.tz))


def _number(value: Any, scale: ScaleSection) -> Decimal | None:
    """An exact number; ``None`` if there is none or if it means "not rated"."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise malformed(f"{str(value)[:40]!r} is no number") from None
    if not number.is_finite() or len(str(number)) > 32:
        raise malformed("a value is no reasonable number")
    if number in scale.unrated:
        return None
    return max(scale.min, min(scale.max, number)) if scale.out_of_range == "clamp" else number
