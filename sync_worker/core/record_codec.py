"""Records of a listing as JSON: in the ledger, and as the payload of a delivery."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sync_worker.core.scale import FieldMap
from sync_worker.core.values import EntityRef, Person, Record, RecordState, Side

LISTED = "listed:"  # so the names of deliveries from our own listings begin


def listed_payload(record: Record) -> dict[str, Any]:
    """A listed record as the payload of a delivery; ``record_listed`` reads it back.

    Empty for a row that is a hint only: the record has to be read by its id.
    """
    if record.state is RecordState.DELETED or not _has_all(record):
        return {}
    return {"listed": record_as_json(record)}


def _has_all(record: Record) -> bool:
    """Whether a row shows what and whose it is, so that its key needs no look at the record.

    A system that numbers its states shows whole records in its listings.
    """
    person = record.person
    is_named = person.email or person.contact_id or person.member_id or person.visitor_id
    return record.revision is not None or (record.entity is not None and bool(is_named))


def record_listed(payload: Mapping[str, Any]) -> Record | None:
    """The whole record that a delivery of ours carries; ``None`` for deliveries from the door."""
    listed = payload.get("listed")
    return record_from_json(listed) if isinstance(listed, Mapping) else None


def record_as_json(record: Record) -> dict[str, Any]:
    """All of a record but its sequence, which listings do not show."""
    entity, person = record.entity, record.person
    return {
        "id": record.remote_id,
        "values": {name: str(value) for name, value in record.values.items()},
        "revision": record.revision,
        "is_ours": record.is_ours,
        "state": str(record.state),
        "entity": [entity.entity_id, entity.group, entity.namespace] if entity else None,
        "person": [
            person.contact_id,
            person.member_id,
            person.visitor_id,
            person.email,
            person.name,
        ],
        "raw": dict(record.raw),
        "is_verified": record.is_verified,
        "words": dict(record.words),
        "written_at": record.written_at.isoformat() if record.written_at else None,
        "media": list(record.media),
        "locked": sorted(record.locked),
    }


def record_from_json(kept: Mapping[str, Any]) -> Record:
    """What ``record_as_json`` wrote."""
    written_at = kept.get("written_at")
    return Record(
        remote_id=kept["id"],
        values={name: Decimal(value) for name, value in kept["values"].items()},
        revision=kept["revision"],
        # Rows of earlier versions do not say it.
        is_ours=kept.get("is_ours"),
        state=RecordState(kept["state"]),
        entity=EntityRef(*kept["entity"]) if kept["entity"] else None,
        person=Person(*kept["person"]),
        raw=kept["raw"],
        # Rows that were kept before it was told have none.
        is_verified=kept.get("is_verified"),
        words=kept.get("words", {}),
        written_at=datetime.fromisoformat(written_at) if written_at else None,
        media=tuple(kept.get("media", ())),
        locked=frozenset(kept.get("locked", ())),
    )


def dedupe_id_of(remote_id: str, record: Record | None) -> str:
    """The name of a record's state, so that it is told once, however often it is listed.

    Hashed: the id of somebody who is erased later must not stand in clear where nobody looks.
    """
    told = fingerprint(record) if record is not None else "missing"
    return LISTED + hashlib.sha256(f"{remote_id} {told}".encode()).hexdigest()[:32]


def fingerprint(record: Record) -> str:
    """Names a state of a record: its revision and who sees it, else its content; and its locks."""
    told = _state_told(record)
    return " ".join([told, *sorted(record.locked)]) if record.locked else told


def _state_told(record: Record) -> str:
    # Moderation need not raise the revision.
    if record.revision is not None and not record.is_visible:
        return f"{record.revision} {record.state}"
    if record.revision is not None:
        return str(record.revision)
    content = [
        str(record.state),
        *sorted(f"{name}={value.normalize()}" for name, value in record.values.items()),
        *sorted(f"{name}={text!r}" for name, text in record.words.items()),
    ]
    return hashlib.sha256("\n".join(content).encode()).hexdigest()[:32]


def mapped_values(record: Record, side: Side, fields: Iterable[FieldMap]) -> dict[str, Decimal]:
    """The values by attribute of which both sides keep one another informed."""
    names = {
        field.attribute: field.attribute if side is Side.WIX else field.external_field
        for field in fields
    }
    return {name: record.values[there] for name, there in names.items() if there in record.values}
