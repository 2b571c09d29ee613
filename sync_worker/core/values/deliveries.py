"""Deliveries of the inbox, and the remote ids that are gone for good."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sync_worker.core.hold_reasons import FREES_ITSELF
from sync_worker.core.values.records import KeptWord, Side
from sync_worker.core.values.sites import RatingKey

# Before the digest of an id that can name no record: empty it is not, but too long, or with
# characters that cannot be printed.
UNUSABLE = "unusable:"


def unusable_id(text: str) -> str:
    """The id of a delivery about a record whose own id cannot be used; such a one is held."""
    return UNUSABLE + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class InboxState(StrEnum):
    """Life of an accepted delivery: new → taken → one of the others."""

    NEW = "new"
    TAKEN = "taken"
    DONE = "done"
    SUPPRESSED = "suppressed"
    SUPERSEDED = "superseded"
    HELD = "held"


class Change(KeptWord):
    """What a delivery tells.

    Of a rating: ``UPSERT``, ``DELETE``, and ``ERASE``, our own hint after a privacy request.
    ``PARENT_CHANGED``: something about the ratings of the thing ``remote_id``. ``CREATE_FAILED``:
    an accepted create was not carried out; the payload's ``entity`` and ``email`` tell which.
    ``DECIDE``: a person decided about one rating (``values.decisions``); it names no record.
    """

    UPSERT = "upsert"
    DELETE = "delete"
    ERASE = "erase"
    PARENT_CHANGED = "parent_changed"
    CREATE_FAILED = "create_failed"
    DECIDE = "decide"
    CONTACT_CHANGED = "contact_changed"
    CONTACT_MERGED = "contact_merged"
    CONTACT_DELETED = "contact_deleted"
    APP_INSTALLED = "app_installed"
    APP_REMOVED = "app_removed"


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A verified delivery, ready for the inbox.

    ``source``: Wix instance id or connector id. ``dedupe_id``: the sender's id for this delivery,
    or ``None`` for thin senders (then it is absorbed only by an equal row that no run has taken
    yet).
    """

    side: Side
    source: str
    dedupe_id: str | None
    change: Change
    remote_id: str
    payload: Mapping[str, Any] = field(hash=False)
    revision: int | None = None
    sequence: int | None = None
    is_restore: bool = False  # may revive a buried id: Wix `created`
    # Wix identity names our app; counted, looked at before it is believed, never suppressed
    is_ours: bool = False
    privacy: bool = False
    event_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of the inbox. ``must_read``: replayed or released, so its payload is a hint only.

    ``is_beside_held``: another delivery of the same record was held as this one was opened.
    ``is_crowded``: many others of the same record waited then (``ports.inbox.CROWD``).
    ``suspected_crashes``: signs that workers died over it (``ports.TRACK_AFTER``).
    ``located``: what was known of its record as it was opened; ``None``: it was not asked.
    """

    id: int
    new: NewDelivery
    state: InboxState = InboxState.NEW
    site_id: int | None = None
    link_id: int | None = None
    attempts: int = 0
    must_read: bool = False
    reason: str = ""
    received_at: datetime | None = None
    suspected_crashes: int = 0
    is_beside_held: bool = False
    is_crowded: bool = False
    located: Located | None = field(default=None, compare=False)

    @property
    def is_edit(self) -> bool:
        """Whether it tells no more than that its record was edited, so that a look says it all."""
        new = self.new
        is_plain = new.change is Change.UPSERT and not new.is_restore and not new.privacy
        return is_plain and new.dedupe_id is not None and not self.must_read

    @property
    def stands_by(self) -> bool:
        """Whether it is held still, and only seen by the run that has it in hand."""
        return self.state is InboxState.HELD

    @property
    def was_tried(self) -> bool:
        """A run has had it in hand before, and did not end it."""
        return self.attempts > 0 or self.was_held

    @property
    def was_held(self) -> bool:
        """Whether a run took it up although nobody has released it: to look again."""
        return self.state is InboxState.TAKEN and self.reason in FREES_ITSELF


@dataclass(frozen=True, slots=True)
class Buried:
    """A remote id that is gone for good, with what we last knew of it; ``privacy``: erased on
    request.
    """

    side: Side
    remote_id: str
    revision: int | None = None
    sequence: int | None = None
    privacy: bool = False


@dataclass(frozen=True, slots=True)
class Located:
    """What the ledger knows about a remote id.

    ``key``: of its link, on file or from before it was buried.
    """

    key: RatingKey | None = None
    buried: Buried | None = None
    is_on_file: bool = False
