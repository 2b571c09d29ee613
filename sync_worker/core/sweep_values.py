"""What a sweep keeps in the ledger: its run with a cursor, what a listing showed, and what was
missing in it.

A run belongs to one holder at a time, by a lease with a fence as a link's. Every step is one
transaction that also saves the cursor, so that a sweep goes on where it was killed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from sync_worker.core.ports import LeasedLink
from sync_worker.core.values import NewDelivery, RatingKey, Record, RecordState, Side, Site


class RunKind(StrEnum):
    """``BASELINE``: the first complete one of a site; ``DRY_RUN``: stops after the plan.

    ``POLL``: only what changed on the external side since the poll before; whatever it does not
    show means nothing.
    """

    BASELINE = "baseline"
    SWEEP = "sweep"
    DRY_RUN = "dry_run"
    POLL = "poll"


class Phase(StrEnum):
    """Where a sweep is.

    The external side comes first: its addresses tell the contacts of many Wix ratings.
    """

    EXTERNAL = "external"
    WIX = "wix"
    CONFIRM = "confirm"
    APPLY = "apply"


@dataclass(frozen=True, slots=True)
class Sweep:
    """A run over one site, held under ``fence``. ``page``: the cursor in the listing that ``phase``
    is at.

    ``since``: where a poll begins, ``None``: with everything; ``newest``: the latest time that its
    records showed.
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


class Mark(StrEnum):
    """What became of a listed record.

    ``IN_STEP``: the ledger knows it as it is; ``HELD``: it is held already; ``OPEN``: the engine
    has to see it; ``HIDDEN``: unpublished and never linked, of interest only beside an open record
    of its key; ``MISSING``: on file, but twice not listed, and still to be looked for by id;
    ``LEFT``: outside of the direction asked for; ``DONE``:
    handed over.
    """

    IN_STEP = "in_step"
    HELD = "held"
    OPEN = "open"
    HIDDEN = "hidden"
    MISSING = "missing"
    LEFT = "left"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of a listing, or of what was missing in it (``change`` is ``delete``).

    ``record``: as listed, for open ones. ``must_read``: a hint only. ``hold``: held at once, for
    this reason.
    """

    side: Side
    remote_id: str
    mark: Mark
    key: RatingKey | None = None
    change: str = "upsert"
    record: Record | None = None
    must_read: bool = False
    hold: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """All open rows of one key; without a key one row, whose person or entity is not known
    (yet).
    """

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
class OnFile:
    """What the ledger knows of a remote id. ``values``: by attribute, when both sides last agreed.

    ``is_linked``: on file with a link; ``is_buried``: it has a tombstone (then ``revision`` is the
    buried one's); ``is_held``: a held delivery speaks of it; ``is_awaited``: one that is still on
    its way; ``is_shadowed``: it stands behind the synced record of its person.
    """

    is_linked: bool = False
    is_buried: bool = False
    is_held: bool = False
    is_awaited: bool = False
    is_shadowed: bool = False
    revision: int | None = None
    state: RecordState = RecordState.PUBLISHED
    values: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Absences:
    """What a complete listing of one side did not show.

    ``known``: records on file; ``shown``: those of them that were listed; ``missing``: the others;
    ``due``: those of the missing that an earlier complete listing did not show either.
    ``is_refused``: too little was shown to believe.
    """

    known: int
    shown: int
    missing: int = 0
    due: int = 0
    is_refused: bool = False


class RunLedger(Protocol):
    """The part of the ledger that sweeps use.

    Each method is one transaction; LeaseLost if another took the run.
    """

    def begin(self, site_id: int, kind: RunKind) -> Sweep | None:
        """The site's open run, or a new one, leased for 20 s; ``None`` if another holder is at it.

        A run that began over a day ago is given up, and a poll where any other run begins: that
        lists all it would have. A poll never begins beside another run; it begins where the last
        one that was done ended. A first run that is no dry run is the baseline.
        """

    def save(self, sweep: Sweep, listed: Sequence[Listed] = ()) -> None:
        """Keep what a page showed together with the cursor and counts, and the lease for another 20
        s.
        """

    def renew_run(self, sweep: Sweep) -> None:
        """20 s more."""

    def restart_listing(self, sweep: Sweep, side: Side) -> None:
        """Forget what a listing showed: its cursor is of no use any more."""

    def release_run(self, sweep: Sweep) -> None:
        """Let go of the run; it goes on later."""

    def end(self, sweep: Sweep, state: str = "done") -> None:
        """The run is over (``done`` or ``abandoned``); its listing is forgotten."""

    def on_file(self, site: Site, side: Side, remote_ids: Sequence[str]) -> Mapping[str, OnFile]:
        """What the ledger knows of a page's ids, in one SELECT; an id that it does not know is
        missing.
        """

    def note_absences(self, sweep: Sweep, side: Side) -> Absences:
        """After a complete listing of a side: what it did not show is missing; what was missing
        before is due.

        Due ones become rows, marked missing. Under half of the known ones shown: nothing is noted.
        A dry run lists the due ones, but notes nothing.
        """

    def next_missing(self, sweep: Sweep, limit: int) -> list[Listed]:
        """Some that are still to be looked for."""

    def settle_missing(self, sweep: Sweep, gone: Sequence[Listed], there: Sequence[Listed]) -> None:
        """They were looked for: those that are gone become open."""

    def brake(self, sweep: Sweep, side: Side) -> int:
        """If the open deletes found on a side exceed max(20, 5 % of live links), hold all; how
        many.
        """

    def next_findings(
        self, sweep: Sweep, limit: int, after: tuple[int, str, str] | None = None
    ) -> list[Finding]:
        """Open findings in a fixed order; ``after`` (see ``place_of``) is for those who do not
        change them.
        """

    def leave(self, sweep: Sweep, findings: Sequence[Finding]) -> None:
        """These stay as they are in this run."""

    def queue(
        self, sweep: Sweep, deliveries: Sequence[tuple[Finding, Sequence[NewDelivery]]]
    ) -> list[Queued]:
        """Hand findings over to the inbox, with the links that their keys have (made if need be).

        A delivery that the inbox knows is opened again, to be read afresh, unless it waits for a
        person. Held ones of the same record that had no key yet get it now.
        """

    def peek(self, key: RatingKey) -> LeasedLink:
        """What a lease of the key's link would give, without taking anything."""

    def is_shown(self, sweep: Sweep, side: Side, remote_id: str) -> bool:
        """Whether the listing of a side showed this record."""

    def count_marks(self, sweep: Sweep) -> Mapping[Mark, int]:
        """How many rows carry each mark."""

    def allow_deletes(self, site_id: int, count: int) -> None:
        """A person says that so many deletes to a side within an hour are right; holds for
        a day.
        """


def next_since(poll: Sweep, began_at: datetime) -> datetime | None:
    """Where the poll after this one begins: at the newest time it saw, never later than it began
    itself.

    A record with a time in the future must not hide all that comes before that time.
    """
    seen = [
        time
        for time in (poll.since, min(poll.newest, began_at) if poll.newest else None)
        if time is not None
    ]
    return max(seen, default=None)


def place_of(finding: Finding) -> tuple[int, str, str]:
    """The place of a finding in the order of ``next_findings``."""
    if finding.key is None:
        return (0, str(finding.rows[0].side), finding.rows[0].remote_id)
    return (finding.key.entity_id, finding.key.contact_id, "")


def delivery_source(site: Site, side: Side) -> str:
    """The name under which a side's deliveries of this site are kept."""
    return site.instance_id if side is Side.WIX else site.connector
