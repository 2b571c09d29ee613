"""A dry run: the real engine over a ledger and remotes that let it look at everything and change
nothing (I25).

What it plans is what the real run then does, because it is the same code up to the write itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Self

from sync_worker.core.errors import Conflict, Gone, Held, Misconfigured, Permanent
from sync_worker.core.outcome import Outcome, OutcomeKind
from sync_worker.core.ports.clock import Clock
from sync_worker.core.ports.directory import Located
from sync_worker.core.ports.inbox import Closing
from sync_worker.core.ports.ledger import Ledger
from sync_worker.core.ports.links import Commit, Committed
from sync_worker.core.ports.people import People
from sync_worker.core.ports.remote import Capabilities, Connection, Page, Remote
from sync_worker.core.ports.sweeps import Sweeps
from sync_worker.core.sweep_values import Finding
from sync_worker.core.values import (
    Buried,
    Contact,
    Delivery,
    Draft,
    Entity,
    EntityRef,
    InboxState,
    Intent,
    Lease,
    Merge,
    MergeDistance,
    NewDelivery,
    Operation,
    Person,
    RatingKey,
    Record,
    RecordState,
    Side,
    Site,
)
from sync_worker.engine.engine import Engine
from sync_worker.intake.resolve import Resolver

NOT_IN_THE_INBOX = (
    1 << 61
)  # above all numbers of real deliveries: what a listing tells is the newest news


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """One remote write, done or planned.

    ``values``: by the fields of that side, empty for a delete.
    """

    operation: Operation
    side: Side
    entity: str
    person: str
    values: Mapping[str, Decimal] = field(default_factory=dict, hash=False)
    remote_id: str = ""

    @property
    def what(self) -> str:
        return f"{self.operation} on {self.side}"


class NotingRemote:
    """Implements ports.Remote over another; every write that succeeded is noted."""

    def __init__(self, remote: Remote, note: Callable[[PlannedWrite], None]) -> None:
        self._remote, self._note = remote, note

    @property
    def side(self) -> Side:
        return self._remote.side

    @property
    def capabilities(self) -> Capabilities:
        return self._remote.capabilities

    def reserve_request(self) -> None:
        self._remote.reserve_request()

    def record_in(self, payload: Mapping[str, Any]) -> Record | None:
        return self._remote.record_in(payload)

    def get(self, remote_id: str) -> Record | None:
        return self._remote.get(remote_id)

    def find(self, entity: EntityRef, person: Person) -> Sequence[Record]:
        return self._remote.find(entity, person)

    def list_page(self, cursor: str | None = None) -> Page:
        return self._remote.list_page(cursor)

    def create(self, draft: Draft, idempotency_key: str) -> Record:
        record = self._create(draft, idempotency_key)
        self._note(self._deed(Operation.CREATE, draft, ""))
        return record

    def update(self, remote_id: str, draft: Draft, revision: int | None) -> Record:
        record = self._update(remote_id, draft, revision)
        self._note(self._deed(Operation.UPDATE, draft, remote_id))
        return record

    def delete(self, remote_id: str, revision: int | None) -> None:
        self._delete(remote_id, revision)
        self._note(PlannedWrite(Operation.DELETE, self.side, "", "", remote_id=remote_id))

    def _create(self, draft: Draft, idempotency_key: str) -> Record:
        return self._remote.create(draft, idempotency_key)

    def _update(self, remote_id: str, draft: Draft, revision: int | None) -> Record:
        return self._remote.update(remote_id, draft, revision)

    def _delete(self, remote_id: str, revision: int | None) -> None:
        self._remote.delete(remote_id, revision)

    def _deed(self, operation: Operation, draft: Draft, remote_id: str) -> PlannedWrite:
        person = draft.person.email or draft.person.contact_id or ""
        return PlannedWrite(
            operation, self.side, draft.entity.entity_id, person, draft.values, remote_id
        )


class RehearsingRemote(NotingRemote):
    """Lets us look; a write is only noted, and answered as the remote would.

    ``is_shown``: whether the listing at hand shows a record; one that it does not show may be gone.
    """

    def __init__(
        self,
        remote: Remote,
        note: Callable[[PlannedWrite], None],
        is_shown: Callable[[Side, str], bool],
    ) -> None:
        super().__init__(remote, note)
        self._is_shown = is_shown

    def reserve_request(self) -> None:
        return

    def _create(self, draft: Draft, idempotency_key: str) -> Record:
        name = ",".join(sorted(draft.values))
        revision = 1 if self.capabilities.has_revision else None
        return Record(
            f"(new {name})", draft.values, revision, entity=draft.entity, person=draft.person
        )

    def _update(self, remote_id: str, draft: Draft, revision: int | None) -> Record:
        if not self._is_shown(self.side, remote_id):
            now = self._remote.get(remote_id)
            if now is None:
                raise Gone
            if now.revision != revision and self.capabilities.update_precondition:
                raise Conflict
        after = None if revision is None else revision + 1
        return Record(
            remote_id,
            draft.values,
            after,
            None,
            RecordState.PUBLISHED,
            draft.entity,
            draft.person,
            draft.last,
        )

    def _delete(self, remote_id: str, revision: int | None) -> None:
        return


@dataclass(slots=True)
class RehearsingPeople:
    """Implements ports.People over another; nobody is created."""

    people: People

    def __getattr__(self, name: str) -> Any:
        return getattr(self.people, name)

    def create(self, email: str, name: str | None) -> Contact:
        return Contact("(new contact)", email, name)


@dataclass(slots=True)
class RehearsingLedger:
    """The part of ports.Ledger that one run of the engine uses: it reads, and keeps what would be
    written to itself.

    ``deletes``: rehearsed so far, by side, for the brake.
    """

    ledger: Ledger
    deletes: dict[Side, int]
    contacts: dict[str, Contact] = field(default_factory=dict)
    is_linked_anew: bool = False

    @property
    def inbox(self) -> Self:
        return self

    @property
    def directory(self) -> Self:
        return self

    @property
    def links(self) -> Self:
        return self

    @property
    def merges(self) -> Self:
        return self

    @property
    def sites(self) -> Self:
        return self

    def renew(self, lease: Lease) -> None:
        return

    def open_intent(self, lease: Lease, intent: Intent) -> None:
        return

    def commit(self, lease: Lease, change: Commit) -> Committed:
        self.is_linked_anew |= any(known is not None for known in change.records.values())
        return Committed()

    def release(self, lease: Lease) -> Sequence[int]:
        return ()

    def defer(
        self,
        inbox_ids: Sequence[int],
        delay_seconds: float | None,
        reason: str,
        *,
        is_failure: bool,
    ) -> None:
        return

    def hold(self, inbox_ids: Sequence[int], reason: str, *, hold_key: str | None = None) -> None:
        return

    def bury(self, site_id: int, buried: Buried) -> bool:
        return True

    def save_contact(self, site_id: int, contact: Contact) -> Contact:
        self.contacts[contact.contact_id] = contact
        return contact

    def deletes_exceeded(self, site_id: int, side: Side, more: int = 0) -> bool:
        return self.ledger.links.deletes_exceeded(site_id, side, more + self.deletes.get(side, 0))

    def locate(self, site_id: int, side: Side, remote_id: str) -> Located:
        return self.ledger.directory.locate(site_id, side, remote_id)

    def entity(self, site_id: int, side: Side, ref: EntityRef) -> Entity | None:
        return self.ledger.directory.entity(site_id, side, ref)

    def add_entity(self, site_id: int, wix: EntityRef, external: EntityRef) -> Entity:
        return self.ledger.directory.add_entity(site_id, wix, external)

    def contact(
        self, site_id: int, *, contact_id: str | None = None, email: str | None = None
    ) -> Contact | None:
        return self.ledger.directory.contact(site_id, contact_id=contact_id, email=email)

    def redirect(self, site_id: int, merge: Merge, *, is_told: bool = True) -> None:
        return

    def buried_with(self, link_id: int) -> list[tuple[Side, str]]:
        return self.ledger.merges.buried_with(link_id)

    def merge_distance(self, site_id: int, person: Person) -> MergeDistance | None:
        return self.ledger.merges.merge_distance(site_id, person)

    def evidence(self, site_id: int, side: Side, remote_id: str, revision: int) -> Delivery | None:
        return self.ledger.inbox.evidence(site_id, side, remote_id, revision)


class _Nobody:
    """A guard that remembers nothing and a bell that nobody hears."""

    def remember(
        self, site_id: int, side: Side, remote_id: str, revision: int, intent_id: str
    ) -> None:
        return

    def recall(self, site_id: int, side: Side, remote_id: str, revision: int) -> str | None:
        return None

    def ring(self, inbox_ids: Sequence[int]) -> None:
        return


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a finding would lead to.

    ``outcome``: link, in_step, skipped, held REASON, retry, or the words of its writes.
    """

    outcome: str
    planned_writes: tuple[PlannedWrite, ...] = ()


@dataclass(slots=True)
class DryRun:
    """Plays findings of one site without consequences.

    ``until_paid`` repeats what the budget refuses.
    """

    site: Site
    ledger: Ledger
    runs: Sweeps
    connection: Connection
    clock: Clock
    until_paid: Callable[[Callable[[], Outcome]], Outcome]
    is_shown: Callable[[Side, str], bool]
    deletes: dict[Side, int] = field(default_factory=dict)

    def play(self, finding: Finding, deliveries: Sequence[NewDelivery], people: People) -> Forecast:
        """What the finding would lead to now. ``people``: asked in bulk already."""
        if all(row.hold for row in finding.rows):
            return Forecast(f"held {finding.rows[0].hold}")
        heard = [
            Delivery(
                NOT_IN_THE_INBOX + number,
                new,
                InboxState.TAKEN,
                self.site.id,
                must_read=row.must_read,
            )
            for number, (row, new) in enumerate(zip(finding.rows, deliveries, strict=True))
        ]
        try:
            return self._play(finding.key, heard, replace(self.connection, people=people))
        except Held as wait:
            return Forecast(f"held {wait.reason}")
        except (Permanent, Misconfigured) as refusal:
            return Forecast(f"held {refusal.reason}")

    def _play(
        self, key: RatingKey | None, heard: Sequence[Delivery], connection: Connection
    ) -> Forecast:
        ledger = RehearsingLedger(self.ledger, self.deletes)
        if key is None:
            people: Any = RehearsingPeople(connection.people)
            looking = replace(connection, people=people)
            part: Any = ledger
            resolver = Resolver(part.directory, part.links, part.merges, looking, self.site)
            found = resolver.key_of(heard[0])
            if isinstance(found, Closing):
                return Forecast("skipped")
            key = found
        run = self.runs.peek(key)
        if (contact := ledger.contacts.get(key.contact_id)) is not None:
            run = replace(run, contact=contact)
        run = replace(run, deliveries=(*run.deliveries, *heard))
        planned_writes: list[PlannedWrite] = []
        outcome = self.until_paid(lambda: self._attempt(run, ledger, connection, planned_writes))
        for planned_write in planned_writes:
            if planned_write.operation is Operation.DELETE:
                self.deletes[planned_write.side] = self.deletes.get(planned_write.side, 0) + 1
        return Forecast(
            self._word(outcome, planned_writes, ledger, run.link.records), tuple(planned_writes)
        )

    def _attempt(
        self,
        run: Any,
        ledger: RehearsingLedger,
        connection: Connection,
        planned_writes: list[PlannedWrite],
    ) -> Outcome:
        planned_writes.clear()
        remotes = {
            side: RehearsingRemote(remote, planned_writes.append, self.is_shown)
            for side, remote in connection.remotes.items()
        }
        looking = replace(connection, remotes=remotes)
        nobody = _Nobody()
        engine = Engine(
            ledger,  # type: ignore[arg-type]  # a part of it
            nobody,  # type: ignore[arg-type]  # a part of it
            nobody,
            self.clock,
            lambda site: looking,
            lambda: "rehearsed",
        )
        return engine.work_on(run)

    def _word(
        self,
        outcome: Outcome,
        planned_writes: Sequence[PlannedWrite],
        ledger: RehearsingLedger,
        on_file: Mapping[Any, Any],
    ) -> str:
        if outcome.kind in (OutcomeKind.HELD, OutcomeKind.RETRY, OutcomeKind.RATE_LIMITED):
            return str(outcome)
        if planned_writes:
            return " and ".join(sorted({planned_write.what for planned_write in planned_writes}))
        return "link" if ledger.is_linked_anew and len(on_file) == 0 else "in_step"
