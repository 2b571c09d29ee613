"""The paths of a manifest beside what the first rows of a live listing hold. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sync_worker.core.errors import Permanent
from sync_worker.core.values import Record, RecordState
from sync_worker.manifest.check import Finding
from sync_worker.manifest.check.states import unread_word
from sync_worker.manifest.field_values import converted, source_of, stands_at
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.record_reader import created_at, updated_at
from sync_worker.manifest.schema.record import FieldPath

DECIDING = ("entity", "value", "email", "state", "created_at", "updated_at", "revision")
FEW_OFF_SCALE = 10  # of so many records one may be off the scale
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)  # before that a unit is taken for another


def check_paths(
    manifest: Manifest, items: Sequence[Any], context: Mapping[str, Any]
) -> Iterator[Finding]:
    """Each declared field that no row has."""
    rows = [item for item in items if isinstance(item, Mapping)]
    for name in type(manifest.fields).model_fields:
        field: FieldPath | None = getattr(manifest.fields, name)
        if field is None or field.path is None or not rows:
            continue
        if any(_holds(field, row, context) for row in rows):
            continue
        words = f"{stands_at(field, rows[0])}, in each of {len(rows)} records"
        place = f"fields.{name}"
        # A key that no record has is a wrong path; one without a value may come to have some.
        if name in DECIDING and words.startswith("nothing"):
            yield Finding(f"live: {place}", words, place=f"{place}.path")
        else:
            yield Finding(f"live: {place}", advice=words, place=f"{place}.path")


def _holds(field: FieldPath, row: Any, context: Mapping[str, Any]) -> bool:
    try:
        return source_of(field, row, context) not in (None, "")
    except Permanent:
        return False


def check_words(manifest: Manifest, records: Sequence[Record]) -> Iterator[Finding]:
    """States whose words are not read: wrong where nothing would cross for them."""
    field = manifest.fields.state
    if field is None:
        return
    seen = Counter(word for record in records if (word := state_word(manifest, record)))
    for word, count in seen.items():
        if word in manifest.states.read:
            continue
        said = f"{count} of {len(records)} records say {unread_word(manifest, word)}"
        if any(record.state is RecordState.PUBLISHED for record in records):
            yield Finding("live: states.read", advice=said, place="states.read")
        else:
            yield Finding("live: states.read", said, place="states.read")


def state_word(manifest: Manifest, record: Record) -> str | None:
    """The system's own word for the state of a record."""
    field = manifest.fields.state
    if field is None:
        return None
    try:
        word = converted(field, source_of(field, record.raw, {}))
    except Permanent:
        return None
    return str(word).lower() if isinstance(word, bool) else word and str(word)


def check_scale(manifest: Manifest, records: Sequence[Record]) -> Iterator[Finding]:
    """Marks that the declared scale does not have."""
    scale = manifest.scale.scale
    levels = {scale.level(number) for number in range(scale.levels)}
    marks = [record.values["value"] for record in records if "value" in record.values]
    off = [mark for mark in marks if mark not in levels]
    if off:
        shown = ", ".join(str(mark) for mark in sorted(set(off))[:5])
        said = f"{len(off)} of {len(marks)} marks are not on {scale}: {shown}"
        if len(off) * FEW_OFF_SCALE > len(marks):
            yield Finding("live: scale", said, place="scale")
        else:
            yield Finding("live: scale", advice=said, place="scale")
    elif len(marks) >= FEW_OFF_SCALE and max(marks) * 2 <= manifest.scale.max:
        said = (
            f"no mark of {len(marks)} is above {max(marks)}, and scale.max is {manifest.scale.max}"
        )
        yield Finding("live: scale", advice=said, place="scale.max")


def check_times(manifest: Manifest, records: Sequence[Record]) -> Iterator[Finding]:
    """Times that cannot be read, or lie where no rating was ever given."""
    for name, time_of in (("created_at", created_at), ("updated_at", updated_at)):
        if getattr(manifest.fields, name) is None:
            continue
        wrong = next(filter(None, (_time_wrong(manifest, time_of, one) for one in records)), "")
        if wrong:
            words = wrong.removeprefix(f"fields.{name}: ")
            yield Finding(f"live: fields.{name}", words, place=f"fields.{name}")


def _time_wrong(manifest: Manifest, time_of: Any, record: Record) -> str:
    try:
        time: datetime | None = time_of(manifest, record.raw)
    except Permanent as error:
        return error.message
    if time is None:
        return ""
    if not EARLIEST < time < datetime.now(UTC) + timedelta(days=366):
        return f"reads as {time:%Y-%m-%d}; is its unit (iso8601, epoch_s, epoch_ms) right?"
    return ""
