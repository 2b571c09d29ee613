"""What a delivery tells that the run does not know yet. Pure."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from enum import Enum, auto

from sync_worker.core.ports.inbox import Closing
from sync_worker.core.values import (
    NOTHING_SEEN,
    Buried,
    Change,
    Delivery,
    InboxState,
    Record,
    RecordState,
    Side,
)
from sync_worker.engine.record_view import RecordView, Source

STALE = Closing(InboxState.DONE, "stale")
BURIED = Closing(InboxState.DONE, "buried")
UNSEEN = Closing(InboxState.DONE, "buried_with_unseen_edit")
NOT_MAPPED = Closing(InboxState.DONE, "attribute_not_mapped")
SUPERSEDED = Closing(InboxState.SUPERSEDED)
NOT_CREATED = Closing(InboxState.DONE, "create_failed")
NOT_DELETED = Closing(InboxState.HELD, "not_deleted")
OVERTAKEN = Closing(InboxState.DONE, "overtaken")
MOVED_ON = Closing(InboxState.DONE, "moved")
BEHIND_ANOTHER = Closing(InboxState.DONE, "shadowed")


class NewsOfDelete(Enum):
    """What a delete of the record on file tells."""

    STALE = auto()
    FINAL = auto()
    TO_READ = auto()


class NewsOfKnown(Enum):
    """What an event of the record on file tells."""

    STALE = auto()
    TO_READ = auto()
    NEWER = auto()
    SUPERSEDED = auto()


class NewsOfUnknown(Enum):
    """What an event of a record that is not on file tells."""

    ERASED = auto()
    GONE = auto()
    TO_READ = auto()
    TOLD = auto()


def classify_delete(delivery: Delivery, record_view: RecordView, *, is_final: bool) -> NewsOfDelete:
    """What a delete of the record on file tells; ``is_final``: such events need no look."""
    # restored since
    if is_older(delivery.new.sequence, record_view.sequence):
        return NewsOfDelete.STALE
    # deleted, says a system that is to be believed, and just now
    if is_final and not delivery.must_read:
        return NewsOfDelete.FINAL
    # deleted, or so it was once
    return NewsOfDelete.TO_READ


def classify_known(
    delivery: Delivery,
    told: Record | None,
    record_view: RecordView,
    *,
    is_news: bool,
    covers_state: bool = True,
) -> NewsOfKnown:
    """What an event of the record on file tells; ``told``: the whole record that it carries.

    ``covers_state``: moderation raises the revision, too.
    """
    # at or below the revision that an earlier run saw
    if not is_news and not delivery.must_read:
        return NewsOfKnown.STALE
    # a hint only, or nothing tells which of the two is newer
    if told is None or told.revision is None or record_view.revision is None:
        return NewsOfKnown.TO_READ
    # on file with a write of ours that has not shown all: what is told may be from before it
    if record_view.source is Source.LEDGER and record_view.revision == NOTHING_SEEN:
        return NewsOfKnown.TO_READ
    # nothing in it has changed, but perhaps who sees it
    if told.revision == record_view.revision and is_news and not covers_state:
        return _news_of_state(told, record_view)
    # changed since the ledger's memory, or since another delivery in hand
    if record_view.source is Source.LEDGER or told.revision > record_view.revision:
        return NewsOfKnown.NEWER
    # this run has seen a newer state already
    return NewsOfKnown.SUPERSEDED


def _news_of_state(told: Record, record_view: RecordView) -> NewsOfKnown:
    """What an event of the revision that is known tells: only its sequence has an order."""
    # read in this run, so after the event
    if record_view.source is Source.READ:
        return NewsOfKnown.SUPERSEDED
    # both are of events
    if told.sequence is not None and record_view.sequence is not None:
        is_later = told.sequence > record_view.sequence
        return NewsOfKnown.NEWER if is_later else NewsOfKnown.SUPERSEDED
    # Nothing is put back to waiting: what waits still has its first place in the order, and what
    # does not wait any more is past this event.
    if told.state is RecordState.PENDING:
        waits = record_view.state is RecordState.PENDING
        return NewsOfKnown.NEWER if waits else NewsOfKnown.STALE
    # so whoever decided did so after it was seen waiting
    if record_view.state is RecordState.PENDING:
        return NewsOfKnown.NEWER
    # it was seen by a look, or in an answer, as it is told now
    if told.state is record_view.state:
        return NewsOfKnown.STALE
    # nothing tells which of the two is newer
    return NewsOfKnown.TO_READ


def classify_unknown(
    delivery: Delivery, told: Record | None, tombstone: Buried | None
) -> NewsOfUnknown:
    """What an event of a record that is not on file tells; ``told`` as in ``classify_known``."""
    if tombstone is None:
        # a new record; a lost create of ours may be gone by now
        is_believed = told is not None and not delivery.new.is_ours
        return NewsOfUnknown.TOLD if is_believed else NewsOfUnknown.TO_READ
    # erased on request: nothing of it counts any more
    if tombstone.privacy:
        return NewsOfUnknown.ERASED
    # deleted, and perhaps restored since; only a look tells
    if may_be_restored(delivery, tombstone):
        return NewsOfUnknown.TO_READ
    # deleted after what the delivery tells
    return NewsOfUnknown.GONE


def may_matter(delivery: Delivery, tombstone: Buried) -> bool:
    """Whether a delivery for an id that is gone may still matter to its link."""
    # erased on request: nothing of it counts any more
    if tombstone.privacy:
        return False
    # deleted twice; only the word that privacy was the reason is new
    if delivery.new.change == Change.DELETE:
        return delivery.new.privacy
    # restored, or edited before it was deleted and nobody saw that
    return may_be_restored(delivery, tombstone) or was_unseen(delivery, tombstone)


def may_tell_reply(delivery: Delivery, tombstone: Buried) -> bool:
    """Whether it may tell of a reply from just before our delete: none need raise the revision."""
    new = delivery.new
    if tombstone.privacy or new.change != Change.UPSERT or new.revision is None:
        return False
    return new.revision == tombstone.revision


def may_be_restored(delivery: Delivery, tombstone: Buried) -> bool:
    """Whether a delivery for an id that is gone may be news of a restore; only a look tells."""
    new = delivery.new
    # replayed, or opened again: it tells of then, only a look tells of now
    if delivery.must_read:
        return True
    # the side numbers its events
    if new.sequence is not None and tombstone.sequence is not None:
        return new.sequence > tombstone.sequence
    # the side numbers the states of its records
    if new.revision is not None and tombstone.revision is not None:
        return new.revision > tombstone.revision
    # nothing tells which of the two came first
    return True


def is_as_buried(record: Record, tombstone: Buried) -> bool:
    """Whether a living record has not changed since it was buried: then nobody restored it."""
    if record.revision is None or tombstone.revision is None:
        return False
    return record.revision <= tombstone.revision


def was_unseen(delivery: Delivery, tombstone: Buried) -> bool:
    """Whether it tells of an edit after what we last saw of a record that is gone now."""
    revision = delivery.new.revision
    # no numbers: a lost edit is not claimed without proof
    if revision is None or tombstone.revision is None:
        return False
    return revision > tombstone.revision


def is_older(number: int | None, than: int | None) -> bool:
    """At or below; unknown numbers are never older."""
    return number is not None and than is not None and number <= than


@dataclass(slots=True)
class Tombstones:
    """Tombstones of one run: new ones, and old ones that a look refuted.

    ``unburied``: ids of deliveries in hand that had no tombstone when the lease was taken.
    ``buried``: ids that this run found to be gone. ``before_look``: tombstones as they were just
    before a look; a look refutes only what was there before it. ``revived``: those it refuted.
    ``last_states``: in which this run knew, when they went, records that were on file.
    ``naming_erased``: ids of deliveries that name somebody else who was erased.
    """

    unburied: Set[tuple[Side, str]]
    buried: dict[tuple[Side, str], Buried] = field(default_factory=dict)
    before_look: dict[tuple[Side, str], Buried] = field(default_factory=dict)
    revived: dict[tuple[Side, str], Buried] = field(default_factory=dict)
    last_states: dict[tuple[Side, str], RecordState] = field(default_factory=dict)
    naming_erased: set[int] = field(default_factory=set)

    def is_decided(self, side: Side, remote_id: str) -> bool:
        """Whether this run knows without the ledger if the id has a tombstone."""
        key = (side, remote_id)
        return key in self.revived or key in self.buried or key in self.unburied

    def get(self, side: Side, remote_id: str) -> Buried | None:
        """The tombstone of an id, as far as this run knows; a refuted one does not count."""
        if (side, remote_id) in self.revived:
            return None
        return self.buried.get((side, remote_id))

    def bury(self, tombstone: Buried) -> None:
        self.buried[tombstone.side, tombstone.remote_id] = tombstone

    def bury_again(
        self, tombstone: Buried, last_state: RecordState = RecordState.PUBLISHED
    ) -> None:
        """The record is gone now, even if an earlier look of this run had found it."""
        self.bury(tombstone)
        self.note_last_state(tombstone.side, tombstone.remote_id, last_state)
        self.revived.pop((tombstone.side, tombstone.remote_id), None)

    def note_last_state(self, side: Side, remote_id: str, last_state: RecordState) -> None:
        """In which a record was when it went, as far as this run knows."""
        self.last_states[side, remote_id] = last_state

    def dig_out(self, side: Side, remote_id: str) -> None:
        """It is only out of sight, as this run has seen: to be removed before it is buried."""
        self.buried.pop((side, remote_id), None)

    def note_before_look(self, tombstone: Buried) -> None:
        self.before_look[tombstone.side, tombstone.remote_id] = tombstone

    def refute(self, side: Side, remote_id: str) -> None:
        """A look found the record."""
        key = (side, remote_id)
        self.buried.pop(key, None)
        # Only a tombstone from before the look: a delete since then stands.
        if (tombstone := self.before_look.pop(key, None)) is not None:
            self.revived[key] = tombstone
