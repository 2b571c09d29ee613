"""A dry run of an import: the same code, over a ledger and remotes that keep nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from sync_worker.core.errors import Duplicate, RateLimited, SyncError
from sync_worker.core.ports.clock import Clock
from sync_worker.core.ports.directory import Directory
from sync_worker.core.ports.inbox import Closing
from sync_worker.core.ports.ledger import Ledger
from sync_worker.core.ports.links import LeasedLink
from sync_worker.core.ports.remote import Connection, Remote
from sync_worker.core.values import Draft, Entity, EntityRef, Person, RatingKey, Record, Side, Site
from sync_worker.engine.engine import Engine
from sync_worker.files.rows import Row
from sync_worker.import_export.importing import (
    Importer,
    ImportResult,
    ImportRun,
    RatingRow,
)
from sync_worker.import_export.refusals import as_refused
from sync_worker.intake.entities import MappedEntities
from sync_worker.intake.resolve import Resolver
from sync_worker.reconcile.dry_run_ledger import DryRunDirectory, DryRunLedger, FoundContacts
from sync_worker.reconcile.dry_run_remotes import (
    PLANNED_CONTACT,
    DryRunPeople,
    DryRunRemote,
    ForgetfulGuard,
    SilentBell,
)
from sync_worker.reconcile.planned_entities import is_planned
from sync_worker.reconcile.planned_writes import NotingRemote, PlannedWrite

Peek = Callable[[RatingKey, Entity | None], LeasedLink]


class AskingRemote(DryRunRemote):
    """A remote of a dry run that has no listing at hand, and so asks for each record."""

    def __init__(self, remote: Remote) -> None:
        super().__init__(remote, lambda side, remote_id: False, {})

    def find(self, entity: EntityRef, person: Person) -> Sequence[Record]:
        # Nobody of the other side knows who is still to be made.
        if (person.contact_id or "").startswith(PLANNED_CONTACT):
            return ()
        return self._remote.find(entity, person)

    def create(self, draft: Draft, idempotency_key: str) -> Record:
        """Raises Duplicate where the remote would."""
        if self.capabilities.is_unique:
            for record in self.find(draft.entity, draft.person):
                if draft.values.keys() & record.values.keys():
                    raise Duplicate(remote_id=record.remote_id)
        return super().create(draft, idempotency_key)


@dataclass
class RejectedRows:
    """The rows that an import would reject, as lines for people and as parts for programs."""

    file: str
    count: int = 0
    found: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, row: Row, column: str, reason: str) -> None:
        self.count += 1
        self.found.append((row.line, column, reason))

    @property
    def lines(self) -> list[str]:
        return [
            f"{self.file}:{line}: {column}: {reason}".replace(": : ", ": ")
            for line, column, reason in sorted(self.found)
        ]

    @property
    def rows(self) -> list[dict[str, object]]:
        return [
            {"line": line, "what": "rejected", "column": column, "reason": reason}
            for line, column, reason in self.found
        ]


@dataclass(frozen=True, slots=True)
class DryRunImporter:
    """Plays an import into one site. ``peek``: what a lease of a link would give.

    ``planned``: entities that policy ``same_id`` would map.
    """

    ledger: Ledger
    connection: Connection
    site: Site
    clock: Clock
    peek: Peek
    found: FoundContacts = field(default_factory=FoundContacts)
    planned: dict[int, Entity] = field(default_factory=dict)

    @property
    def new_contacts(self) -> int:
        """How many people would become contacts of the Wix site."""
        return sum(contact_id.startswith(PLANNED_CONTACT) for contact_id in self.found.by_id)

    def find_people(self, ratings: Sequence[RatingRow]) -> None:
        self._importer([]).find_people(ratings)

    def key_of(self, rating: RatingRow) -> RatingKey | Closing:
        key = self._importer([]).key_of(rating)
        if isinstance(key, RatingKey) and is_planned(key):
            directory = cast(Directory, self._directory)
            entity = MappedEntities(directory, self.site).entity_of(rating.entity, rating.side)
            if isinstance(entity, Entity):
                self.planned[key.entity_id] = entity
        return key

    def is_erased(self, email: str) -> bool:
        return self._importer([]).is_erased(email)

    def import_rating(self, key: RatingKey, rating: RatingRow) -> ImportResult:
        """What the row would lead to. Raises Refused, Transient."""
        writes: list[PlannedWrite] = []
        leased = self.peek(key, self.planned.get(key.entity_id))
        contact = self.found.by_id.get(key.contact_id)
        if leased.contact.email is None and contact is not None:
            leased = replace(leased, contact=contact)
        work = ImportRun(self._importer(writes).engine.run_of(leased), rating)
        try:
            work.run_until_in_step()
        except RateLimited:
            raise
        except SyncError as error:
            if not work.created:
                raise as_refused(error) from error
            return ImportResult("created", note=str(error), writes=_words_of(writes))
        return replace(work.result, writes=_words_of(writes))

    @property
    def _directory(self) -> DryRunDirectory:
        return DryRunDirectory(self.ledger.directory, self.found)

    def _importer(self, writes: list[PlannedWrite]) -> Importer:
        """An importer whose writes are only noted."""
        directory = self._directory
        ports = DryRunLedger.over(
            self.ledger,
            directory,
            Counter[Side](),
            lambda key: self.peek(key, directory.planned.get(key.entity_id)),
        ).ports
        remotes: dict[Side, Remote] = {
            side: NotingRemote(AskingRemote(remote), writes.append)
            for side, remote in self.connection.remotes.items()
        }
        people = DryRunPeople(self.connection.people)
        connection = replace(self.connection, remotes=remotes, people=people)
        engine = Engine(
            ports,
            ForgetfulGuard(),
            SilentBell(),
            self.clock,
            lambda site: connection,
            lambda: "dry-run",
            lambda site: Resolver(ports.directory, ports.links, ports.merges, connection, site),
        )
        return Importer(engine, connection, self.site)


def _words_of(writes: Sequence[PlannedWrite]) -> tuple[str, ...]:
    return tuple(write.what for write in writes)
