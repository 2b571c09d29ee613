"""The lines of the history: what was there, what is there now, who lost and why. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace

from sync_worker.core.errors import Facts
from sync_worker.core.plan import Action, Hold, Ignore
from sync_worker.core.values import (
    Buried,
    HistoryEntry,
    HistoryKind,
    Intent,
    Known,
    Operation,
    Side,
    Slot,
    Value,
)
from sync_worker.core.values.decisions import Decision
from sync_worker.engine.deciding.decided import Decided
from sync_worker.engine.link_plan import SlotWrite
from sync_worker.engine.moderation.standing import is_rejected_now
from sync_worker.engine.view import View, is_lost

IMPORTED = "import"  # why a row of a file is written


def lines_for_write(
    view: View,
    intent: Intent,
    known: Known | None,
    after: Mapping[str, Value | None],
    inbox_id: int | None,
) -> list[HistoryEntry]:
    """A line for each attribute written, and one if the write may have covered what nobody saw.

    ``known``, ``after``: the record as it is after the write; the view's bases are those before it.
    """
    side = intent.slot.side
    created_id = known.remote_id if known is not None else ""
    lines = []
    for name in intent.targets:
        before, shown = intent.befores.get(name), after.get(name)
        # It is there, and nobody sees it.
        if intent.operation is Operation.WITHDRAW:
            shown = None
        line = HistoryEntry(
            what=_operation_of(intent),
            side=side,
            attribute=name,
            before=before,
            after=shown,
            reason=intent.reasons.get(name, ""),
            remote_id=intent.remote_id or created_id,
            intent_id=intent.id,
            inbox_id=inbox_id,
        )
        # What the write covers is lost, unless both sides had agreed on it.
        if before is not None and is_lost(view, name, side, before):
            line = replace(line, loser=before, loser_side=side)
        if view.holds.decided is not None:
            line = by_person(view.holds.decided, line)
        elif line.reason == IMPORTED:
            line = replace(line, actor=view.importer)
        lines.append(line)
    return lines + lines_for_revision_gap(intent, known)


def by_person(decided: Decided, line: HistoryEntry) -> HistoryEntry:
    """A line as caused by a person, if it is about what that one decided."""
    decision = decided.decision
    if line.reason != decision.reason:
        return line
    return replace(line, actor=decision.actor, inbox_id=decided.delivery.id)


def line_for_decision(
    decided: Decided, attribute: str, shown: Value | None, why_not: str
) -> HistoryEntry:
    """What was decided, and that nothing was written for it. ``shown``: there, on its side."""
    decision = decided.decision
    return HistoryEntry(
        HistoryKind.DECIDE,
        decision.side,
        attribute,
        before=shown,
        after=decision.values.get(attribute),
        reason=f"{why_not}; {decision.reason}",
        inbox_id=decided.delivery.id,
        actor=decision.actor,
    )


def line_for_stop(decision: Decision, inbox_id: int) -> HistoryEntry:
    """A person has stopped the rating."""
    reason, actor = decision.reason, decision.actor
    return HistoryEntry(HistoryKind.HOLD, None, "", reason=reason, inbox_id=inbox_id, actor=actor)


def lines_for_revision_gap(intent: Intent, known: Known | None) -> list[HistoryEntry]:
    """Without a precondition our write may have covered an unseen edit: the revision tells."""
    if known is None or known.revision is None or intent.base_revision is None:
        return []
    # As nearly always ours is the very next one: nothing came in between.
    is_next = known.revision == intent.base_revision + 1
    if is_next or not intent.is_beyond_next(known.revision):
        return []
    reason = f"revisions {intent.base_revision + 1} to {known.revision - 1} were never seen"
    return [
        HistoryEntry(
            HistoryKind.GAP, intent.slot.side, "", reason=reason, remote_id=known.remote_id
        )
    ]


def line_for_refusal(intent: Intent, facts: Facts, inbox_id: int | None) -> HistoryEntry:
    """What the remote said of a write that it refused. It wrote nothing, so it names no intent."""
    return HistoryEntry(
        HistoryKind.REFUSED,
        intent.slot.side,
        intent.slot.attribute or "",
        reason=f"{intent.operation}: {facts.answer or 'no answer'}",
        remote_id=intent.remote_id or "",
        inbox_id=inbox_id,
    )


def lines_for_removal(intent: Intent) -> list[HistoryEntry]:
    """For a record that had to go although another one is the person's."""
    shown = {name: before for name, before in intent.befores.items() if before is not None}
    side = intent.slot.side
    # A record without mapped values gets a line, too: its removal must be on record.
    return [
        HistoryEntry(
            _operation_of(intent),
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


def line_for_fight(write: SlotWrite, now: Value | None) -> HistoryEntry:
    """``now``: what the target shows of the first attribute."""
    name, wanted = next(iter(write.targets.items()))
    return HistoryEntry(
        HistoryKind.HOLD, write.slot.side, name, before=now, after=wanted, reason="fight"
    )


def line_for_held_link(intent: Intent, reason: str) -> HistoryEntry:
    return HistoryEntry(HistoryKind.HOLD, intent.slot.side, "", reason=reason, intent_id=intent.id)


def line_for_shadowed(side: Side, remote_id: str) -> HistoryEntry:
    reason = "a newer record of the same person stands for it"
    return HistoryEntry(HistoryKind.SHADOW, side, "", reason=reason, remote_id=remote_id)


def line_for_no_search(side: Side, reason: str) -> HistoryEntry:
    """An erasure that took along only what was on file."""
    told = f"what else this person wrote here could not be searched: {reason}"
    return HistoryEntry(HistoryKind.GAP, side, "", reason=told)


def lines_for_unseen_edit(
    tombstone: Buried, values: Mapping[str, Value], inbox_id: int
) -> list[HistoryEntry]:
    """An edit that nobody saw before the record was deleted."""
    return [
        HistoryEntry(
            HistoryKind.GAP,
            tombstone.side,
            name,
            before=value,
            loser=value,
            loser_side=tombstone.side,
            reason="edited just before the record was deleted",
            remote_id=tombstone.remote_id,
            inbox_id=inbox_id,
        )
        for name, value in values.items()
    ]


def lines_for_unknown_write(
    intent: Intent, befores: Mapping[str, Value | None]
) -> list[HistoryEntry]:
    """Nothing tells whether the write landed, or will: what it may cover."""
    return [
        HistoryEntry(
            HistoryKind.UNKNOWN,
            intent.slot.side,
            name,
            before=before,
            reason="the answer was lost and nothing tells the outcome",
            remote_id=intent.remote_id or "",
            intent_id=intent.id,
        )
        for name, before in befores.items()
    ]


def line_for_unseen_revision(intent: Intent, remote_id: str, revision: int) -> HistoryEntry:
    """An edit that a write of ours may have covered, and of which no delivery told."""
    return HistoryEntry(
        HistoryKind.GAP,
        intent.slot.side,
        "",
        reason=f"revision {revision} was never seen",
        remote_id=remote_id,
        intent_id=intent.id,
    )


def lines_for_covered_edit(
    intent: Intent, remote_id: str, values: Mapping[str, Value | None], inbox_id: int | None
) -> list[HistoryEntry]:
    """An edit that a write of ours may have covered, with what a delivery told of it."""
    return [
        HistoryEntry(
            HistoryKind.GAP,
            intent.slot.side,
            name,
            before=value,
            loser=value,
            loser_side=intent.slot.side,
            reason="edited while a write of unknown outcome was on its way",
            remote_id=remote_id,
            intent_id=intent.id,
            inbox_id=inbox_id,
        )
        for name, value in values.items()
    ]


def lines_for_differences_left(
    actions: Mapping[str, Action], view: View, held: Set[Slot]
) -> list[HistoryEntry]:
    """What the run leaves as it is although the sides differ; ``held``: kept for a person."""
    lines = []
    if view.capabilities[Side.WIX].can_moderate:
        lines = _lines_for_rejected(view, held)
    for name, action in actions.items():
        match action:
            # a person decides later
            case Hold(reason):
                what = HistoryKind.HOLD
            # by policy, or for want of the operation, it never crosses
            case Ignore(reason):
                what = HistoryKind.IGNORE
            # both sides agree: no difference is left
            case _:
                continue
        wix, external = view.value_on(Side.WIX, name), view.value_on(Side.EXTERNAL, name)
        lines.append(HistoryEntry(what, None, name, before=wix, after=external, reason=reason))
    return lines


def _lines_for_rejected(view: View, held: Set[Slot]) -> list[HistoryEntry]:
    """What we had brought to Wix and its owner has rejected since: its source stays."""
    lines = []
    for slot, shown in view.record_views.items():
        # What is held stays as it was on file, and is told when that ends.
        if slot in held or not is_rejected_now(shown, view.memory.get(slot)):
            continue
        value = shown.values.get(slot.attribute)
        line = HistoryEntry(
            HistoryKind.IGNORE,
            slot.side,
            slot.attribute,
            before=value,
            after=value,
            reason="rejected_import",
            remote_id=shown.remote_id or "",
        )
        lines.append(line)
    return lines


def _operation_of(intent: Intent) -> HistoryKind:
    return HistoryKind.PRIVACY_DELETE if intent.is_privacy else HistoryKind(intent.operation)
