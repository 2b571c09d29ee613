"""What became of a write whose answer is unknown: found out by looking, never by repeating it.

The echo of a write is its acknowledgement: a delivery for the revision after the intent's base,
with the intent's values, proves that the write landed, even if somebody has edited or deleted the
record since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace

from sync_worker.core.errors import Transient
from sync_worker.core.ports.inbox import Inbox
from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values import (
    NOTHING_SEEN,
    Change,
    Conflict,
    Intent,
    Known,
    Operation,
    Record,
    Side,
    Value,
)
from sync_worker.engine.history_lines import lines_for_unknown_write
from sync_worker.engine.moderation.calls import look_at_moderated, standing_written, state_written
from sync_worker.engine.moves.answers import compare_answer, identity_settled
from sync_worker.engine.placing import Placing
from sync_worker.engine.reading import Reading
from sync_worker.engine.view import View
from sync_worker.engine.words.answers import tells_more
from sync_worker.engine.writes.echoes import Echoes

# So long after a write its echo may be on its way, where only that tells the outcome.
ECHO_SECONDS = 60.0
LOOK_AGAIN_SECONDS = 5.0
# A create that failed made no record, one that is deleted is none any more, and a decision names
# none.
NAMES_NONE_NOW = (Change.DELETE, Change.CREATE_FAILED, Change.DECIDE)


@dataclass(frozen=True, slots=True)
class Settled:
    """The write landed.

    ``landed``: the record as it was right after it (``None``: a delete); ``values``: what that
    showed of each attribute. ``is_gone``: somebody deleted the record after that.
    """

    landed: Known | None
    values: Mapping[str, Value | None]
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Settlement:
    """Settles one intent. Leaves what it read in the view. Raises as ``Reading``, and Held."""

    view: View
    reading: Reading
    placing: Placing
    inbox: Inbox
    intent: Intent

    def settle(self) -> Settled | None:
        """How the write landed; ``None`` if it did not, or if nothing tells that it did."""
        if self.intent.slot not in self.view.record_views:
            # Its attribute is not mapped any more.
            return None
        match self.intent.operation:
            case Operation.DELETE:
                return self._settle_delete()
            case Operation.UPDATE | Operation.REPLY:
                return self._settle_update()
            case Operation.CREATE:
                return self._settle_create()
            case Operation.WITHDRAW | Operation.APPROVE:
                record = look_at_moderated(self.view, self.reading, self.intent)
                return None if record is None else self._as_shown(record)

    def _settle_delete(self) -> Settled | None:
        """After a merge of contacts the record need not be the one on file."""
        slot, remote_id = self.intent.slot, self.intent.remote_id or ""
        is_on_file = self.view.record_views[slot].remote_id == remote_id
        record = self._get(remote_id)
        if record is not None:
            if is_on_file:
                self.view.take(slot, record)
            # Not deleted; but a worker that stood still may send it yet.
            self._note_unknown(self._values(record))
            return None
        # gone: by our delete or another's, which is the same to us
        if is_on_file:
            self.view.lose(slot)
        return Settled(None, dict.fromkeys(self.intent.targets))

    def _settle_update(self) -> Settled | None:
        remote_id = self.intent.remote_id or ""
        record = self._get(remote_id)
        # there: its revision or its values tell
        if record is not None:
            self.view.take(self.intent.slot, record)
            self._compare_found(record)
            return self._landed(record)
        # gone: only an echo proves that our update came before the delete
        self.view.miss(self.intent.slot)
        if (settled := self._landed_and_gone(remote_id)) is None:
            self._note_unknown(self.intent.befores)
            first = self._echoes.first_revision
            self._echoes.note_covered(remote_id, range(first, first + 1))
        return settled

    def _compare_found(self, record: Record) -> None:
        """What we found, and wrote before it was on file, may have moved since: as after a write.

        On file as it shows now, that it moved would be news no more.
        """
        slot = self.intent.slot
        if slot.side is Side.EXTERNAL and self.view.memory.get(slot) is None:
            compare_answer(self.view, self.reading.directory, record, None)

    def _settle_create(self) -> Settled | None:
        living: Record | None = None
        for remote_id in self._candidates():
            # It was made, and has moved since: another rating has it on file.
            if self.placing.moves.is_elsewhere(self.intent.slot.side, remote_id):
                continue
            record = self._get(remote_id)
            if record is None:
                # created by us and deleted since, or never ours
                if (settled := self._landed_and_gone(remote_id)) is not None:
                    return settled
                continue
            # not of the attribute that we wanted to create
            if self.view.slot_for(self.intent.slot.side, record) != self.intent.slot:
                continue
            # somebody else made it, as it says; or it counts as gone, and is none of ours
            if record.is_ours is False or not self._may_be_ours(record):
                continue
            living = living or record
            # Where a person may have several records, one before ours may be their own.
            if self._can.is_unique or self._has_targets(record):
                living = record
                break
        # nothing shows: it did not land, or shows later
        if living is None:
            return None
        self.placing.place(self.intent.slot, living)
        return self._landed(living)

    def _landed_and_gone(self, remote_id: str) -> Settled | None:
        if (echo := self._echoes.find(remote_id, self._has_targets, None)) is None:
            return None
        # The file may know it as it was before our write.
        self.view.tombstones.note_last_state(self.intent.slot.side, remote_id, echo.state)
        return Settled(self._known(echo), self._values(echo), is_gone=True)

    def _note_unknown(self, befores: Mapping[str, Value | None]) -> None:
        """Nothing tells whether the write landed, or will."""
        self.view.note(lines_for_unknown_write(self.intent, befores))

    def _get(self, remote_id: str) -> Record | None:
        return self.reading.get(self.intent.slot.side, remote_id)

    def _candidates(self) -> Iterator[str]:
        """Ids that our create may have made: found by search, or told by a delivery in hand."""
        side = self.intent.slot.side
        hits = self.reading.find(side, also_buried=not self._can.can_moderate)
        found = [remote_id for slot, remote_id in hits if slot == self.intent.slot]
        # A delivery may name our record before the search shows it.
        told = [
            delivery.new.remote_id
            for delivery in self.view.run.deliveries
            if delivery.new.side is side
            and delivery.new.change not in NAMES_NONE_NOW
            and self.view.slot_on_file(side, delivery.new.remote_id) is None
        ]
        return iter(dict.fromkeys(found + told))

    def _may_be_ours(self, record: Record) -> bool:
        """What counts as gone waits for a moderator, as we wrote it; or shows late."""
        side = self.intent.slot.side
        if self._may_show_hidden or not self.reading.is_out(side, record.remote_id):
            return True
        return not record.is_visible and self._has_targets(record)

    @property
    def _may_show_hidden(self) -> bool:
        """A create that shows late may be unpublished at first, and be taken for gone then."""
        # Judge.me accepts a create before it has a record.
        return self.intent.operation is Operation.CREATE and self._can.create_is_async

    @property
    def _echoes(self) -> Echoes:
        return Echoes(self.view, self.reading, self.inbox, self.intent)

    @property
    def _can(self) -> Capabilities:
        return self.view.capabilities[self.intent.slot.side]

    # -- did it land?

    def _landed(self, record: Record) -> Settled | None:
        first = self._echoes.first_revision
        # not counted, or by a call that names no revision and need not raise it
        if record.revision is None or self.intent.operation is Operation.REPLY:
            self._echoes.note_covered(record.remote_id, range(first, record.revision or first))
            return self._landed_unnumbered(record)
        # unchanged since before our write
        if record.revision < first:
            return None
        # changed once, to what we wrote
        if record.revision == first and self._has_targets(record):
            return self._as_shown(record)
        # as we wanted to make it, and only who sees it has changed since
        if is_made_here(self._can, self.intent, record) and self._has_targets(record):
            return self._as_shown(record)
        # changed more than once, or to something else: only the echo tells of our write
        echo = self._echoes.find(record.remote_id, self._has_targets, record.revision)
        if echo is not None:
            return self._as_shown(echo)
        self._wait_for_echo()
        shown = as_wanted_in(self.view, self.intent, record)
        self.view.written.note_maybe_ours(self.intent.slot.side, shown)
        self._note_unknown(self.intent.befores)
        self._echoes.note_covered(record.remote_id, range(first, record.revision))
        return None

    def _wait_for_echo(self) -> None:
        """Given up too early, an edit made after our write would pass for one beside it.

        Raises Transient while the echo may still come.
        """
        if self.view.run.now - self.intent.opened_at < ECHO_SECONDS:
            message = "waiting to hear whether the write landed"
            raise Transient(message, retry_after=LOOK_AGAIN_SECONDS)

    def _landed_unnumbered(self, record: Record) -> Settled | None:
        """Without a revision: by what the record shows."""
        is_late_create = self._may_show_hidden
        # given by the person in the meantime
        if is_late_create and self._is_somebodys_own(record):
            return None
        # created, and waiting until a moderator publishes it; or there as we wrote it
        waits = is_late_create and not record.is_visible
        if waits or self._has_targets(record):
            return self._as_shown(record)
        # created by us, and changed since
        if is_late_create and not self._can.correlates_value:
            return Settled(self._known(record), dict(self.intent.targets))
        # edited since our look, so after what we carried: as good as an edit of what we wrote
        if self._is_edited_since(record):
            return Settled(self._known(record), dict(self.intent.targets))
        return None

    def _is_edited_since(self, record: Record) -> bool:
        """Whether a record shows neither what our look before the write found nor what we wrote.

        The later edit counts, unless the owner named a side for conflicts.
        """
        is_update = self.intent.operation in (Operation.UPDATE, Operation.REPLY)
        if not is_update or self.view.run.site.policy.conflict != Conflict.LATEST:
            return False
        shown, befores = self._values(record), self.intent.befores
        return all(shown[name] not in (None, befores.get(name)) for name in self.intent.targets)

    def _is_somebodys_own(self, record: Record) -> bool:
        """What we create has no words but those that we send with it."""
        has_words = self._can.correlates_text and record.has_words
        return has_words and not says_what_we_sent(self.view, self.intent, record)

    def _as_shown(self, record: Record) -> Settled:
        known = self._known(record)
        if known.revision is not None and tells_more(self.view, self.intent, record):
            known = replace(known, revision=NOTHING_SEEN)
        return Settled(known, self._values(record))

    def _known(self, record: Record) -> Known:
        shown = self.view.seen_as(self.intent.slot, record)
        identity, standing = identity_settled(self.view, self.intent, shown), shown.standing
        state = state_written(self._can, self.intent, record)
        if self._can.can_moderate:
            standing = standing_written(self.view, self.intent.operation, standing, record)
        known = Known(record.remote_id, record.revision, record.sequence, state, record.raw)
        return replace(known, identity=identity, standing=standing)

    def _values(self, record: Record) -> dict[str, Value | None]:
        shown = self.view.seen_as(self.intent.slot, record)
        # There a record shows its values to us, whoever else sees it; so it did as we wrote.
        is_hidden_since = self._known(record).state is not record.state
        values = shown.hidden if self._can.can_moderate or is_hidden_since else shown.values
        return {name: values.get(name) for name in self.intent.targets}

    def _has_targets(self, record: Record) -> bool:
        return as_wanted_in(self.view, self.intent, record) == set(self.intent.targets)


def is_made_here(can: Capabilities, intent: Intent, record: Record) -> bool:
    """Whether a record may be what a create made, whatever a moderator did since.

    A decision may count as a revision, and not every remote says who made a record.
    """
    is_ours = record.is_ours is True or (can.can_moderate and record.is_ours is None)
    return intent.operation is Operation.CREATE and is_ours


def as_wanted_in(view: View, intent: Intent, record: Record) -> Set[str]:
    """The attributes that a record shows as a write wanted them."""
    # What waits for a moderator holds what we wrote, too, though it shows nothing yet.
    values = view.seen_as(intent.slot, record).hidden
    return {name for name in intent.targets if is_as_wanted(view, intent, name, values.get(name))}


def is_as_wanted(view: View, intent: Intent, name: str, shown: Value | None) -> bool:
    """Whether an attribute is as we wrote it: a remote may return another value of its class."""
    wanted = intent.targets[name]
    # deleted, not there, or not kept in step any more: only the very same
    if wanted is None or shown is None or name not in view.bases:
        return wanted == shown
    return view.carried.field_of(name).is_alike(intent.slot.side, wanted, shown)


def says_what_we_sent(view: View, intent: Intent, record: Record) -> bool:
    """Whether the words of a record are those that we sent, if we sent any."""
    words = [name for name in intent.targets if name in view.carried.words]
    shown = view.seen_as(intent.slot, record).values
    return bool(words) and all(is_as_wanted(view, intent, name, shown.get(name)) for name in words)
