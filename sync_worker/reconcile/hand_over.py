"""Findings to the engine: as deliveries of the inbox, which a killed run leaves to the workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sync_worker.core.email_identity import is_usable
from sync_worker.core.outcome import Outcome, OutcomeKind
from sync_worker.core.ports.remote import Connection, Remote
from sync_worker.core.record_codec import dedupe_id_of, listed_payload
from sync_worker.core.sweep_values import Finding, Listed, Phase, Queued, delivery_source
from sync_worker.core.values import NewDelivery, Side, Site
from sync_worker.intake.intake import Intake
from sync_worker.reconcile.bulk_people import BulkPeople
from sync_worker.reconcile.pace import Job
from sync_worker.reconcile.planned_entities import with_mapped_entity
from sync_worker.reconcile.planned_writes import NotingRemote, PlannedWrite
from sync_worker.reconcile.sweep_run import SweepRun

Pair = tuple[Finding, Queued]


@dataclass(frozen=True, slots=True)
class HandOver:
    """Hands the findings of one run over. ``note``: told of every remote write."""

    run: SweepRun
    site: Site
    intake: Intake
    note: Callable[[PlannedWrite], None]

    def hand_over(self, findings: Sequence[Finding]) -> None:
        """Bring these findings in step, and count how that ended."""
        directory = self.intake.ledger.directory
        findings = [with_mapped_entity(directory, self.site, finding) for finding in findings]
        deliveries = [(finding, deliveries_of(self.site, finding)) for finding in findings]
        queued_findings = self.run.runs.queue(self.run.sweep, deliveries)
        pairs = list(zip(findings, queued_findings, strict=True))
        people = people_of(findings, BulkPeople(self._connection.people, self.run.patiently))
        outcomes = [*self._created_together(pairs, people), *self._one_by_one(pairs, people)]
        counts = Counter(f"outcome_{outcome.kind}" for outcome in outcomes)
        self.run.move(Phase.APPLY, None, {**counts, "applied": len(outcomes)})
        self.run.save()

    @property
    def _connection(self) -> Connection:
        return self.intake.connect(self.site)

    # -- in few calls, where Wix takes many

    def _created_together(self, pairs: Sequence[Pair], people: BulkPeople) -> list[Outcome]:
        jobs = [
            partial(self._work_over, queued, people)
            for finding, queued in pairs
            if self._goes_together(finding, queued)
        ]
        in_bulk = self.run.pace.in_bulk
        return in_bulk(self._connection, jobs) if jobs and in_bulk is not None else []

    def _goes_together(self, finding: Finding, queued: Queued) -> bool:
        """Whether it is most likely created on Wix: only the other side shows it."""
        remote = self._connection.remotes[Side.WIX]
        is_offered = self.run.pace.in_bulk is not None and remote.capabilities.bulk_create > 1
        if not is_offered or queued.held:
            return False
        return all(row.side is Side.EXTERNAL and row.record is not None for row in finding.rows)

    def _work_over(self, queued: Queued, people: BulkPeople, connection: Connection) -> Outcome:
        return self._job_of(self._intake_over(connection, people), queued)()

    # -- each by itself

    def _one_by_one(self, pairs: Sequence[Pair], people: BulkPeople) -> list[Outcome]:
        intake = self._intake_over(self._connection, people)
        jobs = [
            self._job_of(intake, queued)
            for finding, queued in pairs
            if not self._goes_together(finding, queued)
        ]
        return self.run.pace.together(jobs)

    def _intake_over(self, connection: Connection, people: BulkPeople) -> Intake:
        remotes: dict[Side, Remote] = {
            side: NotingRemote(remote, self.note) for side, remote in connection.remotes.items()
        }
        noting = replace(connection, remotes=remotes, people=people)
        return replace(self.intake, connect=lambda site: noting)

    def _job_of(self, intake: Intake, queued: Queued) -> Job:
        # The ledger has held its deliveries as it queued them: nothing is to be done.
        if queued.held:
            outcome = Outcome(OutcomeKind.HELD, queued.held)
            return lambda: outcome
        link_id = queued.link_id
        # Its key is still to be found.
        if link_id is None:
            inbox_id = queued.inbox_ids[0]
            return lambda: self.run.until_paid(lambda: intake.process(inbox_id))
        # Its link is known: the run takes all of its deliveries at once.
        return lambda: self.run.until_paid(lambda: intake.engine.sync_link(link_id))


def people_of(findings: Sequence[Finding], people: BulkPeople) -> BulkPeople:
    """``people`` who know everybody that the findings without a key name."""
    emails = []
    for finding in findings:
        if finding.key is None:
            emails += [row.record.person.email for row in finding.rows if row.record is not None]
    people.ask([email.strip() for email in emails if email and is_usable(email)])
    return people


def deliveries_of(site: Site, finding: Finding) -> list[NewDelivery]:
    """What a finding tells, as deliveries."""
    return [_delivery_of(site, row) for row in finding.rows]


def _delivery_of(site: Site, row: Listed) -> NewDelivery:
    record = row.record
    payload: dict[str, Any] = {}
    revision = None
    # Of what was missing in the listings only the id is known.
    if record is not None:
        payload, revision = listed_payload(record), record.revision
    return NewDelivery(
        side=row.side,
        source=delivery_source(site, row.side),
        dedupe_id=dedupe_id_of(row.remote_id, record),
        change=row.change,
        remote_id=row.remote_id,
        payload=payload,
        revision=revision,
    )
