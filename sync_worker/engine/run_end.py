"""How a run ends: what its last commit puts on file, and how its deliveries end. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from sync_worker.core.hold_reasons import DECISION_OUTDATED
from sync_worker.core.outcome import Outcome, OutcomeKind
from sync_worker.core.plan import Action, Agree, Hold, Ignore
from sync_worker.core.ports.inbox import ERASED, Closing
from sync_worker.core.ports.links import Commit
from sync_worker.core.values import (
    Base,
    Buried,
    Change,
    HistoryEntry,
    InboxState,
    Known,
    LinkState,
    Side,
    Slot,
    Standing,
)
from sync_worker.engine.history_lines import lines_for_differences_left
from sync_worker.engine.link_plan import held_slots
from sync_worker.engine.moderation.standing import known_at_end
from sync_worker.engine.news import OVERTAKEN, SUPERSEDED, UNSEEN
from sync_worker.engine.record_view import Source, seen_revisions
from sync_worker.engine.view import View, begins_generation
from sync_worker.engine.words.planning import NORMALISED


def outcome_of_run(view: View, actions: Mapping[str, Action]) -> Outcome:
    """Held if one of its attributes is; what a remote made of our value counts first."""
    holds = [action.reason for action in actions.values() if isinstance(action, Hold)]
    if NORMALISED in holds:
        return Outcome(OutcomeKind.HELD, NORMALISED)
    if holds:
        return Outcome(OutcomeKind.HELD, holds[0])
    return Outcome(_kind_of_done(view))


def reported(view: View, outcome: Outcome) -> Outcome:
    """What the run tells of itself: a delivery that it held alone counts, too."""
    if outcome.kind is not OutcomeKind.HELD:
        for closing in view.closings.values():
            if closing.state is InboxState.HELD:
                return Outcome(OutcomeKind.HELD, closing.reason)
    return outcome


def _kind_of_done(view: View) -> OutcomeKind:
    return OutcomeKind.SYNCED if view.written.count else OutcomeKind.IN_STEP


def end_of_run(
    view: View,
    actions: Mapping[str, Action],
    outcome: Outcome,
    history: Sequence[HistoryEntry],
) -> Commit:
    """The commit that ends the run, and with it the lease and the deliveries in hand.

    ``history``: lines that are not on file yet.
    """
    exists = any(record_view.remote_id is not None for record_view in view.record_views.values())
    held = held_slots(view, actions)
    # Buried only if nothing is left and nobody has to decide.
    is_live = exists or outcome.kind is OutcomeKind.HELD
    link_state = LinkState.LIVE if is_live else LinkState.BURIED
    return Commit(
        records=_new_records(view, held),
        # Both sides agree, or a change stays where it is by policy: either way it is no news.
        bases={
            name: _current_base(view, name)
            for name, action in actions.items()
            if isinstance(action, Agree | Ignore)
        },
        link_state=link_state,
        new_generation=exists and begins_generation(view),
        buried=_buried(view),
        revived=_revived(view, held),
        shadowed=view.shadowed,
        seen=seen_revisions(view.record_views.values()),
        history=[*history, *lines_for_differences_left(actions, view, held)],
        closings=closings_of_run(view, held, outcome),
        release=True,
        erases=view.erases,
    )


def _buried(view: View) -> list[Buried]:
    """What is gone for good; a record that was let go lives, and its tombstone is on file.

    Buried again with this link, an erasure would take it for one of its own.
    """
    buried, left = view.tombstones.buried, view.departures.left
    if not left:
        return list(buried.values())
    return [one for one in buried.values() if one.side is Side.WIX or one.remote_id not in left]


def _revived(view: View, held: Set[Slot]) -> list[Buried]:
    """Tombstones that a look refuted, but for those of records that stay off file: held ones.

    Without its tombstone older news of such a record would pass for the first.
    """
    off_file = {
        (slot.side, view.record_views[slot].remote_id)
        for slot in held
        if slot in view.record_views and slot not in view.memory
    }
    return [one for key, one in view.tombstones.revived.items() if key not in off_file]


def _current_base(view: View, attribute: str) -> Base:
    """What both sides show now, as the base to remember."""
    wix, external = (view.value_on(side, attribute) for side in Side)
    return Base(wix, external, view.carried.version_of(attribute))


def _new_records(view: View, held: Set[Slot]) -> dict[Slot, Known | None]:
    """What to remember of the slots that this run saw."""
    records: dict[Slot, Known | None] = {}
    for slot, record_view in view.record_views.items():
        known = record_view.known()
        if known is not None and known.standing is not Standing.THEIRS:
            known = known_at_end(known, view.record_views[Slot(Side.EXTERNAL)])
        # unchanged since it was put on file
        if known == view.memory.get(slot):
            continue
        # moved away, and the old rating cannot be withdrawn yet
        on_file = view.memory.get(slot)
        if on_file is not None and on_file.remote_id in view.departures.waiting:
            continue
        # gone: forgotten in any case. Else a slot with a change that is held keeps its seen
        # revision: a later write under it will be refused by the remote, and so cannot cover
        # that change.
        if known is None or slot not in held:
            records[slot] = known
    return records


def closings_of_run(view: View, held: Set[Slot], outcome: Outcome) -> dict[int, Closing]:
    """How the deliveries in hand end, by inbox id."""
    in_hand = {delivery.id for delivery in view.run.deliveries}
    # What only a person releases is as it was, unless it is overtaken.
    in_hand.difference_update([delivery.id for delivery in view.holds.standing_by])
    in_hand -= view.holds.left
    open_ids = in_hand - view.closings.keys()
    closings = dict(view.closings)
    # What told something, and was not closed as no news, is done now.
    done = Closing(InboxState.DONE, str(_kind_of_done(view)))
    closings |= dict.fromkeys(open_ids, done)
    # What was held before has outlived its cause; if not, it is held again below.
    for delivery in view.holds.before:
        # A privacy request ends as what its look made of it, and so does a person's decision.
        if delivery.new.privacy or delivery.new.change is Change.DECIDE:
            continue
        ended = view.closings.get(delivery.id, done)
        # What it told of a lost edit stays on record.
        if ended not in (ERASED, UNSEEN) and ended.state is not InboxState.HELD:
            closings[delivery.id] = OVERTAKEN
    if outcome.kind is OutcomeKind.HELD:
        to_hold = _one_for_each_record(view, _ids_to_hold(view, open_ids, held), outcome.reason)
        closings |= dict.fromkeys(to_hold, Closing(InboxState.HELD, outcome.reason))
    elif view.holds.standing_by:
        closings |= dict.fromkeys(_overtaken(view), OVERTAKEN)
    for inbox_id in view.tombstones.naming_erased & closings.keys():
        # What is held is for a person to see.
        if closings[inbox_id].state is not InboxState.HELD:
            closings[inbox_id] = ERASED
    return closings


def _overtaken(view: View) -> list[int]:
    """What waits for a person although a look of this run has found its rating in step."""
    overtaken = []
    unseen = {
        slot
        for slot, record_view in view.record_views.items()
        if record_view.remote_id is not None and record_view.source is Source.LEDGER
    }
    for delivery in view.holds.standing_by:
        # In step is no answer to a privacy request: the rating lives on.
        if delivery.new.privacy and not view.erases:
            continue
        # Nor to what a person decided and nobody has looked at yet.
        if delivery.new.change is Change.DECIDE and delivery.reason != DECISION_OUTDATED:
            continue
        # Nor to a record of which nobody knows anything yet.
        if delivery.id in view.holds.of_new_records:
            continue
        slot = view.slot_by_delivery.get(delivery.id)
        # Of a record that this run has not looked at, nothing is known; of one that is not on file
        # any more only when all others were looked at.
        is_seen = slot not in unseen
        if slot is None:
            is_seen = not unseen
        if is_seen or view.holds.is_frozen:
            overtaken.append(delivery.id)
    return overtaken


def _ids_to_hold(view: View, open_ids: Set[int], held: Set[Slot]) -> Set[int]:
    """The deliveries that a hold keeps visible, and whose release looks again."""
    # What a read had shown already is held with the delivery that tells it, or nothing would
    # look again.
    superseded = {inbox_id for inbox_id, closing in view.closings.items() if closing == SUPERSEDED}
    telling = {
        inbox_id
        for inbox_id in open_ids | superseded
        if view.slot_by_delivery.get(inbox_id) in held
    }
    if telling:
        return telling
    # Nothing in hand speaks of the change that is held: all that is open stands for it.
    if open_ids:
        return open_ids
    # A hold must be visible: if nothing is open, the newest delivery carries it.
    as_before = view.holds.left | {delivery.id for delivery in view.holds.standing_by}
    in_hand = [one.id for one in view.run.deliveries if one.id not in as_before]
    return {max(in_hand)} if in_hand else set()


def _one_for_each_record(view: View, to_hold: Set[int], reason: str) -> Set[int]:
    """Without what came beside a delivery of the same record that is held for this reason already.

    That one keeps the hold visible, and each look takes it up: else every change of the stars
    beside a text that waits would be one more that is held.
    """
    first: dict[tuple[Slot | None, str], int] = {}
    # After a merge of contacts two records have one slot.
    records = {
        one.id: (view.slot_by_delivery.get(one.id), one.new.remote_id)
        for one in view.run.deliveries
    }
    for one in view.holds.before:
        if one.id in to_hold and one.reason == reason:
            record = records[one.id]
            first[record] = min(one.id, first.get(record, one.id))
    private = {one.id for one in view.run.deliveries if one.new.privacy}
    return {
        inbox_id
        for inbox_id in to_hold
        if inbox_id in private or first.get(records[inbox_id], inbox_id) == inbox_id
    }


def ids_to_forget(view: View, buried_with: Sequence[tuple[Side, str]]) -> list[tuple[Side, str]]:
    """Remote ids of which the loop guard must not tell after an erasure.

    ``buried_with``: those that were on file with the link earlier.
    """
    told = {(delivery.new.side, delivery.new.remote_id) for delivery in view.run.deliveries}
    on_file = {(slot.side, known.remote_id) for slot, known in view.run.link.records.items()}
    return sorted({*view.tombstones.buried, *buried_with, *told, *on_file})
