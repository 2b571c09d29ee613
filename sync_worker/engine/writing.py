"""The remote writes of one run: intent → call → what became of it, on file.

A write that succeeded is committed together with the end of its run where nothing else comes in
between: until then its intent is open, and a crash leaves it to be settled by looking.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from sync_worker.core.errors import (
    Conflict,
    Duplicate,
    Gone,
    Held,
    Permanent,
    Transient,
    Unconfirmed,
    UnknownOutcome,
)
from sync_worker.core.hold_reasons import CONTENT_REPLACED
from sync_worker.core.plan import Write
from sync_worker.core.ports.links import Commit, Committed
from sync_worker.core.ports.loop_guard import Guard
from sync_worker.core.values import (
    MODERATES,
    HistoryEntry,
    Intent,
    IntentState,
    Known,
    LinkState,
    Operation,
    Record,
    Side,
    Slot,
    Value,
)
from sync_worker.engine.deciding.ending import note_tried, note_written
from sync_worker.engine.history_lines import line_for_held_link, line_for_refusal
from sync_worker.engine.holds.unseen_twins import refusal_by_unseen
from sync_worker.engine.lease_keeper import LeaseKeeper
from sync_worker.engine.link_plan import SlotWrite
from sync_worker.engine.moderation.calls import claim_if_made, moderate, note_moderated
from sync_worker.engine.moderation.refusals import note_conflict, reason_of_refusal
from sync_worker.engine.moves.answers import hear_answer
from sync_worker.engine.placing import Placing
from sync_worker.engine.reading import Reading
from sync_worker.engine.record_view import values_in
from sync_worker.engine.view import View
from sync_worker.engine.words.answers import is_left_to_remote, shown_after
from sync_worker.engine.words.refused import note_refused_words
from sync_worker.engine.words.replies import send_reply
from sync_worker.engine.writes.hidden import look_for_hidden
from sync_worker.engine.writes.limits import WriteLimits
from sync_worker.engine.writes.values import (
    commit_of_write,
    draft_for,
    intent_for,
    is_made_by,
    left_without,
    newest_in_hand,
)


@dataclass(frozen=True, slots=True)
class Unsaved:
    """A write that succeeded and is not committed yet."""

    intent: Intent
    commit: Commit


@dataclass(slots=True)
class Writing:
    """Writes under the lease of a run, and remembers. At most one write is ``unsaved``."""

    view: View
    reading: Reading
    placing: Placing
    limits: WriteLimits
    keeper: LeaseKeeper
    guard: Guard
    new_id: Callable[[], str]
    unsaved: Unsaved | None = field(default=None, init=False)
    announced: Intent | None = field(default=None, init=False)  # the newest one
    lost_creates: set[Slot] = field(default_factory=set, init=False)  # of which no trace was found

    # -- one write

    def perform(self, write: SlotWrite) -> None:
        """Send one write; the next step plans with what came of it.

        Raises Held, LeaseLost, and what remotes raise. ``UnknownOutcome`` and ``Unconfirmed`` leave
        the intent open: the next run settles it by looking.
        """
        self.limits.check(write)
        intent = intent_for(self.view, write, self.new_id())
        self.announce(intent)
        if self.view.holds.decided is not None:
            note_tried(self.view.holds.decided, write)
        remote, remote_id = self.reading.remotes[write.slot.side], intent.remote_id or ""
        record: Record | None = None
        try:
            match write.operation:
                case Operation.CREATE:
                    record = remote.create(draft_for(self.view, write, intent), intent.id)
                case Operation.UPDATE:
                    draft = draft_for(self.view, write, intent)
                    record = remote.update(remote_id, draft, intent.base_revision)
                case Operation.DELETE:
                    remote.delete(remote_id, intent.base_revision)
                case Operation.WITHDRAW | Operation.APPROVE:
                    record = moderate(remote, intent)
                case Operation.REPLY:
                    record = send_reply(remote, intent)
        # sent, and perhaps done: the intent stays open (both are Transient, so they come first)
        except (UnknownOutcome, Unconfirmed):
            raise
        except (Conflict, Gone) as refusal:
            # changed or deleted there just now: look at both sides again
            self.abandon()
            self.reading.read_all()
            note_conflict(self.view, intent, refusal, newest_in_hand(self.view))
        except Duplicate as duplicate:
            # a record that we did not know stands where we wanted to create one
            self._adopt(intent, duplicate)
        except Permanent as refusal:
            # not done, and it would only be refused again: a person has to know why
            self.abandon([line_for_refusal(intent, refusal.facts, newest_in_hand(self.view))])
            said, refusal.reason = refusal.reason, reason_of_refusal(self.view, intent, refusal)
            note_refused_words(self.view, write, said)
            raise
        except Transient:
            # not done, for sure
            self.abandon()
            raise
        else:
            self._confirm(write, intent, record)

    def announce(self, intent: Intent) -> None:
        """Put the intent on file. Raises Held, and nothing is on file, if the brake stops it.

        The budget comes first: its refusal must not leave a write of unknown outcome.
        """
        self.reading.remotes[intent.slot.side].reserve_request()
        # Whoever settles the write in our place has not met the records behind the synced one.
        if not intent.is_privacy and self.view.shadowed - self.view.run.link.shadowed:
            history = self.view.take_history()
            self.keeper.commit(Commit(shadowed=self.view.shadowed, history=history))
        # So many deletes in an hour look like a mistake, of a person or of ours.
        if not self.keeper.open_intent(intent):
            raise Held("delete_brake")
        self.announced = replace(intent, opened_at=self.view.run.now)

    def _adopt(self, intent: Intent, duplicate: Duplicate) -> None:
        slot = intent.slot
        # It may be what an earlier create of unknown outcome made: until we see it, this one
        # stays open, and is settled by looking.
        can = self.view.capabilities[slot.side]
        is_perhaps_ours = slot in self.lost_creates and can.can_moderate
        if not is_perhaps_ours:
            self.abandon()
        # The remote names the record that stands in the way.
        if duplicate.remote_id is not None:
            self.placing.meet_duplicate(slot, duplicate.remote_id)
        else:
            # It exists, says the remote: also one that moderation had withdrawn, and that we took
            # for gone.
            self.placing.look_up(slot.side, also_buried=True)
        if self.view.record_views[slot].remote_id is None:
            refusal = refusal_by_unseen(self.view)
            if isinstance(refusal, Held):
                line = line_for_refusal(intent, duplicate.facts, newest_in_hand(self.view))
                self.keeper.commit(Commit(history=[line]))
            raise refusal
        if is_perhaps_ours:
            claim_if_made(self.view, self.reading, intent)
            self.abandon()

    def _confirm(self, write: SlotWrite, intent: Intent, record: Record | None) -> None:
        """The write succeeded: the record as returned is the truth now."""
        slot = write.slot
        if record is None:
            self.view.lose(slot)
        else:
            self.view.show(slot, record)
            if self.view.capabilities[slot.side].can_moderate:
                note_moderated(self.view, slot, write.operation, record)
            # Whose it is is not asked of the answer to a write: that is news of its own.
            self.view.departures.own.add(record.remote_id)
            if slot.side is Side.EXTERNAL:
                hear_answer(self.view, self.reading.directory, intent, record)
        record_view = self.view.record_views[slot]
        values = {name: record_view.values.get(name) for name in write.targets}
        if self.view.carried.words:
            values = shown_after(self.view, write, values)
        # Before the outcome is remembered: what is not ours becomes no agreement.
        if record is not None and write.operation not in MODERATES:
            self._note_differing(write, intent, record)
        self.remember(intent, record_view.known(), values)
        self.view.written.note_taken(slot.side)
        if record is not None and record.lost:
            self._hold_for_loss(intent)

    def _hold_for_loss(self, intent: Intent) -> None:
        """Our update took what it did not touch: on file as it landed, and nothing goes on from it.

        Raises Held: a person puts back what was lost before it counts as somebody's edit.
        """
        line = line_for_held_link(intent, CONTENT_REPLACED)
        self.save(Commit(link_state=LinkState.HELD, history=[line]))
        raise Held(CONTENT_REPLACED)

    def _note_differing(self, write: SlotWrite, intent: Intent, record: Record) -> None:
        """Note the attributes of which a remote returned something else than we wrote.

        It turned our value into one of another class, or did not apply it at all.
        """
        shown = values_in(write.slot, record, self.view.carried)
        for name, action in write.actions.items():
            # deleted, or to the digit as we wrote it
            if not isinstance(action, Write) or shown.get(name) == action.value:
                continue
            returned = shown.get(name)
            # A record that waits for a moderator need not show its marks.
            is_hidden = returned is None and not record.is_visible
            if is_hidden or _is_taken(self.view, write.slot.side, name, action.value, returned):
                continue
            is_ours = is_made_by(intent, record.revision, name, returned)
            # By policy what the remote made of our words may stand.
            if is_ours and is_left_to_remote(self.view, name):
                continue
            # Left as it was before the write: that has been seen.
            if name in self.view.carried.words and returned == intent.befores.get(name):
                is_ours = True
            self.view.written.note_unmatched(write.slot, name, is_ours=is_ours)

    # -- remembering

    def abandon(self, history: Sequence[HistoryEntry] = ()) -> None:
        """Close the open intent: its write was not done, or nothing tells that it was."""
        self.keeper.commit(Commit(intent_state=IntentState.ABANDONED, history=history))

    def remember(
        self, intent: Intent, known: Known | None, values: Mapping[str, Value | None]
    ) -> None:
        """Note the outcome of a write, for the next commit.

        ``known``, ``values``: the record after it, and what it shows of each attribute.
        """
        change = commit_of_write(self.view, intent, known, values)
        if self.view.holds.decided is not None:
            note_written(self.view.holds.decided, intent)
        self.unsaved = Unsaved(intent, change)
        self.view.written.add()
        self.view.learn(change.records, change.bases)

    def save(self, end: Commit | None = None) -> Committed | None:
        """Commit the last write if it is not yet, then tell the guard; with ``end``, as one step.

        Returns what came of it. ``None``, and the run goes on, if a record
        that is new on file was deleted before anybody knew its link. Raises Permanent if another
        link has a record on file.
        """
        unsaved, self.unsaved = self.unsaved, None
        if unsaved is not None:
            # a write, and with ``end`` the end of its run in the same transaction
            change = unsaved.commit.then(end)
        elif end is not None:
            # nothing was written, or it is on file already
            change = end
        else:
            return Committed()
        try:
            committed = self.keeper.commit(change)
        except Permanent:
            self._save_own(change, unsaved)
            raise
        if unsaved is not None:
            self._tell_guard(unsaved, committed.buried)
        if committed.buried:
            # Somebody deleted a record before we knew its link.
            left = change.without(committed.buried)
            self.view.learn(left.records, left.bases)
            self.view.lose_buried(committed.buried)
            look_for_hidden(self.view, self.placing, self.keeper, change)
            return None
        return committed

    def _save_own(self, change: Commit, unsaved: Unsaved | None) -> None:
        """Another link has put a record on file just now: what is left of the last write is saved.

        Raises Transient: that one looks at its record first.
        """
        moves = self.placing.moves
        taken = moves.taken_elsewhere(change.records)
        if unsaved is not None:
            left = left_without(unsaved.commit, unsaved.intent, taken)
            self.keeper.commit(left)
            self.view.learn(left.records, left.bases)
        moves.leave_elsewhere()

    def _tell_guard(self, unsaved: Unsaved, buried: Set[str]) -> None:
        """Not of a record that is gone: it may be gone because its person asked for that."""
        slot, site_id = unsaved.intent.slot, self.view.run.site.id
        known = unsaved.commit.records.get(slot)
        # No record, no number to recognise, or its echo is still news (revision 0).
        if known is None or not known.revision or known.remote_id in buried:
            return
        # Nor where moderation goes by the same number.
        if not self.view.capabilities[slot.side].revision_covers_state:
            return
        self.guard.remember(site_id, slot.side, known.remote_id, known.revision, unsaved.intent.id)


def _is_taken(view: View, side: Side, name: str, wanted: Value, returned: Value | None) -> bool:
    # An answer need not show words.
    if returned is None:
        return name in view.carried.words
    return view.carried.field_of(name).is_alike(side, wanted, returned)
