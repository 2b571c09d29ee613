"""What sweeps keep in the ledger: their runs, what listings showed, and findings to hand over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select, update

from sync_worker.core.errors import NoRoom
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
from sync_worker.core.values import Entity, Lease, NewDelivery, RatingKey, Side, Site
from sync_worker.ledger.accounts.audit import BY_COMMAND, note_change
from sync_worker.ledger.rows import to_entity
from sync_worker.ledger.site_cache import SiteCache
from sync_worker.ledger.statements import listings, runs
from sync_worker.ledger.statements.findings import (
    link_at,
    open_intent_of,
    own_contact,
    queue_finding,
    ready_deliveries,
)
from sync_worker.ledger.statements.on_file import on_file
from sync_worker.ledger.statements.sites import active_sites
from sync_worker.ledger.tables import entity_map, site
from sync_worker.ledger.transactions import Transactions, ledger_now

ALLOWED_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class DueRuns:
    """What was due on every site at one moment: one question for all of them."""

    sweeps: SqlSweeps
    standing: Mapping[int, Any]

    def was_due(self, site_id: int, kind: RunKind, every_seconds: float) -> bool:
        """As SqlSweeps.is_due, at that moment."""
        standing = self.standing.get(site_id)
        return standing is not None and runs.is_run_due(standing, kind, every_seconds)

    def is_due(self, site_id: int, kind: RunKind, every_seconds: float) -> bool:
        """As SqlSweeps.is_due; only of what was due then is asked again."""
        was_due = self.was_due(site_id, kind, every_seconds)
        # Another process may have swept the site since.
        return was_due and self.sweeps.is_due(site_id, kind, every_seconds)


class SqlSweeps:
    """Implements ports.Sweeps."""

    def __init__(self, transactions: Transactions, sites: SiteCache) -> None:
        self._transactions, self._sites = transactions, sites

    # -- whose

    def active_sites(self) -> list[tuple[int, str]]:
        """The number and the connector of each site that is at work."""
        with self._transactions.read() as connection:
            return active_sites(connection)

    def site(self, site_id: int) -> Site:
        """Raises LookupError."""
        with self._transactions.read() as connection:
            return self._sites.by_id(connection, site_id)

    def site_of_instance(self, instance_id: str) -> Site | None:
        """The site of an app instance, if there is one."""
        with self._transactions.read() as connection:
            return self._sites.by_source(connection, Side.WIX, instance_id)

    # -- the run

    def begin(self, site_id: int, kind: RunKind, *, most: int | None = None) -> Sweep | None:
        """``most``: at once in the fleet, of those that begin by themselves. Raises NoRoom."""
        with self._transactions.write() as connection:
            if most is not None and not runs.has_room(connection, most):
                raise NoRoom
            # First what is over: an open run, even of a dead process, shuts out a new one.
            runs.end_what_is_over(connection, site_id, kind)
            resumed = runs.resume_run(connection, site_id, kind)
            return resumed or runs.begin_run(connection, site_id, kind)

    def save(self, sweep: Sweep, listed: Sequence[Listed] = ()) -> None:
        values = {"cursor": runs.cursor_of(sweep), "counts": dict(sweep.counts)}
        with self._transactions.write() as connection:
            # The fence first: a process that has lost the run must not add rows to it.
            runs.hold_run(connection, sweep, values)
            listings.store_listed(connection, sweep, listed)

    def renew_run(self, sweep: Sweep) -> None:
        with self._transactions.write() as connection:
            runs.hold_run(connection, sweep)

    def restart_listing(self, sweep: Sweep, side: Side) -> None:
        values = {"cursor": runs.cursor_of(replace(sweep, page=None)), "counts": dict(sweep.counts)}
        with self._transactions.write() as connection:
            runs.hold_run(connection, sweep, values)
            listings.forget_listed(connection, sweep, side)

    def release_run(self, sweep: Sweep) -> None:
        with self._transactions.write() as connection:
            runs.release_run(connection, sweep)

    def end(self, sweep: Sweep, state: str = runs.DONE, reason: str = "") -> None:
        with self._transactions.write() as connection:
            runs.hold_run(connection, sweep, {"counts": dict(sweep.counts)})
            runs.end_run(connection, sweep.id, state, reason)

    def hand_to_workers(self, sweep: Sweep) -> None:
        """A person has said yes to the first comparison: it goes on as any sweep of the schedule.

        Raises LeaseLost.
        """
        with self._transactions.write() as connection:
            runs.hold_run(connection, sweep, {"kind": str(RunKind.SWEEP), "lease_until": 0.0})

    def is_due(self, site_id: int, kind: RunKind, every_seconds: float) -> bool:
        """Whether a sweep or poll of the site is open and free, or none has begun for so long.

        A sweep shows all that a poll would. Never before the first baseline: that is begun, and
        confirmed, by a person.
        """
        with self._transactions.read() as connection:
            standing = runs.STANDING.first(connection, site_id=site_id)
        return standing is not None and runs.is_run_due(standing, kind, every_seconds)

    def due_runs(self) -> DueRuns:
        """What is due on every active site, as it stands now."""
        with self._transactions.read() as connection:
            rows = runs.STANDING_OF_ALL.all(connection)
        return DueRuns(self, {row.site_id: row for row in rows})

    # -- a page against the ledger

    def on_file(self, site: Site, side: Side, remote_ids: Sequence[str]) -> Mapping[str, OnFile]:
        if not remote_ids:
            return {}
        with self._transactions.read() as connection:
            return on_file(connection, site, side, remote_ids)

    def list_held(self, sweep: Sweep) -> None:
        with self._transactions.write() as connection:
            runs.hold_run(connection, sweep)
            listings.list_held(connection, sweep)

    # -- absence

    def note_absences(self, sweep: Sweep, side: Side) -> Absences:
        with self._transactions.write() as connection:
            runs.hold_run(connection, sweep)
            return listings.note_absences(connection, sweep, side)

    def next_missing(self, sweep: Sweep, limit: int) -> list[Listed]:
        with self._transactions.read() as connection:
            return listings.missing_rows(connection, sweep, limit)

    def settle_missing(self, sweep: Sweep, gone: Sequence[Listed], there: Sequence[Listed]) -> None:
        with self._transactions.write() as connection:
            runs.hold_run(connection, sweep)
            listings.mark_rows(connection, sweep, gone, Mark.OPEN)
            listings.mark_rows(connection, sweep, there, Mark.IN_STEP)

    def brake(self, sweep: Sweep, side: Side) -> int:
        with self._transactions.write() as connection:
            runs.hold_run(connection, sweep)
            return listings.brake_deletes(connection, sweep, side)

    def allow_deletes(self, site_id: int, count: int, actor: str = "") -> None:
        until = ledger_now() + ALLOWED_SECONDS
        allowed = {"deletes_allowed": count, "deletes_allowed_until": until}
        with self._transactions.write() as connection:
            was = select(site.c.deletes_allowed).where(site.c.id == site_id)
            before = {"deletes": connection.execute(was).scalar_one()}
            connection.execute(update(site).where(site.c.id == site_id).values(**allowed))
            after = {"deletes": count, "hours": ALLOWED_SECONDS / 3600}
            what = "reconcile.allow_deletes"
            note_change(connection, actor or BY_COMMAND, what, site_id, before=before, after=after)

    # -- findings

    def next_findings(
        self, sweep: Sweep, limit: int, after: tuple[int, str, str] | None = None
    ) -> list[Finding]:
        with self._transactions.read() as connection:
            return listings.findings(connection, sweep, limit, after)

    def leave(self, sweep: Sweep, findings: Sequence[Finding]) -> None:
        rows = [row for finding in findings for row in finding.rows]
        with self._transactions.write() as connection:
            runs.hold_run(connection, sweep)
            listings.mark_rows(connection, sweep, rows, Mark.LEFT)

    def queue(
        self, sweep: Sweep, deliveries: Sequence[tuple[Finding, Sequence[NewDelivery]]]
    ) -> list[Queued]:
        rows = [row for finding, _ in deliveries for row in finding.rows]
        with self._transactions.write() as connection:
            # Lock order: the run before the links, as the commit of an erasure has it.
            runs.hold_run(connection, sweep)
            queued = [
                queue_finding(connection, sweep.site_id, finding, told)
                for finding, told in deliveries
            ]
            listings.mark_rows(connection, sweep, rows, Mark.DONE)
        return queued

    def is_shown(self, sweep: Sweep, side: Side, remote_id: str) -> bool:
        with self._transactions.read() as connection:
            return listings.is_shown(connection, sweep, side, remote_id)

    def has_shown_all(self, sweep: Sweep, side: Side, remote_ids: Sequence[str]) -> bool:
        with self._transactions.read() as connection:
            return listings.has_shown_all(connection, sweep, side, remote_ids)

    def count_marks(self, sweep: Sweep) -> Mapping[Mark, int]:
        with self._transactions.read() as connection:
            return listings.count_marks(connection, sweep)

    # -- looking ahead

    def peek(self, key: RatingKey, entity: Entity | None = None) -> LeasedLink:
        mapped = select(entity_map).where(entity_map.c.id == key.entity_id)
        with self._transactions.read() as connection:
            found = link_at(connection, key)
            return LeasedLink(
                # A look without a lease: no write passes under fence 0.
                lease=Lease(found.id, 0, key.site_id),
                site=self._sites.by_id(connection, key.site_id),
                link=found,
                entity=entity or to_entity(connection.execute(mapped).one()),
                contact=own_contact(connection, key),
                intent=open_intent_of(connection, found.id),
                deliveries=ready_deliveries(connection, found.id),
                now=float(connection.execute(select(ledger_now())).scalar_one()),
            )
