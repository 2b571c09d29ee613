"""What a remote in memory notes and tells, and its records as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sync_worker.core.values import EntityRef, Person, Record, RecordState, Side, Value


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One effective change of a record, with what it overwrote: numbers and words."""

    by_us: bool
    operation: str
    remote_id: str
    before: Mapping[str, Value] | None
    after: Mapping[str, Value] | None
    entity: EntityRef | None
    person: Person
    at: int
    revision: int | None = None  # of the record that was covered
    privacy: bool = False
    state: RecordState | None = None  # after it
    was_visible: bool = False
    media: tuple[str, ...] = ()  # addresses of its pictures, after it


@dataclass(frozen=True, slots=True)
class RemoteEvent:
    """What the remote would tell by webhook."""

    side: Side
    change: str  # upsert | delete
    record: Record
    by_us: bool
    sequence: int
    is_created: bool = False
    privacy: bool = False


def as_deleted(record: Record) -> Record:
    revision = None if record.revision is None else record.revision + 1
    return replace(record, state=RecordState.DELETED, revision=revision)


def record_payload(record: Record) -> dict[str, Any]:
    """A record as JSON, as a webhook carries it."""
    assert record.entity is not None
    return {
        "remote_id": record.remote_id,
        "values": dict(record.values),
        "revision": record.revision,
        "sequence": record.sequence,
        "state": str(record.state),
        "entity": [record.entity.entity_id, record.entity.group, record.entity.namespace],
        "contact_id": record.person.contact_id,
        "email": record.person.email,
        "is_ours": record.is_ours,
        "words": dict(record.words),
        "media": list(record.media),
        "locked": sorted(record.locked),
    }


def record_from(payload: Mapping[str, Any]) -> Record:
    return Record(
        remote_id=payload["remote_id"],
        values={name: Decimal(value) for name, value in payload["values"].items()},
        revision=payload["revision"],
        sequence=payload["sequence"],
        state=RecordState(payload["state"]),
        entity=EntityRef(*payload["entity"]),
        person=Person(contact_id=payload["contact_id"], email=payload["email"]),
        is_verified=payload.get("is_verified"),
        is_ours=payload.get("is_ours"),
        words=payload.get("words", {}),
        media=tuple(payload.get("media", ())),
        locked=frozenset(payload.get("locked", ())),
    )
