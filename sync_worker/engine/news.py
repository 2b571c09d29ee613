"""What a delivery tells that the run does not know yet. Pure."""

from __future__ import annotations

from enum import Enum, auto

from sync_worker.core.ports.inbox import Closing
from sync_worker.core.values import Buried, Change, Delivery, InboxState, Record
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
    delivery: Delivery, told: Record | None, record_view: RecordView, *, is_news: bool
) -> NewsOfKnown:
    """What an event of the record on file tells; ``told``: the whole record that it carries."""
    # at or below the revision that an earlier run saw
    if not is_news and not delivery.must_read:
        return NewsOfKnown.STALE
    # a hint only, or nothing tells which of the two is newer
    if told is None or told.revision is None or record_view.revision is None:
        return NewsOfKnown.TO_READ
    # changed since the ledger's memory, or since another delivery in hand
    if record_view.source is Source.LEDGER or told.revision > record_view.revision:
        return NewsOfKnown.NEWER
    # this run has seen a newer state already
    return NewsOfKnown.SUPERSEDED


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
