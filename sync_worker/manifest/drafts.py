"""What a write says: the roots ``rating`` and ``contact`` of a call's context, out of a draft.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sync_worker.core.values import Draft
from sync_worker.core.values.texts import BODY, REPLY, TITLE
from sync_worker.manifest.field_values import search
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.record_reader import MAIN_FIELD, created_at, read_values
from sync_worker.manifest.record_writer import merged_over
from sync_worker.manifest.schema.base import CompiledPath
from sync_worker.manifest.schema.record import FieldPath

UNSEEN = ("rating.title", "rating.body", "rating.reply", "rating.created_at")


def write_context(
    manifest: Manifest,
    draft: Draft,
    held: Mapping[str, Decimal],
    *,
    revision: int | None,
    now: datetime,
) -> dict[str, Any]:
    """Our values and words, with the rest of the record as the system last returned it.

    So a field that Wix does not own is never lost or altered. Where the system insists on a text
    and the person wrote none, the manifest's placeholder stands in. ``held``: of ``held_values``.
    """
    written_at = created_at(manifest, draft.last) if draft.last else None
    return {
        "rating": {
            **values_in_context(draft.values.get(MAIN_FIELD), _attributes(draft, held)),
            **words_in_context(manifest, draft),
            "state": manifest.states.write.get("published", "published"),
            "revision": revision,
            "created_at": written_at or draft.written_at or now,
        },
        "contact": {
            "email": draft.person.email,
            "name": _at(manifest.fields.author, draft.last) or draft.person.name,
            "wix_id": draft.person.contact_id,
        },
    }


def held_values(manifest: Manifest, draft: Draft) -> Mapping[str, Decimal]:
    """What a record held of what this write may leave alone, when it was last returned.

    Without what the write changes for sure; what it does not change counts as drafted where the
    record does not show it.
    """
    shown = read_values(manifest, draft.last) if draft.last else {}
    changed = draft.changed
    if changed is None:
        is_other = draft.words or any(
            shown.get(name) != draft.values[name] for name in draft.values
        )
        # What differs is changed. Where nothing does, it is written all the same.
        changed = frozenset() if is_other else frozenset(draft.values)
        return {name: value for name, value in shown.items() if name not in changed}
    held = {**draft.values, **shown}
    return {name: value for name, value in held.items() if name not in changed}


def with_changes_only(draft: Draft, held: Mapping[str, Decimal]) -> Draft:
    """The draft of an update, with what it does not change as the record holds it."""
    if draft.changed is None:
        return draft
    stays = {name: held[name] for name in draft.values if name not in draft.changed}
    return replace(draft, values={**draft.values, **stays})


def words_in_context(manifest: Manifest, draft: Draft) -> dict[str, str | None]:
    """The part of ``rating`` that holds words: ours where this write brings them."""
    fields, text = manifest.fields, manifest.text
    found = {
        TITLE: _at(fields.title, draft.last),
        BODY: _at(fields.body, draft.last),
        REPLY: _at(fields.reply, draft.last),
    }
    for name, word in draft.words_to_write.items():
        # What is empty and stays empty keeps its form: a system may show nothing, or "".
        if word or found[name]:
            found[name] = word
    found[TITLE] = found[TITLE] or (text.placeholder_title if text.required_title else found[TITLE])
    found[BODY] = found[BODY] or (text.placeholder_body if text.required_body else found[BODY])
    return found


def values_in_context(value: Any, attributes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The part of ``rating`` that holds values."""
    by_name = {attribute["name"]: attribute["value"] for attribute in attributes}
    return {"value": value, "attributes": attributes, "by_name": by_name}


def own_value(manifest: Manifest, source: str, last: Mapping[str, Any]) -> Any:
    """What the system itself holds where a leaf ``{from: source}`` would write, to the byte."""
    return _at(_fields_by_source(manifest).get(source), last)


def may_be_unseen(manifest: Manifest, source: str) -> bool:
    """Whether a record may hold words or a time of its owner that the manifest does not read."""
    field = _fields_by_source(manifest).get(source)
    is_owners = source in UNSEEN
    return is_owners and (field is None or field.path is None)


def _fields_by_source(manifest: Manifest) -> Mapping[str, FieldPath | None]:
    fields = manifest.fields
    return {
        "rating.value": fields.value,
        "rating.title": fields.title,
        "rating.body": fields.body,
        "rating.reply": fields.reply,
        "rating.state": fields.state,
        "rating.created_at": fields.created_at,
        "contact.email": fields.email,
        "contact.name": fields.author,
        "entity.external_id": fields.entity,
        "entity.group": fields.entity_group,
    }


def keep_items(manifest: Manifest, draft: Draft, held: Mapping[str, Decimal], new: Any) -> Any:
    """A list of sub-ratings to write, with what else the last record holds in it.

    Items that are not mapped or did not change stay as they are, unrated ones too, and ours keep
    the further keys of their item.
    """
    listed = manifest.attributes_list
    old = search(listed.items, draft.last) if listed is not None else None
    # No list in the last record, or none to write: there is nothing to keep.
    if listed is None or not isinstance(old, list) or not isinstance(new, list):
        return new
    ours = {_text_at(listed.name, item): item for item in new}
    if None in ours:  # what is written names its items in another way
        return new
    before = [(_text_at(listed.name, item), item) for item in old]
    stay = []
    for name, item in before:
        # Not ours: the item goes back as it was.
        if name not in draft.mapped:
            stay.append(item)
        # Ours: the new value over the further keys of the item.
        elif name in ours:
            is_changed = draft.values.get(name) != held.get(name)
            stay.append(merged_over(item, ours[name]) if is_changed else item)
    known = {name for name, _ in before}
    return stay + [item for name, item in ours.items() if name not in known]


def _text_at(path: CompiledPath, item: Any) -> str | None:
    found = search(path, item)
    return found if isinstance(found, str) else None


def _at(field: FieldPath | None, record: Mapping[str, Any]) -> Any:
    """The value as the system holds it, markup and all."""
    if field is None or field.path is None or not record:
        return None
    return search(field.path, record)


def _attributes(draft: Draft, held: Mapping[str, Decimal]) -> list[dict[str, Any]]:
    """Our sub-ratings, and those of the last record that are not mapped."""
    ours = [
        {"name": name, "value": value} for name, value in draft.values.items() if name != MAIN_FIELD
    ]
    theirs = {
        name: value for name, value in held.items() if name not in draft.mapped | {MAIN_FIELD}
    }
    return ours + [{"name": name, "value": value} for name, value in theirs.items()]
