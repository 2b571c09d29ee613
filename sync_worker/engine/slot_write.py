"""From the actions for each attribute to one write for each remote record. Pure.

Wix comes before the external side: when the external record is written, all it had to tell has been
told, so the revision that our write returns may become its seen revision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from sync_worker.core.plan import Action, Delete, Hold, Write
from sync_worker.core.values import Operation, Side, Slot
from sync_worker.engine.record_view import RecordView

MAIN_FIELD = "value"


@dataclass(frozen=True, slots=True)
class SlotWrite:
    """One remote write: ``targets`` are the attributes it changes, ``values`` all that the record
    shall hold.
    """

    slot: Slot
    operation: Operation
    actions: Mapping[str, Write | Delete]
    values: Mapping[str, Decimal]

    @property
    def targets(self) -> dict[str, Decimal | None]:
        return {
            name: action.value if isinstance(action, Write) else None
            for name, action in self.actions.items()
        }

    @property
    def is_privacy(self) -> bool:
        return any(
            isinstance(action, Delete) and action.privacy for action in self.actions.values()
        )


def slot_write(
    slot: Slot, record_view: RecordView, actions: Mapping[str, Action], main_attribute: str | None
) -> SlotWrite | Hold | None:
    """The write that the actions ask of this slot; a Hold where the record cannot be what they ask.

    ``main_attribute``: the one without which the record cannot exist (``None``: it is not mapped).
    """
    mine: dict[str, Write | Delete] = {
        name: action
        for name, action in actions.items()
        if isinstance(action, Write | Delete)
        and action.side is slot.side
        and slot.attribute in ("", name)
    }
    if not mine:
        return None
    kept = {
        name: value
        for name, value in record_view.values.items()
        if not isinstance(mine.get(name), Delete)
    }
    values = kept | {
        name: action.value for name, action in mine.items() if isinstance(action, Write)
    }
    operation = _operation(record_view, values, main_attribute)
    return operation if isinstance(operation, Hold) else SlotWrite(slot, operation, mine, values)


def _operation(
    record_view: RecordView, values: Mapping[str, Decimal], main_attribute: str | None
) -> Operation | Hold:
    if record_view.is_withdrawn:
        return Hold("moderated")
    exists = record_view.remote_id is not None
    if exists and not values and main_attribute is not None:
        return Operation.DELETE
    if exists and (main_attribute is None or main_attribute in values):
        return Operation.UPDATE
    if not exists and main_attribute in values:
        return Operation.CREATE
    return Hold("main_value_missing")


def slots_of(attributes: tuple[str, ...]) -> tuple[Slot, ...]:
    """All slots of a link, in the order in which they are written."""
    return (*(Slot(Side.WIX, name) for name in attributes), Slot(Side.EXTERNAL))
