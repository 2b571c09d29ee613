"""A system's JSON as a record: paths in, values out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypeVar

from sync_worker.core.email_identity import normalise_email
from sync_worker.core.errors import Permanent
from sync_worker.core.numbers import SHOWN, whole_number
from sync_worker.core.values import EntityRef, Person, Record, RecordState
from sync_worker.core.values.pictures import pictures_in
from sync_worker.core.words import MAX_EMAIL, MAX_ENTITY_ID, MAX_GROUP, MAX_NAME, shown
from sync_worker.manifest.field_values import (
    NOTHING_LOCKED,
    PATH_ERRORS,
    Context,
    converted,
    is_shown,
    locked_in,
    malformed,
    misread,
    moment_of,
    number_of,
    search,
    source_of,
    stands_at,
)
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.record_keys import remote_id_of
from sync_worker.manifest.schema.record import FieldPath, KeyPart
from sync_worker.manifest.source.stands import kind_of

MAIN_FIELD = "value"
PLAIN = ("str", "email")  # kinds of fields that a text has as it is
NO_CONTEXT: Context = MappingProxyType({})
NO_WORDS: Mapping[str, str] = MappingProxyType({})
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
        raise malformed(f"a record is due, and there is {kind_of(resource)}")
    reader, fields, locked = _Reader(manifest, resource, context), manifest.fields, NOTHING_LOCKED
    # Of most systems no record says so.
    if fields.can_update is not None or fields.can_delete is not None:
        locked = locked_in(fields, resource, context)
    says_verified = manifest.fields.verified is not None
    return Record(
        remote_id=remote_id_of(
            {name: reader.key_part(name, part) for name, part in manifest.key.items()}
        ),
        values=reader.values(),
        revision=reader.revision(),
        state=reader.state(),
        entity=reader.entity(),
        person=Person(email=reader.email(), name=reader.name()),
        raw=resource,
        has_words=manifest.correlates_text and read_texts(manifest, resource, context) != NO_TEXTS,
        is_verified=reader.is_verified() if says_verified else None,
        words=reader.words() if manifest.text.sync else NO_WORDS,
        written_at=reader.written_at(),
        media=reader.media(),
        locked=locked,
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
        lambda: remote_id_of(
            {name: reader.key_part(name, part) for name, part in manifest.key.items()}
        )
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
    texts: dict[str, str] = {}
    for name, placeholder in placeholders.items():
        text = reader.text(name)
        if text and text != placeholder:
            texts[name] = text
    return Texts(**texts)


def read_details(
    manifest: Manifest, resource: Mapping[str, Any], context: Context = NO_CONTEXT
) -> dict[str, Any]:
    """What a record says beyond our use of it, by field. Raises Permanent."""
    fields = {
        name: getattr(manifest.fields, name)
        for name in ("created_at", "updated_at", "language", "verified")
    }
    details: dict[str, Any] = dict.fromkeys(fields)
    for name, field in fields.items():
        if field is None:
            continue
        try:
            details[name] = converted(field, source_of(field, resource, context))
        except Permanent as error:
            raise misread(f"fields.{name}", field, error) from None
    return details


def created_at(manifest: Manifest, resource: Mapping[str, Any]) -> datetime | None:
    """When a record was made, if the manifest says where that is. Raises Permanent."""
    return _time_in("created_at", manifest.fields.created_at, resource)


def updated_at(manifest: Manifest, resource: Mapping[str, Any]) -> datetime | None:
    """When a record was last changed, if the manifest says where that is. Raises Permanent."""
    return _time_in("updated_at", manifest.fields.updated_at, resource)


def _time_in(name: str, field: FieldPath | None, resource: Mapping[str, Any]) -> datetime | None:
    if field is None:
        return None
    try:
        value = converted(field, source_of(field, resource, NO_CONTEXT))
    except Permanent as error:
        raise misread(f"fields.{name}", field, error) from None
    return value if isinstance(value, datetime) else None


class _Reader:
    """One resource."""

    def __init__(self, manifest: Manifest, resource: Mapping[str, Any], context: Context) -> None:
        self._manifest, self._resource, self._context = manifest, resource, context

    def key_part(self, name: str, part: KeyPart) -> Any:
        value = source_of(part, self._resource, self._context)
        # To Python True is a number; as an id it is none.
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            words = stands_at(part, self._resource)
            raise malformed(f"key.{name}: the key part {name!r} is missing: {words}")
        digits = str(value).lstrip("-")
        if part.as_ == "int" and not (digits.isascii() and digits.isdigit()):
            words = f"{str(value)[:SHOWN]!r} is no whole number, at `{part.path}`"
            raise malformed(f"key.{name}: {words}")
        return value

    def text(self, name: str) -> str | None:
        """A field as text. Raises Permanent if it is required and missing."""
        field: FieldPath | None = getattr(self._manifest.fields, name)
        if field is None:
            return None
        try:
            value = source_of(field, self._resource, self._context)
            # Most are texts already.
            if field.values or not isinstance(value, str) or field.as_ not in PLAIN:
                value = converted(field, value)
        except Permanent as error:
            raise misread(f"fields.{name}", field, error) from None
        if value in (None, "") and field.required:
            raise malformed(f"fields.{name}: {stands_at(field, self._resource)}")
        # As JSON writes it.
        if isinstance(value, bool):
            return str(value).lower()
        return None if value is None else str(value)

    def words(self) -> dict[str, str]:
        """The words that travel, as the system shows them: its bytes, markup and all."""
        shown: dict[str, str] = {}
        for name in self._manifest.text.sync:
            path = getattr(self._manifest.fields, name).path
            try:
                found = path.search(self._resource)
            except PATH_ERRORS as error:
                raise malformed(f"fields.{name}: {type(error).__name__}, at `{path}`") from None
            if isinstance(found, str):
                shown[name] = found
            elif isinstance(found, int | Decimal) and not isinstance(found, bool):
                shown[name] = str(found)
            # An empty field is no field that is not shown.
            elif found is None and is_shown(path, self._resource):
                shown[name] = ""
        return shown

    def written_at(self) -> datetime | None:
        """When it was written, if that can be read: nothing but what people see depends on it."""
        field = self._manifest.fields.created_at
        if field is None or field.path is None:
            return None
        try:
            found = field.path.search(self._resource)
            return moment_of(field, found) if found is not None else None
        except (Permanent, *PATH_ERRORS):
            return None

    def media(self) -> tuple[str, ...]:
        """Its pictures, as far as they can be read: nothing but what people see depends on it."""
        field = self._manifest.fields.media
        if field is None or field.path is None:
            return ()
        try:
            found = field.path.search(self._resource)
            # as nearly always
            return () if found is None else pictures_in(found)
        except PATH_ERRORS:
            return ()

    def email(self) -> str | None:
        text = (self.text("email") or "").strip()
        # Some systems put a name or a mask where they hide the address.
        if "@" not in text:
            return None
        # What is too long for an address is held as unusable: its beginning shows what it is.
        return normalise_email(text) if len(text) <= MAX_EMAIL else text[:MAX_EMAIL]

    def name(self) -> str | None:
        """For people to read, so a long one is cut."""
        name = self.text("author")
        if name is None or name.isascii():
            return name and name[:MAX_NAME]
        return shown(name)[:MAX_NAME]

    def is_verified(self) -> bool | None:
        """Whether the system knows that this person gave it; ``None``: it does not say."""
        field = self._manifest.fields.verified
        if field is None:
            return None
        value = converted(field, source_of(field, self._resource, self._context))
        if value is None or isinstance(value, bool):
            return value
        return str(value).lower() in ("1", "true", "yes")

    def revision(self) -> int | None:
        text = self.text("revision")
        if text is None:
            return None
        number = whole_number(text.strip())
        if number is None:
            where = self._manifest.fields.revision
            words = f"{text[:SHOWN]!r} is no whole number of at most 64 bits"
            raise malformed(f"fields.revision: {words}, at `{where and where.path}`")
        return number

    def entity(self) -> EntityRef | None:
        entity = self.text("entity")
        if not entity:
            return None
        group = self.text("entity_group") or ""
        if len(entity) > MAX_ENTITY_ID or len(group) > MAX_GROUP:
            words = f"the entity's id is longer than {MAX_ENTITY_ID} characters"
            raise malformed(f"fields.entity: {words}")
        return EntityRef(entity, group)

    def state(self) -> RecordState:
        """Unknown states wait: only what is surely published may cross."""
        # The system knows no moderation: what it shows is published.
        if self._manifest.fields.state is None:
            return RecordState.PUBLISHED
        return self._manifest.states.of(self.text("state"))

    def values(self) -> dict[str, Decimal]:
        main = self._main_value()
        scale = self._manifest.attribute_scale or self._manifest.scale
        found = {MAIN_FIELD: main}
        for name, value in self._attributes().items():
            try:
                found[name] = number_of(value, scale)
            except Permanent as error:
                raise self._misread_attribute(name, error) from None
        return {name: number for name, number in found.items() if number is not None}

    def _main_value(self) -> Decimal | None:
        field = self._manifest.fields.value
        value = source_of(field, self._resource, self._context)
        # A system may name its ratings (`FIVE`): the manifest has the numbers.
        value = field.values.get(str(value), value)
        if value is None and field.required:
            raise malformed(f"fields.value: {stands_at(field, self._resource)}")
        try:
            return number_of(value, self._manifest.scale)
        except Permanent as error:
            raise misread("fields.value", field, error) from None

    def _misread_attribute(self, name: str, error: Permanent) -> Permanent:
        path = self._manifest.attributes.get(name)
        if path is None:
            return malformed(f"attributes_list.value: {error.message}, of {name[:SHOWN]!r}")
        return malformed(f"attributes.{name}: {error.message}, at `{path}`")

    def _attributes(self) -> dict[str, Any]:
        found = {
            name: search(path, self._resource) for name, path in self._manifest.attributes.items()
        }
        listed = self._manifest.attributes_list
        if listed is None:
            return found
        items = search(listed.items, self._resource)
        for item in items if isinstance(items, list) else ():
            name = search(listed.name, item)
            if isinstance(name, str):
                found[name] = search(listed.value, item)
        return found
