"""Wix ratings and rating events as records, tolerant where Wix contradicts itself. Pure.

The contradictions and their sources: ``owner`` or ``ratingOwner``, ``attributeName`` or
``attributeId``, ``entity`` or ``entityAsJson`` (object or string); see the Ratings schema and
webhook samples in the Wix docs repository.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from sync_worker.core import exact_json
from sync_worker.core.errors import Permanent
from sync_worker.core.numbers import whole_number
from sync_worker.core.values import EntityRef, Merge, Person, Record
from sync_worker.core.words import (
    MAX_ATTRIBUTE,
    MAX_ENTITY_ID,
    MAX_GROUP,
    MAX_NAMESPACE,
    MAX_WIX_ID,
    is_usable_id,
)

MAX_WORDS = {
    "group": MAX_GROUP,
    "namespace": MAX_NAMESPACE,
    "contactId": MAX_WIX_ID,
    "memberId": MAX_WIX_ID,
    "anonymousVisitorId": MAX_WIX_ID,
}
MAX_MERGED = 500  # contacts that one event says were merged into another


def record_of_event(event: Mapping[str, Any]) -> Record | None:
    """The whole rating that a domain event carries; ``None`` for deletes, which carry none."""
    rating = entity_in_event(event)
    if not rating:
        return None
    return rating_of(rating, sequence=whole_number(event.get("entityEventSequence")))


def entity_in_event(event: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The entity of a created or updated event, in its current or an older form."""
    for part, names in (
        ("createdEvent", ("entity", "entityAsJson")),
        ("updatedEvent", ("currentEntity", "currentEntityAsJson")),
    ):
        body = event.get(part)
        if not isinstance(body, Mapping):
            continue
        for name in names:
            if (entity := object_in(body.get(name))) is not None:
                return entity
    return None


def merge_of_event(event: Mapping[str, Any]) -> Merge | None:
    """Who was merged into whom; the body in its current or its older form (``bodyAsJson``)."""
    body: Mapping[str, Any] = next(action_bodies(event), {})
    # The event's own entity is the contact that lives on.
    target = body.get("targetContactId") or event.get("entityId")
    sources = body.get("sourceContactIds")
    if not isinstance(target, str) or not isinstance(sources, list):
        return None
    named = tuple(
        contact_id
        for contact_id in sources
        # A contact merged into itself would be a circle.
        if isinstance(contact_id, str) and contact_id and contact_id != target
    )
    # Each of them is looked for in the ledger: one event must not ask for thousands.
    if not named or len(named) > MAX_MERGED:
        return None
    are_usable = all(is_usable_id(contact_id, MAX_WIX_ID) for contact_id in (target, *named))
    return Merge(named, target) if are_usable else None


def target_in_merge(event: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The contact that lives on, as the merge event carries it."""
    for body in action_bodies(event):
        contact = object_in(body.get("targetContact"))
        if contact is not None:
            return contact
    return None


def action_bodies(event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The body of an action event, in its current and its older form."""
    action = event.get("actionEvent")
    if not isinstance(action, Mapping):
        return
    for name in ("body", "bodyAsJson"):
        body = object_in(action.get(name))
        if body is not None:
            yield body


def object_in(value: Any) -> Mapping[str, Any] | None:
    """An object, or the JSON text of one."""
    if isinstance(value, str):
        try:
            value = exact_json.loads(value)
        except ValueError:
            return None
    return value if isinstance(value, Mapping) else None


def rating_of(rating: Any, *, sequence: int | None = None) -> Record:
    """A Wix rating as a record. Raises Permanent when it is not one."""
    if not isinstance(rating, Mapping):
        raise Permanent("Wix sent no rating", reason="malformed_record")
    remote_id = rating.get("id")
    attribute = rating.get("attributeName") or rating.get("attributeId")
    value = whole_number(rating.get("value"))
    if not isinstance(remote_id, str) or not isinstance(attribute, str) or value is None:
        raise Permanent("the rating has no id, attribute or value", reason="malformed_record")
    if not is_usable_id(remote_id, MAX_WIX_ID) or len(attribute) > MAX_ATTRIBUTE:
        raise Permanent("the rating has an unusable id or attribute", reason="malformed_record")
    return Record(
        remote_id=remote_id,
        values={attribute: Decimal(value)},
        revision=whole_number(rating.get("revision")),
        sequence=sequence,
        entity=_entity_of(rating),
        person=_person_of(rating.get("owner") or rating.get("ratingOwner")),
    )


def _entity_of(rating: Mapping[str, Any]) -> EntityRef | None:
    entity_id = rating.get("entityId")
    if not isinstance(entity_id, str):
        return None
    group, namespace = _texts(rating, "group", "namespace")
    if len(entity_id) > MAX_ENTITY_ID:
        raise Permanent("the entity's id is too long", reason="malformed_record")
    return EntityRef(entity_id, group or "", namespace or "")


def _person_of(owner: Any) -> Person:
    if not isinstance(owner, Mapping):
        return Person()
    return Person(*_texts(owner, "contactId", "memberId", "anonymousVisitorId"))


def _texts(part: Mapping[str, Any], *names: str) -> list[str | None]:
    """What a part says under these names.

    ``None`` where that is no text, an empty one, or one that the ledger has no room for.
    """
    texts = {name: part.get(name) for name in names}
    known = {
        name: text
        for name, text in texts.items()
        if isinstance(text, str) and 0 < len(text) <= MAX_WORDS[name]
    }
    return [known.get(name) for name in names]
