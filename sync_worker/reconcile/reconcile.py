"""Baseline, sweep and poll: pages in, keys to the engine out, a saved cursor.

Both sides are listed whole, each page is compared with the ledger in one SELECT, and only what
differs goes on: as deliveries of the inbox, through the same engine as webhooks. Absence is not
deletion: what a complete listing does not show is looked at by id, and only if an earlier complete
listing did not show it either, or if nobody would have told of its deletion. A poll lists what
changed on the external side, and says nothing about the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import cast

from sync_worker.core.errors import (
    Away,
    GoneUnsaid,
    LeaseLost,
    Permanent,
    RateLimited,
    Transient,
    Unauthorized,
)
from sync_worker.core.ports.directory import Directory
from sync_worker.core.ports.merges import Merges
from sync_worker.core.sweep_values import Finding, Listed, Mark, Phase, Sweep, place_of
from sync_worker.core.values import Side, Site
from sync_worker.intake.intake import Intake
from sync_worker.reconcile.bulk_people import BulkPeople
from sync_worker.reconcile.dry_run import DryRun, Forecast
from sync_worker.reconcile.dry_run_ledger import DryRunDirectory, DryRunMerges, FoundContacts
from sync_worker.reconcile.hand_over import HandOver, deliveries_of, people_of
from sync_worker.reconcile.listing import Listings
from sync_worker.reconcile.planned_writes import PlannedWrite
from sync_worker.reconcile.sweep_run import SweepRun

BATCH = 50  # findings handed over at once: what a killed run leaves to the sweeper of the workers


class Reconcile:
    """One run over one site, from where ``run`` stands.

    ``note``: told of every remote write. Every step raises LeaseLost if another goes on.
    """

    def __init__(
        self,
        run: SweepRun,
        site: Site,
        intake: Intake,
        note: Callable[[PlannedWrite], None] = lambda planned_write: None,
    ) -> None:
        self.run, self.runs, self.site, self.intake, self.note = run, run.runs, site, intake, note
        self.connection = intake.connect(site)
        # What the run finds of people serves its listings and its plan.
        self.people = BulkPeople(self.connection.people, run.patiently)
        self.found = FoundContacts()

    @property
    def sweep(self) -> Sweep:
        """Where the run stands now."""
        return self.run.sweep

    def work(self) -> bool:
        """All that is left of the run; whether it has come to its end."""
        # A step that runs out of time returns False; the next run goes on there.
        return self.list_both() and self.confirm_absences() and self.apply()

    def list_both(self) -> bool:
        """List both sides, then what they did not show; whether that is all."""
        ledger, is_dry = self.intake.ledger, self.sweep.is_dry
        # What is rated is mapped as its ratings are written; a dry run keeps nothing at all.
        directory = DryRunDirectory(ledger.directory, self.found, keeps_contacts=not is_dry)
        merges = cast(Merges, DryRunMerges(ledger.merges)) if is_dry else ledger.merges
        listings = Listings(
            self.run,
            self.site,
            ledger,
            self.connection,
            cast(Directory, directory),
            merges,
            self.people,
        )
        return listings.list_both()

    # -- what is missing

    def confirm_absences(self) -> bool:
        """Look by id for what is due; whether that is all."""
        while self.sweep.phase is Phase.CONFIRM:
            if self.run.pace.is_over():
                return False
            missing = self.runs.next_missing(self.sweep, BATCH)
            # A listing may leave out what exists.
            gone = [row for row in missing if self._is_gone(row)]
            there = [row for row in missing if row not in gone]
            self.runs.settle_missing(self.sweep, gone, there)
            # All are looked for: only now the deletes of a side can be counted for its brake.
            if not missing:
                braked = {f"braked_{side}": self.runs.brake(self.sweep, side) for side in Side}
                self.run.move(Phase.APPLY, None, braked)
            self.run.move(self.sweep.phase, None, {"confirmed_gone": len(gone)})
            self.run.save()
            self.run.pace.report(self.sweep)
        return True

    def _is_gone(self, row: Listed) -> bool:
        """Whether nothing shows the row. Raises what is not of this record alone."""
        remote = self.connection.remotes[row.side]
        # One listing did not show it: only its system's own word speaks for a delete.
        is_to_be_said = row.mark is Mark.UNTOLD
        if is_to_be_said and not remote.capabilities.says_gone:
            return False
        try:
            return self.run.patiently(lambda: remote.get(row.remote_id)) is None
        except GoneUnsaid:
            # The engine looks again, and a second time, before it believes that.
            return not is_to_be_said
        except (RateLimited, Away, LeaseLost):
            raise
        except Unauthorized as error:
            if self.intake.engine.account_watch.is_refused(error, self.site):
                raise
        except Permanent:
            pass
        except Transient:
            # Perhaps it was the wait that ended: nobody has looked.
            if self.run.pace.is_over():
                raise
        # What nobody could read is not known to be gone: a later sweep looks again.
        return False

    # -- what differs

    def forecasts(self) -> Iterator[tuple[Finding, Forecast]]:
        """What ``apply`` would do with each finding, by the same engine, without doing it."""
        dry_run = DryRun(
            self.site,
            self.intake.ledger,
            self.runs,
            self.connection,
            self.intake.clock,
            self.found,
            self.run.patiently,
            self.run.until_paid,
            lambda side, remote_id: self.runs.is_shown(self.sweep, side, remote_id),
        )
        after = None
        while findings := self.runs.next_findings(self.sweep, BATCH, after):
            people = people_of(findings, self.people)
            self._ask_for_forgotten(findings)
            for finding in findings:
                deliveries = deliveries_of(self.site, finding)
                yield finding, dry_run.play(finding, deliveries, people)
            # A forecast leaves its findings open, so the place has to move.
            after = place_of(findings[-1])

    def _ask_for_forgotten(self, findings: Sequence[Finding]) -> None:
        """People whom the listings of a dry run found in a process that is gone."""
        if not self.sweep.is_dry:
            return
        directory, ids = self.intake.ledger.directory, set[str]()
        for finding in findings:
            if finding.key is not None and finding.key.contact_id not in self.found.by_id:
                ids.add(finding.key.contact_id)
        forgotten = [
            one for one in sorted(ids) if not directory.contact(self.site.id, contact_id=one)
        ]
        self.people.ask_ids(forgotten)

    def apply(self) -> bool:
        """Every finding to the engine; whether none is left."""
        hand_over = HandOver(self.run, self.site, self.intake, self.note)
        # As many as one call of Wix takes.
        at_once = max(BATCH, self.connection.remotes[Side.WIX].capabilities.bulk_create)
        while findings := self.runs.next_findings(self.sweep, at_once):
            if self.run.pace.is_over():
                return False
            # What is handed over is open no more: the next turn gets others.
            hand_over.hand_over(findings)
            self.run.pace.report(self.sweep)
        self.runs.end(self.sweep)
        return True
