"""What a write says: the roots ``rating`` and ``contact`` of a call's context, out of a draft. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sync_worker.connector.manifest import Manifest
from sync_worker.connector.reading import MAIN_FIELD, created_at, read_values, search
from sync_worker.connector.schema_record import FieldPath
from sync_worker.model import Draft


def write_context(manifest: Manifest, draft: Draft, *, revision: int | None, now: datetime) -> dict[str, Any]:
    """A field that Wix does not own comes from the record as last returned, so that it is never lost or altered.

    Where the system insists on a text and the person wrote none, the manifest's placeholder stands in.
    """
    fields, text = manifest.fields, manifest.text
    title, body = _kept(fields.title, draft), _kept(fields.body, draft)
    attributes = _attributes(manifest, draft)
    return {
        "rating": {
            "value": draft.values.get(MAIN_FIELD),
            "attributes": attributes,
            "by_name": {one["name"]: one["value"] for one in attributes},
            "state": manifest.states.write.get("published", "published"),
            "revision": revision,
            "title": title or (text.placeholder_title if text.required_title else title),
            "body": body or (text.placeholder_body if text.required_body else body),
            "created_at": (created_at(manifest, draft.last) if draft.last else None) or now,
        },
        "contact": {
            "email": draft.person.email,
            "name": _kept(fields.author, draft) or draft.person.name,
            "wix_id": draft.person.contact_id,
        },
    }


def _kept(field: FieldPath | None, draft: Draft) -> Any:
    """The value as the system holds it, markup and all."""
    return search(field.path, draft.last) if field is not None and field.path is not None and draft.last else None


def _attributes(manifest: Manifest, draft: Draft) -> list[dict[str, Any]]:
    """Our sub-ratings, and those of the last record that are not mapped."""
    ours = [{"name": name, "value": value} for name, value in draft.values.items() if name != MAIN_FIELD]
    before = read_values(manifest, draft.last) if draft.last else {}
    theirs = {name: value for name, value in before.items() if name not in draft.mapped | {MAIN_FIELD}}
    return ours + [{"name": name, "value": value} for name, value in theirs.items()]
