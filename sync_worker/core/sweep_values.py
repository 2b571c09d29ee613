"""What a sweep keeps in the ledger: its run, what a listing showed, and what was missing.

A run belongs to one holder at a time, by a lease with a fence as a link's. Every step is one
transaction that also saves the cursor, so that a sweep goes on where it was killed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from sync_worker.core.values import (
    Change,
    EntityRef,
    RatingKey,
    Record,
    RecordState,
    Side,
    Site,
)
from sync_worker.core.values.records import KeptWord


class RunKind(KeptWord):
    """``BASELINE``: the first complete one of a site; ``DRY_RUN``: stops after the plan.

    ``POLL``: only what changed on the external side since the poll before; whatever it does not
    show means nothing.
    """

    BASELINE = "baseline"
    SWEEP = "sweep"
    DRY_RUN = "dry_run"
    POLL = "poll"


class Phase(KeptWord):
    """Where a sweep is.

    The external side comes first: its addresses tell the contacts of many Wix ratings.
    """

    EXTERNAL = "external"
    WIX = "wix"
    CONFIRM = "confirm"
    APPLY = "apply"


@dataclass(frozen=True, slots=True)
class Sweep:
    """A run over one site, held under ``fence``.

    ``page``: the cursor in the listing that ``phase`` is at. ``since``: where a poll begins,
    ``None``: with everything. ``newest``: the latest time that its records showed.
    """

    id: int
    site_id: int
    kind: RunKind
    fence: int
    phase: Phase = Phase.EXTERNAL
    page: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    is_resumed: bool = False
    since: datetime | None = None
    newest: datetime | None = None

    @property
    def is_dry(self) -> bool:
        return self.kind is RunKind.DRY_RUN


class Mark(KeptWord):
    """What became of a listed record.

    ``IN_STEP``: the ledger knows it as it is; ``HELD``: it is held already; ``OPEN``: the engine
    has to see it; ``HIDDEN``: unpublished and never linked, of interest only beside an open record
    of its key; ``MISSING``: on file, but twice not listed, and still to be looked for by id;
    ``UNTOLD``: the same, not listed once, after a time in which nobody told of deletions; ``LEFT``:
    outside of the direction asked for; ``DONE``: handed over.
    """

    IN_STEP = "in_step"
    HELD = "held"
    OPEN = "open"
    HIDDEN = "hidden"
    MISSING = "missing"
    UNTOLD = "untold"
    LEFT = "left"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of a listing, or of what was missing in it (``change`` is ``DELETE``).

    ``record``: as listed, for open ones. ``must_read``: a hint only. ``hold``: the reason for which
    it is held at once.
    """

    side: Side
    remote_id: str
    mark: Mark
    key: RatingKey | None = None
    change: Change = Change.UPSERT
    record: Record | None = None
    must_read: bool = False
    hold: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """All open rows of one key; without a key one row, of an unknown person or entity."""

    key: RatingKey | None
    rows: tuple[Listed, ...]


@dataclass(frozen=True, slots=True)
class Queued:
    """A finding as deliveries in the inbox; ``link_id`` ``None``: its key is still to be found.

    ``held``: its deliveries are held already, nothing is to be done.
    """

    inbox_ids: tuple[int, ...]
    link_id: int | None
    held: str = ""


@dataclass(frozen=True, slots=True)
class Whose:
    """What an external record on file rates, and the addresses of its person."""

    entity: EntityRef
    addresses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class OnFile:
    """What the ledger knows of a remote id. ``values``: by attribute, and ``words``, when both
    sides last agreed.

    ``is_linked``: on file with a link; ``is_buried``: it has a tombstone (then ``revision`` is the
    buried one's); ``is_held``: a held delivery speaks of it, or of its rating; ``is_awaited``: one
    that is still on its way; ``is_shadowed``: it stands behind the synced record of its person.
    ``whose``: of an external record that is linked or shadowed. ``identity``: of a linked one, as
    in ``Known``.
    """

    is_linked: bool = False
    is_buried: bool = False
    is_held: bool = False
    is_awaited: bool = False
    is_shadowed: bool = False
    revision: int | None = None
    state: RecordState = RecordState.PUBLISHED
    values: Mapping[str, Decimal] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    whose: Whose | None = field(default=None, compare=False)
    identity: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Absences:
    """What a complete listing of one side did not show.

    ``known``: records on file; ``shown``: those of them that were listed; ``missing``: the others;
    ``due``: those of the missing that are to be looked for by id, since an earlier complete listing
    did not show them either, or nobody would have told of their deletion. ``is_refused``: too
    little was shown to believe.
    """

    known: int
    shown: int
    missing: int = 0
    due: int = 0
    is_refused: bool = False


def next_since(poll: Sweep, began_at: datetime) -> datetime | None:
    """Where the poll after this one begins: at the newest time that it saw.

    Never later than it began itself: a record with a time in the future must not hide all that
    comes before that time.
    """
    if poll.newest is None:
        return poll.since
    newest = min(poll.newest, began_at)
    return newest if poll.since is None else max(poll.since, newest)


def place_of(finding: Finding) -> tuple[int, str, str]:
    """The place of a finding in the order of ``next_findings``."""
    if finding.key is None:
        return (0, str(finding.rows[0].side), finding.rows[0].remote_id)
    return (finding.key.entity_id, finding.key.contact_id, "")


def delivery_source(site: Site, side: Side) -> str:
    """The name under which a side's deliveries of this site are kept."""
    return site.instance_id if side is Side.WIX else site.external_source
