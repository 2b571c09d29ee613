"""A system's JSON as a record: paths in, values out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from jmespath.exceptions import JMESPathError

from sync_worker import exact_json
from sync_worker.connector.manifest import CompiledPath, FieldPath, Manifest, ScaleSection
from sync_worker.errors import Permanent
from sync_worker.hold_keys import normalise_email
from sync_worker.model import EntityRef, Person, Record, RecordState

MAIN_FIELD = "value"
MAX_ID_LENGTH = 500


def read_record(manifest: Manifest, resource: Any) -> Record:
    """The record that a resource of the system is. Raises Permanent (``malformed_record``)."""
    if not isinstance(resource, Mapping):
        raise Permanent("the system sent no record", reason="malformed_record")
    fields = manifest.fields
    email = _text(resource, fields.email)
    return Record(
        remote_id=remote_id_of(manifest, {name: part.path for name, part in manifest.key.items()}, resource),
        values=_values(manifest, resource),
        revision=_integer(resource, fields.revision),
        state=_state(manifest, resource),
        entity=_entity(manifest, resource),
        person=Person(email=normalise_email(email) if email else None, name=_text(resource, fields.author)),
        raw=resource,
    )


def _search(path: CompiledPath, document: Any) -> Any:
    try:
        return path.search(document)
    except JMESPathError as error:
        raise Permanent(f"{path}: {type(error).__name__}", reason="malformed_record") from None


def remote_id_of(manifest: Manifest, paths: Mapping[str, CompiledPath], document: Any) -> str:
    """The id by which we keep a record: the one key part, or all of them as JSON. Raises Permanent."""
    parts = {name: _search(path, document) for name, path in paths.items()}
    for name, value in parts.items():
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise Permanent(f"the key part {name!r} is missing", reason="malformed_record")
    texts = {name: str(value) for name, value in parts.items()}
    remote_id = next(iter(texts.values())) if len(texts) == 1 else exact_json.dumps(dict(sorted(texts.items())))
    if len(remote_id) > MAX_ID_LENGTH or "\x00" in remote_id:
        raise Permanent("the id is longer than 500 characters or has a NUL in it", reason="malformed_record")
    return remote_id


def key_of(manifest: Manifest, remote_id: str) -> dict[str, str]:
    """The key parts of an id that ``remote_id_of`` made."""
    if len(manifest.key) == 1:
        return {next(iter(manifest.key)): remote_id}
    key: dict[str, str] = exact_json.loads(remote_id)
    return key


def _text(resource: Any, field: FieldPath | None) -> str | None:
    value = _search(field.path, resource) if field else None
    return str(value) if isinstance(value, str | int | Decimal) and not isinstance(value, bool) else None


def _integer(resource: Any, field: FieldPath | None) -> int | None:
    text = _text(resource, field)
    if text is None:
        return None
    try:
        number = int(text)
    except ValueError:
        raise Permanent(f"{text[:40]!r} is no revision", reason="malformed_record") from None
    if abs(number) >= 2**63:
        raise Permanent("the revision is larger than 64 bits", reason="malformed_record")
    return number


def _entity(manifest: Manifest, resource: Any) -> EntityRef | None:
    entity = _text(resource, manifest.fields.entity)
    return EntityRef(entity, _text(resource, manifest.fields.entity_group) or "") if entity else None


def _state(manifest: Manifest, resource: Any) -> RecordState:
    """Unknown states wait: only what is surely published may cross."""
    if manifest.fields.state is None:
        return RecordState.PUBLISHED
    return manifest.states.read.get(_text(resource, manifest.fields.state) or "", RecordState.PENDING)


def _values(manifest: Manifest, resource: Any) -> dict[str, Decimal]:
    values = {}
    main = _number(_search(manifest.fields.value.path, resource), manifest.scale)
    if main is not None:
        values[MAIN_FIELD] = main
    scale = manifest.attribute_scale or manifest.scale
    for name, value in _attributes(manifest, resource).items():
        number = _number(value, scale)
        if number is not None:
            values[name] = number
    return values


def _attributes(manifest: Manifest, resource: Any) -> dict[str, Any]:
    found = {name: _search(path, resource) for name, path in manifest.attributes.items()}
    listed = manifest.attributes_list
    items = _search(listed.items, resource) if listed else None
    for item in items if listed and isinstance(items, list) else ():
        name = _search(listed.name, item) if listed else None
        if isinstance(name, str):
            found[name] = _search(listed.value, item) if listed else None
    return found


def _number(value: Any, scale: ScaleSection) -> Decimal | None:
    """An exact number; ``None`` if there is none or if it means "not rated"."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise Permanent(f"{str(value)[:40]!r} is no number", reason="malformed_record") from None
    if not number.is_finite() or len(str(number)) > 32:
        raise Permanent("a value is no reasonable number", reason="malformed_record")
    return None if number in scale.unrated else number
