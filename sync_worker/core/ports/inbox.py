"""Deliveries from the door to their end."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from sync_worker.core.values import (
    Change,
    Delivery,
    InboxState,
    NewDelivery,
    SearchKeys,
    Side,
    Site,
)


@dataclass(frozen=True, slots=True)
class Stored:
    """Outcome of storing a delivery; ``inbox_id`` is the earlier row's when it is a duplicate."""

    inbox_id: int
    is_duplicate: bool


RATE_LIMITED = "rate_limited"  # why a delivery waits for a budget
CREATE_ACCEPTED = "create_accepted"  # why it waits for a record that is to show


RATE_LIMITED_AT_ONCE = 8  # a full bucket of the default budget


# So many of one source are rung for before the others' own in one turn of the sweeper: a tenth to a
# half of a second for a worker, whatever more of it is due.
RING_SHARE = 32


@dataclass(frozen=True, slots=True)
class Rung:
    """What a turn of the sweeper rings for: ``after``: what of a source is beyond its share.

    ``sources``: whose each of them is. ``again``: those that it has rung for before, and nobody has
    ended since: a worker may have died over each.
    """

    first: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    sources: Mapping[int, str] = field(default_factory=dict)
    again: Set[int] = frozenset()

    @property
    def all(self) -> list[int]:
        return sorted(self.first + self.after)


# A worker that dies counts nothing, and to note every look before it begins would be one more
# statement for each delivery. So the sweeper's rings for one that nobody ended are the first signs
# (it may only have waited in the queue); from the second on each look is noted before, and what
# stays noted are deaths.
TRACK_AFTER = 2


# With growing pauses, some 40 minutes: one night of killed workers or a bad version holds nothing
MAX_DEATHS = 10


# So many others that wait with an edit of the same record are a crowd: one look serves for all.
CROWD = 5
GATHERED = "gathered into "  # and the id of the delivery that looks for it


class Look(Enum):
    """What became of a look that was to be noted."""

    BEGUN = auto()
    EARLY = auto()  # it is not due, or another worker is at it
    GIVEN_UP = auto()


@dataclass(frozen=True, slots=True)
class Closing:
    """How a delivery ends. ``shown``: what its record showed, where no rating key was found."""

    state: InboxState
    reason: str = ""
    shown: SearchKeys | None = field(default=None, compare=False)


# What came too late for somebody whose data a privacy request has erased: the ledger forgets its
# content at once.
ERASED = Closing(InboxState.DONE, "erased")


# It speaks of the API of Wix that its site does not use (any more).
OTHER_API = Closing(InboxState.DONE, "other_wix_api")
UNKNOWN_SITE = Closing(InboxState.HELD, "unknown_site")
WORKER_DIED = Closing(InboxState.HELD, "worker_died")


# The app was removed from its site.
SITE_REMOVED = Closing(InboxState.DONE, "site_removed")
# A look at both sides tells all that these do, so they wait for no site without our app. A merge,
# a decision, a create that failed: only their own words tell of those.
TOLD_BY_A_LOOK = frozenset(
    {Change.UPSERT, Change.DELETE, Change.PARENT_CHANGED, Change.CONTACT_CHANGED}
)


def ends_with_site(delivery: NewDelivery) -> bool:
    """Whether it ends, without its content, where its site has removed the app."""
    return delivery.change in TOLD_BY_A_LOOK and not delivery.privacy


class Inbox(Protocol):
    """The inbox. Each method is one transaction; all times are the database's."""

    def store(self, delivery: NewDelivery) -> Stored:
        """Commit a delivery, unless an earlier row absorbs it.

        With a dedupe id that is any row of the same (side, source, dedupe id). Without, a row in
        state ``new`` with the same (side, source, remote id, change).
        """

    def open_delivery(self, inbox_id: int) -> tuple[Delivery, Site | None] | None:
        """An open delivery (new or taken) with its site, ``None`` for any other.

        The site is that of its ``source``, ``None`` if nobody has added it.
        """

    def close(
        self,
        inbox_id: int,
        closing: Closing,
        *,
        hold_key: str | None = None,
        names: str | None = None,
    ) -> Closing:
        """End a delivery that no lease covers; a row closed already stays as it is.

        ``names``: a contact in its payload; if a privacy request has erased that one meanwhile, it
        ends as ERASED. Returns how it ended.
        """

    def gather(self, delivery: Delivery) -> Delivery:
        """Of all edits of its record that wait, keep the newest, to look; the others end with it.

        They are ``superseded``, name it and lose their content. It is in the hands of the caller,
        and whatever becomes of it becomes of all: it waits, is held and is released for them.
        """

    def hold(self, inbox_ids: Sequence[int], reason: str, *, hold_key: str | None = None) -> None:
        """Hold open deliveries.

        Of a record whose key nobody knows (``KEYLESS``) one row is held: the newest word gathers
        the others, as ``gather`` does. Deletes and privacy requests stay by themselves. For
        SITE_REMOVED only what no look would tell again is held: the rest is done, without content,
        until its site comes back.
        """

    def forget_content(self, inbox_id: int) -> None:
        """Nothing stays of what a delivery told; all else of it does, and its record is read.

        For one that names somebody erased, however long it waits or is held.
        """

    def put_back(self, inbox_ids: Sequence[int]) -> None:
        """Hold deliveries again that a run took up to look again, as they were held before."""

    def defer(
        self,
        inbox_ids: Sequence[int],
        delay_seconds: float | None,
        reason: str,
        *,
        is_failure: bool,
    ) -> None:
        """Try open deliveries again after ``delay_seconds``.

        ``None``: by their attempts, 5 s doubling, jittered, at most 1 h. A failure counts as an
        attempt; a row that is older than 48 h is held (``attempts_exhausted``) instead. Their
        worker lives, so ``suspected_crashes`` is 0 again.
        """

    def wait_for_slot(self, inbox_id: int, seconds: float) -> None:
        """Let a delivery that nobody has taken up come again after a moment (``RATE_LIMITED``).

        Nobody has looked at it: the signs of a worker's death stay, and what is in another
        worker's hands stays there.
        """

    def due(self, limit: int, queued: Collection[int] = ()) -> list[int]:
        """Ids of open deliveries whose next attempt is due; it moves 10 s ahead.

        ``queued``: those that have a message of their own by now. Their turn comes, so none of them
        is among these, and nothing of them changes.
        Where more are due than that, half of them are of all sources in turn. Those that wait for a
        budget (``RATE_LIMITED``) come last, the oldest ``RATE_LIMITED_AT_ONCE`` of each source:
        more would only be refused. Each ring is a first
        sign that a worker died over it (``suspected_crashes``), up to ``TRACK_AFTER``.
        """

    def begin_look(self, delivery: Delivery) -> Look:
        """Note that a worker is about to look at a delivery that workers may have died over.

        Its next attempt moves away as after a failure, so what nobody ends is taken up ever later;
        only who comes when it is due may look. After ``MAX_DEATHS`` looks that nobody ended it is
        held (``WORKER_DIED``).
        """

    def end_look(self, delivery: Delivery, *, is_busy: bool = False) -> None:
        """The worker lives: ``suspected_crashes`` is 0 again, and the delivery due in 10 s.

        ``is_busy``: another has the lease, or had it as it died: all signs stay as they were in
        ``delivery``.
        """

    def release_held(
        self,
        site_id: int | None,
        *,
        hold_key: str | None = None,
        inbox_ids: Sequence[int] | None = None,
    ) -> list[int]:
        """Put held (or, by id, closed) deliveries back to ``new`` with ``must_read``; their ids.

        By id, as a person does it, a held link that they belong to is live again.
        """

    def release_beside(self, delivery: Delivery) -> list[int]:
        """Release what is held of the same record (``Delivery.is_beside_held``); their ids."""

    def hold_for_site(self, inbox_id: int, delivery: NewDelivery) -> Closing | None:
        """Hold an open delivery until its site is added; ``None`` if that is there by now.

        Of each source the newest 10,000 are kept. What names somebody erased ends as ERASED.
        """

    def erase_without_site(self, request: Delivery) -> bool:
        """Carry out a privacy request of a source that nobody has added a site for.

        What that source has told of the person or record loses its content, and so does what it
        tells later (``hold_for_site``). False, and nothing is done, if there is a site by now.
        """

    def evidence(self, site_id: int, side: Side, remote_id: str, revision: int) -> Delivery | None:
        """A stored delivery, in any state, for exactly this revision of a remote record."""

    def was_released(self, delivery: Delivery, reason: str) -> bool:
        """Whether a person has let go this delivery of a link that was held for ``reason``."""

    def held_among(self, site_id: int, side: Side, remote_ids: Sequence[str]) -> Set[str]:
        """Those of the ids that a held delivery speaks of: its release will look at them."""
