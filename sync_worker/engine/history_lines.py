"""The lines of the history: what was there, what is there now, who lost and why."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from sync_worker.core.plan import Action, Hold, Ignore
from sync_worker.core.values import Base, HistoryEntry, Intent, Known, Operation, Side
from sync_worker.engine.slot_write import SlotWrite
from sync_worker.engine.view import View


def lines_of_write(
    intent: Intent,
    known: Known | None,
    after: Mapping[str, Decimal | None],
    bases: Mapping[str, Base],
    inbox_id: int | None,
) -> list[HistoryEntry]:
    """A line for each attribute written, and one if the write may have covered what nobody saw.

    ``known``, ``after``: the record as it is after the write; ``bases``: as they were before it.
    """
    side = intent.slot.side
    lines = []
    for name in intent.targets:
        before = intent.befores.get(name)
        is_edit = before is not None and before != bases[name].on(side)
        lines.append(
            HistoryEntry(
                what="privacy_delete" if intent.is_privacy else str(intent.operation),
                side=side,
                attribute=name,
                before=before,
                after=after.get(name),
                loser=before if is_edit else None,
                loser_side=side if is_edit else None,
                reason=intent.reasons.get(name, ""),
                remote_id=intent.remote_id or (known.remote_id if known else ""),
                intent_id=intent.id,
                inbox_id=inbox_id,
            )
        )
    return lines + _gap(intent, known)


def _gap(intent: Intent, known: Known | None) -> list[HistoryEntry]:
    """Without a precondition our update may have covered an edit that nobody saw: the revision
    tells.
    """
    if intent.operation is not Operation.UPDATE or known is None:
        return []
    if (
        known.revision is None
        or intent.base_revision is None
        or known.revision == intent.base_revision + 1
    ):
        return []
    reason = f"revisions {intent.base_revision + 1} to {known.revision - 1} were never seen"
    return [HistoryEntry("gap", intent.slot.side, "", reason=reason, remote_id=known.remote_id)]


def lines_of_removal(intent: Intent) -> list[HistoryEntry]:
    """Of a record that had to go although another one is the person's."""
    shown = {name: before for name, before in intent.befores.items() if before is not None}
    side = intent.slot.side
    return [
        HistoryEntry(
            "privacy_delete" if intent.is_privacy else str(Operation.DELETE),
            side,
            name,
            before=before,
            loser=before,
            loser_side=side,
            reason=next(iter(intent.reasons.values())),
            remote_id=intent.remote_id or "",
            intent_id=intent.id,
        )
        for name, before in shown.items() or [("", None)]
    ]


def line_of_fight(write: SlotWrite, now: Decimal | None) -> HistoryEntry:
    """``now``: what the target shows of the first attribute."""
    name, wanted = next(iter(write.targets.items()))
    return HistoryEntry("hold", write.slot.side, name, before=now, after=wanted, reason="fight")


def lines_of_rest(actions: Mapping[str, Action], view: View) -> list[HistoryEntry]:
    """What the run leaves as it is although the sides differ."""
    return [
        HistoryEntry(
            "hold" if isinstance(action, Hold) else "ignore",
            None,
            name,
            before=view.value_on(Side.WIX, name),
            after=view.value_on(Side.EXTERNAL, name),
            reason=action.reason,
        )
        for name, action in actions.items()
        if isinstance(action, Hold | Ignore)
    ]
