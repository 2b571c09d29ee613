"""What sweeps keep in the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from sync_worker.core.ports.links import LeasedLink
from sync_worker.core.sweep_values import (
    Absences,
    Finding,
    Listed,
    Mark,
    OnFile,
    Queued,
    RunKind,
    Sweep,
)
from sync_worker.core.values import Entity, NewDelivery, RatingKey, Side, Site


class Sweeps(Protocol):
    """The runs of sweeps, and what their listings showed.

    Each method is one transaction; LeaseLost if another took the run.
    """

    def begin(self, site_id: int, kind: RunKind) -> Sweep | None:
        """The site's open run, or a new one, leased for 20 s; ``None`` if another holder is at it.

        A run that began over a day ago is given up; so is a poll where any other run begins, which
        lists all it would have, and a dry run of nobody where one begins that writes. A poll never
        begins beside another run; it begins where the last one that was done ended. A first run
        that is no dry run is the baseline.
        """

    def save(self, sweep: Sweep, listed: Sequence[Listed] = ()) -> None:
        """Keep what a page showed, the cursor and the counts; renew the lease for 20 s."""

    def renew_run(self, sweep: Sweep) -> None:
        """Renew the lease for 20 s."""

    def restart_listing(self, sweep: Sweep, side: Side) -> None:
        """Forget what a listing showed: its cursor is of no use any more."""

    def release_run(self, sweep: Sweep) -> None:
        """Let go of the run; it goes on later."""

    def end(self, sweep: Sweep, state: str = "done", reason: str = "") -> None:
        """The run is over (``done``, or ``abandoned`` for a reason); its listing is forgotten."""

    def on_file(self, site: Site, side: Side, remote_ids: Sequence[str]) -> Mapping[str, OnFile]:
        """What the ledger knows of a page's ids, in one SELECT.

        An id that it does not know is missing.
        """

    def list_held(self, sweep: Sweep) -> None:
        """Rows for held deliveries of links whose record no listing has shown: to be looked at."""

    def note_absences(self, sweep: Sweep, side: Side) -> Absences:
        """After a complete listing: what it did not show is missing; what was missing is due.

        So is what is missing in the first sweep (or dry run) after a time in which nobody told what
        happened, if its link has been still since. Due ones become rows, marked missing or untold.
        Under half of the known ones shown: nothing is noted.
        A dry run lists the due ones, but notes nothing.
        """

    def next_missing(self, sweep: Sweep, limit: int) -> list[Listed]:
        """Some that are still to be looked for."""

    def settle_missing(self, sweep: Sweep, gone: Sequence[Listed], there: Sequence[Listed]) -> None:
        """They were looked for: those that are gone become open."""

    def brake(self, sweep: Sweep, side: Side) -> int:
        """If the open deletes found on a side exceed max(20, 5 % of live links), hold them all.

        Returns how many are held.
        """

    def next_findings(
        self, sweep: Sweep, limit: int, after: tuple[int, str, str] | None = None
    ) -> list[Finding]:
        """Open findings in a fixed order.

        ``after`` (see ``place_of``) is for callers that do not change them as they go.
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

    def peek(self, key: RatingKey, entity: Entity | None = None) -> LeasedLink:
        """What a lease of the key's link would give, without taking anything.

        ``entity``: that of the key, where it is not mapped yet.
        """

    def is_shown(self, sweep: Sweep, side: Side, remote_id: str) -> bool:
        """Whether the listing of a side showed this record."""

    def has_shown_all(self, sweep: Sweep, side: Side, remote_ids: Sequence[str]) -> bool:
        """Whether earlier pages of this listing showed every one of these records."""

    def count_marks(self, sweep: Sweep) -> Mapping[Mark, int]:
        """How many rows carry each mark."""

    def allow_deletes(self, site_id: int, count: int, actor: str = "") -> None:
        """A person allows so many deletes to a side within an hour; that holds for a day."""
