"""A dry run: the real engine over a ledger and remotes that change nothing (I25).

What it plans is what the real run then does, because it is the same code up to the write itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from sync_worker.core.errors import Held, Misconfigured, Permanent
from sync_worker.core.outcome import Outcome, OutcomeKind
from sync_worker.core.ports.clock import Clock
from sync_worker.core.ports.directory import Directory
from sync_worker.core.ports.inbox import Closing
from sync_worker.core.ports.ledger import Ledger
from sync_worker.core.ports.links import LeasedLink
from sync_worker.core.ports.people import People
from sync_worker.core.ports.remote import Connection, Remote
from sync_worker.core.ports.sweeps import Sweeps
from sync_worker.core.sweep_values import Finding
from sync_worker.core.values import (
    TAKES_AWAY,
    Delivery,
    Entity,
    InboxState,
    Known,
    NewDelivery,
    Person,
    RatingKey,
    Record,
    Side,
    Site,
    Slot,
)
from sync_worker.engine.engine import Engine
from sync_worker.engine.record_view import to_fields
from sync_worker.intake.resolve import Resolver
from sync_worker.reconcile.bulk_people import Patiently
from sync_worker.reconcile.dry_run_ledger import DryRunDirectory, DryRunLedger, FoundContacts
from sync_worker.reconcile.dry_run_remotes import (
    DryRunPeople,
    DryRunRemote,
    ForgetfulGuard,
    SilentBell,
)
from sync_worker.reconcile.pace import Job
from sync_worker.reconcile.planned_entities import entity_of, is_planned
from sync_worker.reconcile.planned_writes import NotingRemote, PlannedWrite

# Above all numbers of real deliveries: what a listing tells is the newest news.
NOT_IN_THE_INBOX = 1 << 61


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a finding would lead to.

    ``outcome``: link, in_step, skipped, held REASON, retry, or the words of its writes.
    """

    outcome: str
    planned_writes: tuple[PlannedWrite, ...] = ()


@dataclass(frozen=True, slots=True)
class DryRun:
    """Plays findings of one site without consequences.

    ``found``: contacts that the listings brought. ``patiently`` and ``until_paid`` repeat what the
    budget refuses. ``deletes``: planned so far, by side.
    """

    site: Site
    ledger: Ledger
    runs: Sweeps
    connection: Connection
    clock: Clock
    found: FoundContacts
    patiently: Patiently
    until_paid: Callable[[Job], Outcome]
    is_shown: Callable[[Side, str], bool]
    deletes: Counter[Side] = field(default_factory=Counter)

    def play(self, finding: Finding, deliveries: Sequence[NewDelivery], people: People) -> Forecast:
        """What the finding would lead to now. ``people``: asked in bulk already."""
        # Held by the brake, or by another rule of the sweep.
        if all(row.hold for row in finding.rows):
            return Forecast(f"held {finding.rows[0].hold}")
        in_hand = self._in_hand(finding, deliveries)
        directory = DryRunDirectory(self.ledger.directory, self.found)
        ledger = DryRunLedger.over(
            self.ledger,
            directory,
            self.deletes,
            lambda key: self._peek(key, people, directory.planned.get(key.entity_id)),
        )
        connection = replace(self.connection, people=DryRunPeople(people))
        try:
            # A finding without a key has a single row.
            key = finding.key or self.patiently(
                lambda: self._key_of(in_hand[0], ledger, connection)
            )
        except (Held, Permanent, Misconfigured) as refusal:
            return Forecast(f"held {refusal.reason}")
        # By policy it does not cross, or nothing of it is left.
        if isinstance(key, Closing):
            return Forecast("skipped")
        run = self._leased_link(key, finding, in_hand, people)
        # The run would find the same delivery waiting for a person.
        for waiting in run.deliveries:
            if waiting.stands_by and _is_told_by(waiting, finding):
                return Forecast(f"held {waiting.reason}")
        return self._run(run, finding, ledger, connection)

    def _in_hand(self, finding: Finding, deliveries: Sequence[NewDelivery]) -> list[Delivery]:
        """The deliveries as a run would take them from the inbox."""
        return [
            Delivery(
                NOT_IN_THE_INBOX + number,
                new,
                InboxState.TAKEN,
                self.site.id,
                must_read=row.must_read,
            )
            for number, (row, new) in enumerate(zip(finding.rows, deliveries, strict=True))
        ]

    def _key_of(
        self, delivery: Delivery, ledger: DryRunLedger, connection: Connection
    ) -> RatingKey | Closing:
        return _resolver(ledger, connection, self.site).key_of(delivery)

    def _leased_link(
        self, key: RatingKey, finding: Finding, in_hand: Sequence[Delivery], people: People
    ) -> LeasedLink:
        entity = None
        # The real run maps it as it begins with the finding.
        if is_planned(key):
            directory = cast(Directory, DryRunDirectory(self.ledger.directory))
            entity = entity_of(directory, self.site, finding.rows)
        run = self._peek(key, people, entity)
        return replace(run, deliveries=(*run.deliveries, *in_hand))

    def _peek(self, key: RatingKey, people: People, entity: Entity | None = None) -> LeasedLink:
        """The link of a key as a lease would give it, with its contact as far as anybody knows."""
        run = self.runs.peek(key, entity)
        contact = run.contact
        # Found by this run, so the ledger does not know it; or by the process that had it before.
        if contact.email is None:
            found = self.found.by_id.get(key.contact_id) or people.by_id(key.contact_id)
            contact = found or contact
        return replace(run, contact=contact)

    def _run(
        self, run: LeasedLink, finding: Finding, ledger: DryRunLedger, connection: Connection
    ) -> Forecast:
        planned_writes: list[PlannedWrite] = []
        shown = self._shown(run, finding)
        engine = self._engine(ledger, connection, shown, planned_writes.append)

        def attempt() -> Outcome:
            # What an attempt had planned before the budget refused it is planned again.
            planned_writes.clear()
            return engine.work_on(run)

        outcome = self.until_paid(attempt)
        # Counted for the brake: the real run would have these deletes on file by then.
        self.deletes.update(
            planned_write.side
            for planned_write in planned_writes
            if planned_write.operation in TAKES_AWAY
        )
        word = _word_of(outcome, planned_writes, is_new=_is_new(run, ledger))
        return Forecast(word, tuple(planned_writes))

    def _shown(self, run: LeasedLink, finding: Finding) -> Mapping[Side, Mapping[str, Record]]:
        """What the listings showed of this link, by side and id."""
        shown: dict[Side, dict[str, Record]] = {side: {} for side in Side}
        for row in finding.rows:
            if row.record is not None:
                shown[row.side][row.remote_id] = row.record
        # A record in step is as it is on file; of such rows no more is kept.
        for slot, known in run.link.records.items():
            if known.remote_id in shown[slot.side]:
                continue
            if self.is_shown(slot.side, known.remote_id):
                shown[slot.side][known.remote_id] = _as_on_file(run, slot, known)
        return shown

    def _engine(
        self,
        ledger: DryRunLedger,
        connection: Connection,
        shown: Mapping[Side, Mapping[str, Record]],
        note: Callable[[PlannedWrite], None],
    ) -> Engine:
        remotes: dict[Side, Remote] = {
            side: NotingRemote(DryRunRemote(remote, self.is_shown, shown[side]), note)
            for side, remote in connection.remotes.items()
        }
        looking = replace(connection, remotes=remotes)
        return Engine(
            ledger.ports,
            ForgetfulGuard(),
            SilentBell(),
            self.clock,
            lambda site: looking,
            lambda: "dry-run",
            lambda site: _resolver(ledger, connection, site),
        )


def _resolver(ledger: DryRunLedger, connection: Connection, site: Site) -> Resolver:
    ports = ledger.ports
    return Resolver(ports.directory, ports.links, ports.merges, connection, site)


def _as_on_file(run: LeasedLink, slot: Slot, known: Known) -> Record:
    """The record of a slot as both sides last agreed on it."""
    names = [slot.attribute] if slot.attribute else list(run.link.bases)
    agreed = {name: run.link.bases[name].on(slot.side) for name in names if name in run.link.bases}
    values = {name: value for name, value in agreed.items() if value is not None}
    contact = run.contact
    return Record(
        known.remote_id,
        to_fields(values, run.site.fields, slot.side),
        known.revision,
        known.sequence,
        known.state,
        run.entity.on(slot.side),
        Person(contact.contact_id, email=contact.email, name=contact.name),
        known.raw,
    )


def _is_told_by(waiting: Delivery, finding: Finding) -> bool:
    name = (waiting.new.side, waiting.new.remote_id, waiting.new.change)
    return any((row.side, row.remote_id, row.change) == name for row in finding.rows)


def _is_new(run: LeasedLink, ledger: DryRunLedger) -> bool:
    """Whether the run links records that nothing was on file of."""
    return ledger.links.is_linked_anew and not run.link.records


def _word_of(outcome: Outcome, planned_writes: Sequence[PlannedWrite], *, is_new: bool) -> str:
    """What a person reads about the finding."""
    # It would not come to its end.
    if outcome.kind in (OutcomeKind.HELD, OutcomeKind.RETRY, OutcomeKind.RATE_LIMITED):
        return str(outcome)
    if planned_writes:
        return " and ".join(sorted({planned_write.what for planned_write in planned_writes}))
    # Both sides agree already: they only come on file.
    if is_new:
        return "link"
    return "in_step"
