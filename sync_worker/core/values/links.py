"""A link: what the ledger remembers of a rating key on both sides, and what happens to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from sync_worker.core.values.records import KeptWord, RecordState, ShownWord, Side
from sync_worker.core.values.sites import RatingKey

# Of a line about an edit that only a late delivery tells of.
COVERED_UNSEEN: Final = "edited just before our own write, which covered it unseen"

Value = Decimal | str  # of an attribute: a number in its side's units, or words in its bytes


class LinkState(KeptWord):
    """``LIVE``: a rating exists on a side; ``BURIED``: gone on both; ``HELD``: a person decides."""

    LIVE = "live"
    BURIED = "buried"
    HELD = "held"


class Operation(KeptWord):
    """What a remote write does.

    ``WITHDRAW``, ``APPROVE``: only where a remote offers ``Moderation``; ``REPLY``: sets the
    owner's reply to a record that is there, only where it offers ``Replies``.
    """

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    WITHDRAW = "withdraw"
    APPROVE = "approve"
    REPLY = "reply"


# They change who sees a record, and nothing in it.
MODERATES = (Operation.WITHDRAW, Operation.APPROVE)
# Nobody sees what was there, after these.
TAKES_AWAY = (Operation.DELETE, Operation.WITHDRAW)


class Standing(KeptWord):
    """Who made a record on a side that moderates, and who keeps it out of sight.

    ``TO_APPROVE``: ours, and to be approved once. ``REJECTED``: ours, its owner rejected it, and by
    policy that crossed. ``WITHDRAWN``, ``OURS_WITHDRAWN``: rejected by us, since the other side hid
    it.
    """

    THEIRS = "theirs"
    OURS = "ours"
    TO_APPROVE = "to_approve"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    OURS_WITHDRAWN = "ours_withdrawn"

    @property
    def is_ours(self) -> bool:
        """Whether we made the record."""
        return self not in (Standing.THEIRS, Standing.WITHDRAWN)

    @property
    def is_withdrawn(self) -> bool:
        """Whether we took it out of sight."""
        return self in (Standing.WITHDRAWN, Standing.OURS_WITHDRAWN)

    @property
    def counts_hidden(self) -> bool:
        """Whether the record counts as there while it is out of sight."""
        return self not in (Standing.THEIRS, Standing.REJECTED)


class IntentState(StrEnum):
    """``OPEN`` until the outcome of the write is known."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Base:
    """What each side showed for one attribute when both last agreed; ``None`` is absent.

    ``version``: of the field's mapping by which they agreed.
    """

    wix: Value | None = None
    external: Value | None = None
    version: int = field(default=1, compare=False)

    def on(self, side: Side) -> Value | None:
        return self.wix if side is Side.WIX else self.external


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One attribute of one side as it is now.

    ``value`` is ``None`` when absent. ``heard`` is the inbox id of the delivery in hand that told
    us, ``None`` if it was found by reading or is what the ledger remembers. ``privacy``: absent
    because of a privacy request. ``may_be_ours``: as a write of ours of unknown outcome wanted it.
    """

    value: Value | None
    heard: int | None = None
    privacy: bool = False
    may_be_ours: bool = False


@dataclass(frozen=True, slots=True)
class Slot:
    """One remote record of a link: on Wix one for each attribute, on the external side one for all
    of them.
    """

    side: Side
    attribute: str = ""  # empty: the one record that holds every attribute

    def __str__(self) -> str:
        return f"{self.side}:{self.attribute or '*'}"


NOTHING_SEEN = 0  # as the seen revision of a record


@dataclass(frozen=True, slots=True)
class Known:
    """The record of a slot as the ledger remembers it.

    ``revision`` is the *seen* revision: events at or below it tell nothing new; ``NOTHING_SEEN``:
    it shows more than was taken in, and only a look tells it. ``raw`` is the record as last
    returned. ``state`` tells a withdrawn record from a published one. ``identity``:
    whose an external record showed to be, and of what, when it was last taken for this link's.
    ``standing``: what moderation makes of a record on Wix.
    """

    remote_id: str
    revision: int | None = None
    sequence: int | None = None
    state: RecordState = RecordState.PUBLISHED
    raw: Mapping[str, Any] = field(default_factory=dict, hash=False)
    identity: str | None = None
    standing: Standing = Standing.THEIRS


@dataclass(frozen=True, slots=True)
class Link:
    """A rating key on both sides. ``writes`` are the database times (epoch seconds) of our recent
    writes.

    ``shadowed``: ids of older external records of the same person for the same thing, where the
    system allows several.
    """

    id: int
    key: RatingKey
    generation: int
    state: LinkState
    records: Mapping[Slot, Known]
    bases: Mapping[str, Base]
    writes: tuple[float, ...] = ()
    shadowed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write one link until it ends; ``fence`` grows with every new holder."""

    link_id: int
    fence: int
    site_id: int


@dataclass(frozen=True, slots=True)
class Intent:
    """A remote write about to happen, or of unknown outcome.

    ``targets``: wanted value by attribute on ``slot.side`` (``None``: absent), in its units.
    ``sources``: value by attribute that the other side showed, in its units.
    ``befores``: what the write overwrites, ``reasons``: why, both by attribute, for the history.
    ``base_revision``: revision of the record before the write. ``source_ids``: ids of the records
    on the other side that it carries over, by the attribute of their slot. ``opened_at``: the
    database's time (epoch seconds).
    """

    id: str
    slot: Slot
    operation: Operation
    targets: Mapping[str, Value | None]
    sources: Mapping[str, Value | None]
    befores: Mapping[str, Value | None] = field(default_factory=dict, hash=False)
    reasons: Mapping[str, str] = field(default_factory=dict, hash=False)
    is_privacy: bool = False
    remote_id: str | None = None
    base_revision: int | None = None
    source_ids: Mapping[str, str] = field(default_factory=dict, hash=False)
    state: IntentState = IntentState.OPEN
    opened_at: float = field(default=0.0, compare=False)

    @property
    def is_braked(self) -> bool:
        """Takes away what people see, so that the brake counts it; a privacy request passes."""
        return self.operation in TAKES_AWAY and not self.is_privacy

    def is_beyond_next(self, revision: int | None) -> bool:
        """Whether a record that we wrote has left out revisions: somebody else changed it, too."""
        # A create covers nothing; a delete returns no revision that could tell.
        if self.operation not in (Operation.UPDATE, Operation.REPLY):
            return False
        # The remote does not number its revisions: nothing tells.
        if revision is None or self.base_revision is None:
            return False
        return revision > self.base_revision + 1

    @property
    def is_imported(self) -> bool:
        """Writes a value that neither side showed: one from a file, or of a person's decision."""
        if self.operation in MODERATES:
            return False
        targets = self.targets.items()
        return any(
            target is not None and self.sources.get(name) is None for name, target in targets
        )


class HistoryKind(ShownWord):
    """What a line of the history tells: a write, a decision, or what a person did."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    WITHDRAW = "withdraw"
    APPROVE = "approve"
    REPLY = "reply"
    PRIVACY_DELETE = "privacy_delete"
    MERGE = "merge"
    GAP = "gap"
    UNKNOWN = "unknown"
    HOLD = "hold"
    IGNORE = "ignore"
    SHADOW = "shadow"
    MOVE = "move"
    DROP = "drop"
    REPLAY = "replay"
    REFUSED = "refused"
    DECIDE = "decide"


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of what was written or decided: the winner, the loser and why.

    ``actor``: the person whose decision it was; empty where no person caused it.
    """

    what: HistoryKind
    side: Side | None
    attribute: str
    before: Value | None = None
    after: Value | None = None
    loser: Value | None = None
    loser_side: Side | None = None
    reason: str = ""
    remote_id: str = ""
    intent_id: str = ""
    inbox_id: int | None = None
    actor: str = ""

    @property
    def is_waiting_difference(self) -> bool:
        """Whether it says what a run left as it was for a person, with both values."""
        return self.what is HistoryKind.HOLD and self.side is None and bool(self.attribute)

    @property
    def is_told_late(self) -> bool:
        """Whether it names an edit that is lost, if no earlier line of its attribute names it."""
        return self.what is HistoryKind.GAP and self.reason == COVERED_UNSEEN

    def names(self, value: Value | None) -> bool:
        """Whether it tells of this value, whatever became of it."""
        return value in (self.before, self.after, self.loser)

    def says_again(self, newest: HistoryEntry | None) -> bool:
        """Whether it tells no more of a difference that waits than the newest line of its attribute
        does: each look at one that waits for long would add a line.
        """
        if newest is None or not self.is_waiting_difference:
            return False
        return newest.is_waiting_difference and (newest.reason, newest.before, newest.after) == (
            self.reason,
            self.before,
            self.after,
        )
