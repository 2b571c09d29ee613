"""Baseline, sweep and poll: pages in, keys to the engine out, a saved cursor.

Both sides are listed whole, each page is compared with the ledger in one SELECT, and only what
differs goes on: as deliveries of the inbox, through the same engine as webhooks. Absence is not
deletion: what a complete listing does not show is looked at by id, and only if an earlier complete
listing did not show it either. A poll lists what changed on the external side, and says nothing
about the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from sync_worker.core.email_identity import normalise_email
from sync_worker.core.errors import Held, Permanent, RateLimited
from sync_worker.core.outcome import Outcome, OutcomeKind
from sync_worker.core.ports.inbox import Closing
from sync_worker.core.ports.remote import Connection, Page, Remote
from sync_worker.core.ports.sweeps import Sweeps
from sync_worker.core.record_codec import dedupe_id_of, listed_payload, mapped_values
from sync_worker.core.sweep_values import (
    Absences,
    Finding,
    Listed,
    Mark,
    OnFile,
    Phase,
    Queued,
    RunKind,
    Sweep,
    delivery_source,
    place_of,
)
from sync_worker.core.values import NewDelivery, RatingKey, Record, RecordState, Side, Site
from sync_worker.intake.intake import Intake
from sync_worker.intake.resolve import Resolver
from sync_worker.reconcile.bulk_people import BulkPeople
from sync_worker.reconcile.dry_run import DryRun, Forecast, NotingRemote, PlannedWrite

BATCH = 50  # findings handed over at once: what a killed run leaves to the sweeper of the workers
LISTING = {Phase.EXTERNAL: Side.EXTERNAL, Phase.WIX: Side.WIX}
PAUSE_SECONDS = 0.25  # between two looks at a used-up budget
KEEP_SECONDS = 5.0  # the run's lease is renewed that often

T = TypeVar("T")
Job = Callable[[], Outcome]


@dataclass(frozen=True, slots=True)
class Pace:
    """How a run waits and works; given from outside, so that a simulator can drive it.

    ``together``: does jobs, some at a time, and returns their outcomes in order. ``is_over``: end
    after this step, to go on another time. ``report``: called after each step.
    """

    wait: Callable[[float], None]
    together: Callable[[Sequence[Job]], list[Outcome]] = lambda jobs: [job() for job in jobs]
    is_over: Callable[[], bool] = lambda: False
    report: Callable[[Sweep], None] = lambda sweep: None


@dataclass(slots=True)
class Reconcile:
    """One run over one site, from where ``sweep`` stands.

    ``note``: told of every remote write. ``outcomes``: how the findings of this process ended.
    """

    sweep: Sweep
    site: Site
    runs: Sweeps
    intake: Intake
    pace: Pace
    note: Callable[[PlannedWrite], None] = lambda planned_write: None
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    kept_at: float = 0.0

    def work(self) -> bool:
        """All that is left of the run; whether it has come to its end.

        A LeaseLost means that another goes on.
        """
        return self.list_both() and self.confirm_absences() and self.apply()

    # -- listing

    def list_both(self) -> bool:
        """Both sides, page by page; then what they did not show.

        A poll: what changed on the external side.
        """
        while self.sweep.phase in LISTING:
            if self.pace.is_over():
                return False
            self._list_page(LISTING[self.sweep.phase])
            self.pace.report(self.sweep)
        return True

    def _list_page(self, side: Side) -> None:
        try:
            page = self.patiently(lambda: self._page_of(side))
        except Permanent:
            if self.sweep.page is None:
                raise
            # A cursor does not live for ever: this side is listed from its beginning.
            self._move(
                self.sweep.phase,
                None,
                {f"listed_{side}": -self.sweep.counts.get(f"listed_{side}", 0)},
            )
            self.runs.restart_listing(self.sweep, side)
            return
        self._note_time(page)
        rows = self._compare(side, page)
        counts = {f"listed_{side}": len(page.records)}
        if page.cursor is not None:
            self._move(self.sweep.phase, page.cursor, counts)
            self.runs.save(self.sweep, rows)
            return
        self._end_listing(side, rows, counts)

    def _page_of(self, side: Side) -> Page:
        if self.sweep.kind is RunKind.POLL and self.connection.changed is not None:
            return self.connection.changed(self.sweep.since, self.sweep.page)
        return self.connection.remotes[side].list_page(self.sweep.page)

    def _note_time(self, page: Page) -> None:
        times = [time for time in (self.sweep.newest, page.newest) if time is not None]
        self.sweep = replace(self.sweep, newest=max(times, default=None))

    def _end_listing(self, side: Side, rows: Sequence[Listed], counts: Mapping[str, int]) -> None:
        """The listing is complete: only now can something be missing in it.

        Saved before it is looked at, with its last page still to be listed again if we die in
        between.
        """
        if self.sweep.kind is RunKind.POLL:
            self._move(Phase.APPLY, None, counts)
            self.runs.save(self.sweep, rows)
            return
        self.runs.save(self.sweep, rows)
        counts_as_gone = self.connection.remotes[side].capabilities.absence_counts
        absences = self.runs.note_absences(self.sweep, side) if counts_as_gone else Absences(0, 0)
        self._move(
            Phase.WIX if side is Side.EXTERNAL else Phase.CONFIRM,
            None,
            {**counts, **_counted(side, absences)},
        )
        self.runs.save(self.sweep)

    def _move(self, phase: Phase, page: str | None, more: Mapping[str, int]) -> None:
        counts = {**self.sweep.counts}
        for name, number in more.items():
            counts[name] = counts.get(name, 0) + number
        self.sweep = replace(self.sweep, phase=phase, page=page, counts=counts)

    # -- comparing

    def _compare(self, side: Side, page: Page) -> list[Listed]:
        records = {record.remote_id: record for record in page.records}
        known = self.runs.on_file(self.site, side, list(records))
        marks = {
            remote_id: mark_of(record, side, known.get(remote_id, OnFile()), self.site)
            for remote_id, record in records.items()
        }
        people = BulkPeople(self.connection.people, self.patiently)
        ledger = self.intake.ledger
        resolver = Resolver(
            ledger.directory,
            ledger.links,
            ledger.merges,
            replace(self.connection, people=people),
            _creating_nobody(self.site),
        )
        self._meet_people(
            [one for one in page.records if marks[one.remote_id] is not Mark.IN_STEP], side, people
        )
        return [
            self._row(side, record, marks[remote_id], known.get(remote_id, OnFile()), resolver)
            for remote_id, record in records.items()
        ]

    def _meet_people(self, records: Sequence[Record], side: Side, people: BulkPeople) -> None:
        """Ask for all unknown people of a page at once."""
        contact = self.intake.ledger.directory.contact
        if side is Side.EXTERNAL:
            emails = {one.person.email.strip() for one in records if one.person.email is not None}
            people.ask(
                [
                    one
                    for one in sorted(emails)
                    if contact(self.site.id, email=normalise_email(one)) is None
                ]
            )
        else:
            ids = {one.person.contact_id for one in records if one.person.contact_id is not None}
            people.ask_ids(
                [one for one in sorted(ids) if contact(self.site.id, contact_id=one) is None]
            )

    def _row(
        self, side: Side, record: Record, mark: Mark, known: OnFile, resolver: Resolver
    ) -> Listed:
        if mark is Mark.IN_STEP:
            return Listed(side, record.remote_id, mark)
        key = self._key_of(record, side, known, resolver)
        if key is None and known.is_held:
            return Listed(side, record.remote_id, Mark.HELD)
        if isinstance(key, Closing) or (key is None and mark is Mark.HIDDEN):
            return Listed(side, record.remote_id, Mark.IN_STEP)  # not to cross
        must_read = known.is_buried or not listed_payload(record)
        return Listed(side, record.remote_id, mark, key, record=record, must_read=must_read)

    def _key_of(
        self, record: Record, side: Side, known: OnFile, resolver: Resolver
    ) -> RatingKey | Closing | None:
        """``None``: its person or entity is not known, or must be created first: that is the
        intake's to say.
        """
        if known.is_linked or known.is_buried:
            located = self.intake.ledger.directory.locate(self.site.id, side, record.remote_id)
            if located.key is not None:
                return located.key
        try:
            return resolver.key_of_record(record, side)
        except (Held, Permanent):
            return None

    # -- what is missing

    def confirm_absences(self) -> bool:
        """Look by id for what two complete listings did not show: a listing may leave out what
        exists.
        """
        while self.sweep.phase is Phase.CONFIRM:
            if self.pace.is_over():
                return False
            missing = self.runs.next_missing(self.sweep, BATCH)
            gone = [row for row in missing if self._is_gone(row)]
            self.runs.settle_missing(self.sweep, gone, [row for row in missing if row not in gone])
            if not missing:
                braked = {f"braked_{side}": self.runs.brake(self.sweep, side) for side in Side}
                self._move(Phase.APPLY, None, braked)
            self._move(self.sweep.phase, None, {"confirmed_gone": len(gone)})
            self.runs.save(self.sweep)
            self.pace.report(self.sweep)
        return True

    def _is_gone(self, row: Listed) -> bool:
        return self.patiently(lambda: self.connection.remotes[row.side].get(row.remote_id)) is None

    # -- handing over

    def forecasts(self) -> Iterator[tuple[Finding, Forecast]]:
        """What ``apply`` would do with each finding, by the same engine, without doing it."""
        rehearsal = DryRun(
            self.site,
            self.intake.ledger,
            self.runs,
            self.connection,
            self.intake.clock,
            self._until_paid,
            lambda side, remote_id: self.runs.is_shown(self.sweep, side, remote_id),
        )
        after = None
        while findings := self.runs.next_findings(self.sweep, BATCH, after):
            people = self._people_of(findings)
            for finding in findings:
                deliveries = deliveries_of(self.site, finding)
                yield finding, rehearsal.play(finding, deliveries, people)
            after = place_of(findings[-1])

    def apply(self) -> bool:
        """Every finding to the engine; whether none is left."""
        while findings := self.runs.next_findings(self.sweep, BATCH):
            if self.pace.is_over():
                return False
            self._hand_over(findings)
            self.pace.report(self.sweep)
        self.runs.end(self.sweep)
        return True

    def _hand_over(self, findings: Sequence[Finding]) -> None:
        queued = self.runs.queue(
            self.sweep, [(one, deliveries_of(self.site, one)) for one in findings]
        )
        remotes: dict[Side, Remote] = {
            side: NotingRemote(remote, self.note)
            for side, remote in self.connection.remotes.items()
        }
        connection = replace(self.connection, remotes=remotes, people=self._people_of(findings))
        intake = replace(self.intake, connect=lambda site: connection)
        outcomes = self.pace.together([self._job(intake, one) for one in queued])
        self.outcomes.update(outcomes)
        done = Counter(f"outcome_{outcome.kind}" for outcome in outcomes)
        self._move(Phase.APPLY, None, {**done, "applied": len(outcomes)})
        self.runs.save(self.sweep)

    def _people_of(self, findings: Sequence[Finding]) -> BulkPeople:
        people = BulkPeople(self.connection.people, self.patiently)
        emails = [
            row.record.person.email
            for one in findings
            if one.key is None
            for row in one.rows
            if row.record
        ]
        people.ask([email.strip() for email in emails if email is not None])
        return people

    def _job(self, intake: Intake, queued: Queued) -> Job:
        if queued.held:
            held = Outcome(OutcomeKind.HELD, queued.held)
            return lambda: held
        link_id = queued.link_id
        if link_id is not None:
            return lambda: self._until_paid(lambda: intake.engine.sync_link(link_id))
        return lambda: self._until_paid(lambda: intake.process(queued.inbox_ids[0]))

    def _until_paid(self, job: Job) -> Outcome:
        while (outcome := job()).kind is OutcomeKind.RATE_LIMITED:
            self._wait(PAUSE_SECONDS)
        self._keep()
        return outcome

    def patiently(self, call: Callable[[], T]) -> T:
        """The answer to a call, however long its budget makes us wait."""
        while True:
            try:
                return call()
            except RateLimited as limit:
                self._wait(min(limit.retry_after or PAUSE_SECONDS, KEEP_SECONDS))

    def _wait(self, seconds: float) -> None:
        self.pace.wait(seconds)
        self._keep()

    def _keep(self) -> None:
        """Renew the lease of the run now and then."""
        now = self.intake.clock.monotonic()
        if now - self.kept_at > KEEP_SECONDS:
            self.kept_at = now
            self.runs.renew_run(self.sweep)

    @property
    def connection(self) -> Connection:
        return self.intake.connect(self.site)


def mark_of(record: Record, side: Side, known: OnFile, site: Site) -> Mark:
    """Whether the ledger knows the record as it is; a revision counts only if it is above the seen
    one.
    """
    values = mapped_values(record, side, site.fields)
    if not known.is_linked and (not values or known.is_shadowed):
        return (
            Mark.IN_STEP
        )  # no attribute of it is mapped, or a newer record of the same person stands for it
    if record.state is RecordState.DELETED and not known.is_linked:
        # Some listings show what was deleted. Older news of it that is still on its way must hear
        # of that.
        return Mark.OPEN if known.is_awaited else Mark.IN_STEP
    if known.is_linked and record.revision is not None and known.revision is not None:
        return Mark.OPEN if record.revision > known.revision else Mark.IN_STEP
    if known.is_linked:
        same = record.state is known.state and (not record.is_visible or values == known.values)
        return Mark.IN_STEP if same else Mark.OPEN
    if known.is_buried:
        return Mark.OPEN if record.is_visible and is_above(record, known) else Mark.IN_STEP
    return Mark.OPEN if record.is_visible else Mark.HIDDEN


def is_above(record: Record, known: OnFile) -> bool:
    """Unknown revisions are never below."""
    return record.revision is None or known.revision is None or record.revision > known.revision


def deliveries_of(site: Site, finding: Finding) -> list[NewDelivery]:
    """What a finding tells, as deliveries."""
    return [
        NewDelivery(
            side=row.side,
            source=delivery_source(site, row.side),
            dedupe_id=dedupe_id_of(row.remote_id, row.record),
            change=row.change,
            remote_id=row.remote_id,
            payload=listed_payload(row.record) if row.record is not None else {},
            revision=row.record.revision if row.record is not None else None,
        )
        for row in finding.rows
    ]


def _counted(side: Side, absences: Absences) -> dict[str, int]:
    return {
        f"missing_{side}": absences.missing,
        f"due_{side}": absences.due,
        f"refused_{side}": int(absences.is_refused),
    }


def _creating_nobody(site: Site) -> Site:
    """For the listing: contacts are created only when their ratings are written."""
    policy = site.policy
    return (
        replace(site, policy=replace(policy, unknown_contact="hold"))
        if policy.unknown_contact == "create"
        else site
    )
