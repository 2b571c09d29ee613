"""What a run sees of the record of one slot, and where it knows that from. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal

from sync_worker.core.scale import FieldMap
from sync_worker.core.values import Base, Known, Record, RecordState, Side, Slot, Snapshot

Source = Literal["ledger", "heard", "read"]


@dataclass(frozen=True, slots=True)
class RecordView:
    """The record of a slot: ``values`` by attribute (mapped ones only, empty while it is absent or
    withdrawn).

    ``source``: remembered by the ledger, carried by a delivery in hand, or read from the remote in
    this run. ``heard``: the newest delivery in hand that spoke of it.
    """

    values: Mapping[str, Decimal]
    source: Source
    remote_id: str | None = None
    revision: int | None = None
    sequence: int | None = None
    state: RecordState = RecordState.PUBLISHED
    heard: int | None = None
    privacy: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def is_withdrawn(self) -> bool:
        """The record exists but may not cross (moderation)."""
        return self.remote_id is not None and self.state is not RecordState.PUBLISHED

    def snapshot(self, attribute: str) -> Snapshot:
        return Snapshot(self.values.get(attribute), self.heard, self.privacy)

    def known(self) -> Known | None:
        """The same as the ledger's memory."""
        if self.remote_id is None:
            return None
        return Known(self.remote_id, self.revision, self.sequence, self.state, self.raw)

    def heard_by(self, inbox_id: int) -> RecordView:
        return (
            self
            if self.heard is not None and self.heard >= inbox_id
            else replace(self, heard=inbox_id)
        )


def absent(source: Source, heard: int | None = None, *, privacy: bool = False) -> RecordView:
    return RecordView({}, source, heard=heard, privacy=privacy)


def remembered(slot: Slot, known: Known | None, bases: Mapping[str, Base]) -> RecordView:
    """The ledger's view: the values when both sides last agreed, at the seen revision."""
    if known is None:
        return absent("ledger")
    attributes = [slot.attribute] if slot.attribute else list(bases)
    values = {
        name: base.on(slot.side) for name in attributes if (base := bases.get(name)) is not None
    }
    return RecordView(
        {name: value for name, value in values.items() if value is not None},
        "ledger",
        known.remote_id,
        known.revision,
        known.sequence,
        known.state,
        raw=known.raw,
    )


def seen(
    slot: Slot, record: Record, fields: Iterable[FieldMap], source: Source, heard: int | None = None
) -> RecordView:
    """The view that a whole record gives."""
    names = {field.attribute: _field_name(field, slot.side) for field in fields}
    if slot.attribute:
        names = {slot.attribute: names.get(slot.attribute, slot.attribute)}
    values = {name: record.values[there] for name, there in names.items() if there in record.values}
    return RecordView(
        values if record.is_visible else {},
        source,
        record.remote_id,
        record.revision,
        record.sequence,
        record.state,
        heard,
        raw=record.raw,
    )


def _field_name(field: FieldMap, side: Side) -> str:
    return field.attribute if side is Side.WIX else field.external_field


def to_fields(
    values: Mapping[str, Decimal], fields: Iterable[FieldMap], side: Side
) -> dict[str, Decimal]:
    """Values by attribute → values by the field names of a side."""
    return {
        _field_name(field, side): values[field.attribute]
        for field in fields
        if field.attribute in values
    }
