"""A remote in memory: keeps records, counts calls, journals every write, and fails on demand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sync_worker.core.email_identity import normalise_email
from sync_worker.core.errors import (
    Away,
    Conflict,
    Duplicate,
    Facts,
    Gone,
    GoneUnsaid,
    Permanent,
    RateLimited,
    Transient,
    Unauthorized,
    Unconfirmed,
    UnknownOutcome,
)
from sync_worker.core.ports.remote import Capabilities, Page
from sync_worker.core.values import (
    Contact,
    Draft,
    EntityRef,
    Merge,
    Operation,
    Person,
    Record,
    RecordState,
    Side,
)
from sync_worker.remotes import landed

WIX_CAPABILITIES = Capabilities(delete_is_final=True)
OWN_SERVICE_CAPABILITIES = Capabilities(many_fields=True)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One effective change of a record, with what it overwrote."""

    by_us: bool
    operation: str
    remote_id: str
    before: Mapping[str, Decimal] | None
    after: Mapping[str, Decimal] | None
    entity: EntityRef | None
    person: Person
    at: int
    revision: int | None = None  # of the record that was covered
    privacy: bool = False


@dataclass(frozen=True, slots=True)
class RemoteEvent:
    """What the remote would tell by webhook."""

    side: Side
    change: str  # upsert | delete
    record: Record
    by_us: bool
    sequence: int
    is_created: bool = False
    privacy: bool = False


@dataclass(slots=True)
class MemoryRemote:
    """Implements ports.Remote.

    ``fault(operation)`` names what goes wrong with a call, or ``None``.
    """

    side: Side
    capabilities: Capabilities = field(default_factory=lambda: OWN_SERVICE_CAPABILITIES)
    on_event: Callable[[RemoteEvent], None] = lambda event: None
    fault: Callable[[str], str | None] = lambda operation: None
    normalise: Callable[[str, Decimal], Decimal] = lambda name, value: value
    new_state: RecordState = RecordState.PUBLISHED
    find_lags: Callable[[], bool] = lambda: False
    later: Callable[[Callable[[], None]], None] = lambda show: show()
    vanishes: Callable[[], bool] = lambda: False
    fails: Callable[[], bool] = lambda: (
        False
    )  # an accepted create is not carried out, and that is told
    on_failure: Callable[[Draft], None] = lambda draft: None
    is_unknown: Callable[[Person], bool] = lambda person: False
    list_skips: Callable[[], bool] = lambda: False  # a listing leaves a record out
    list_is_cut: Callable[[], bool] = lambda: False  # a listing ends with an empty page
    list_repeats: Callable[[], bool] = lambda: False  # its first page, whatever is asked for
    records: dict[str, Record] = field(default_factory=dict)
    sequences: Counter[str] = field(default_factory=Counter)
    gone: dict[str, Record] = field(default_factory=dict)
    journal: list[JournalEntry] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    idempotency: dict[str, str] = field(default_factory=dict)
    next_id: int = 0
    page_size: int = 2
    stale_index: list[Record] = field(default_factory=list)
    clock: Callable[[], float] = lambda: 0.0  # the remote's own, for listings of changes
    changed_at: dict[str, float] = field(default_factory=dict)
    overlap_seconds: float = 60.0
    refused_until: float = 0.0  # our credentials are not accepted before that time of its clock
    refused_ids: set[str] = field(default_factory=set)  # forbidden, and only these records

    # -- ports.Remote

    def probe(self) -> bool:
        self.calls["probe"] += 1
        self._refuse("probe")
        return True

    def _refuse(self, operation: str, remote_id: str = "") -> None:
        if self.clock() < self.refused_until:
            raise Unauthorized(facts=Facts(str(self.side), operation, 401))
        if remote_id in self.refused_ids:
            raise Unauthorized(facts=Facts(str(self.side), operation, 403))

    def reserve_request(self) -> None:
        fault = self.fault("reserve_request")
        if fault == "limited":
            raise RateLimited(retry_after=1.0)
        if fault == "away":
            raise Away(retry_after=5.0)

    def record_in(self, payload: Mapping[str, Any]) -> Record | None:
        return record_from(payload["record"]) if "record" in payload else None

    def get(self, remote_id: str) -> Record | None:
        self.calls["get"] += 1
        self._refuse("get", remote_id)
        if self._fail_reading("get") == "false_gone":
            return self._gone_by_status()
        return self.records.get(remote_id)

    def _gone_by_status(self) -> Record | None:
        """A 404 that is none of the system's own words, whatever is there."""
        raise GoneUnsaid(retry_after=60.0)

    def find(self, entity: EntityRef, person: Person) -> Sequence[Record]:
        self.calls["find"] += 1
        self._refuse("find")
        self._fail_reading("find")
        rows = self.stale_index if self.find_lags() else list(self.records.values())
        found = [
            record for record in rows if record.entity == entity and self._is_by(record, person)
        ]
        if not self.find_lags():
            self.stale_index = list(self.records.values())
        return found

    def list_page(self, cursor: str | None = None) -> Page:
        self.calls["list"] += 1
        self._refuse("list")
        self._fail_reading("list")
        if self.list_is_cut():
            return Page([])
        if self.list_repeats():
            cursor = None
        ids = sorted(self.records, key=lambda one: int(one[1:]))
        start = next(
            (place for place, one in enumerate(ids) if int(one[1:]) > int(cursor or 0)), len(ids)
        )
        page = ids[start : start + self.page_size]
        has_more = start + self.page_size < len(ids)
        shown = [self.records[one] for one in page if not self.list_skips()]
        return Page(shown, page[-1][1:] if has_more else None)

    def changed_page(self, since: datetime | None, cursor: str | None = None) -> Page:
        """For Connection.changed; what is gone is shown as deleted."""
        self.calls["changed"] += 1
        self._refuse("changed")
        self._fail_reading("list")
        start = since.timestamp() - self.overlap_seconds if since is not None else None
        shown = {**self.records, **{one: _as_deleted(record) for one, record in self.gone.items()}}
        ids = sorted(
            (one for one in shown if start is None or self.changed_at[one] > start),
            key=lambda one: int(one[1:]),
        )
        left = [one for one in ids if int(one[1:]) > int(cursor or 0)]
        page = left[: self.page_size]
        newest = max((self.changed_at[one] for one in page), default=None)
        return Page(
            [shown[one] for one in page],
            page[-1][1:] if len(left) > len(page) else None,
            newest=datetime.fromtimestamp(newest, UTC) if newest is not None else None,
        )

    def children(self, parent_id: str) -> Iterator[Record]:
        self.calls["children"] += 1
        self._refuse("children")
        self._fail_reading("children")
        yield from [
            record for record in self.records.values() if record.entity == EntityRef(parent_id)
        ]

    def create(self, draft: Draft, idempotency_key: str) -> Record:
        self.calls["create"] += 1
        self._refuse("create")
        fault = self._fail_before_write("create")
        if self.capabilities.create_is_async:
            self._accept(draft)
            raise Unconfirmed
        if idempotency_key in self.idempotency:
            # The answer of the first time, whatever became of the record since.
            made = self.idempotency[idempotency_key]
            return self.records.get(made) or self.gone[made]
        if self.is_unknown(draft.person):
            raise Permanent("there is no such contact", reason="contact_unknown")
        record = self._create(draft.entity, draft.person, draft.values, self.new_state, by_us=True)
        self.idempotency[idempotency_key] = record.remote_id
        self._fail_after_write(fault)
        return record

    def _refuse_if_unsupported(self, operation: Operation) -> None:
        if not self.capabilities.can(operation):
            raise Permanent(f"there is no {operation}", reason="refused")

    def _accept(self, draft: Draft) -> None:
        """Create it some time later; what somebody else has rated in the meantime may refuse it."""
        if self.vanishes():
            return
        fails = self.fails()

        def show() -> None:
            if fails:
                self.on_failure(draft)
                return
            with suppress(Duplicate):
                self._create(draft.entity, draft.person, draft.values, self.new_state, by_us=True)

        self.later(show)

    def update(self, remote_id: str, draft: Draft, revision: int | None) -> Record:
        self._refuse_if_unsupported(Operation.UPDATE)
        self.calls["update"] += 1
        self._refuse("update", remote_id)
        fault = self._fail_before_write("update")
        record = self._existing(remote_id)
        # A success in words: nothing has changed, and the record says so.
        if fault == "not_done":
            return record
        if self.capabilities.update_precondition and revision != record.revision:
            raise Conflict(f"{remote_id} is at {record.revision}, not at {revision}")
        changed = self._change(record, dict(draft.values), by_us=True)
        self._fail_after_write(fault)
        return changed

    def delete(self, remote_id: str, revision: int | None) -> None:
        self._refuse_if_unsupported(Operation.DELETE)
        self.calls["delete"] += 1
        self._refuse("delete", remote_id)
        fault = self._fail_before_write("delete")
        record = self.records.get(remote_id)
        if record is not None and fault == "not_done":
            # As the adapters do where the form of the answer proves nothing.
            landed.refuse_living(lambda: self.records.get(remote_id))
            return
        if record is not None:
            if self.capabilities.delete_precondition and revision != record.revision:
                raise Conflict(f"{remote_id} is at {record.revision}")
            self._delete(record, by_us=True)
        self._fail_after_write(fault)

    # -- what visitors and moderators do

    def visitor_rates(
        self,
        entity: EntityRef,
        person: Person,
        values: Mapping[str, Decimal],
        *,
        words: bool = False,
        is_verified: bool | None = None,
    ) -> Record:
        return self._create(
            entity,
            person,
            values,
            RecordState.PUBLISHED,
            by_us=False,
            words=words,
            is_verified=is_verified,
        )

    def visitor_changes(self, remote_id: str, values: Mapping[str, Decimal]) -> Record:
        record = self._existing(remote_id)
        return self._change(record, {**record.values, **values}, by_us=False)

    def visitor_deletes(self, remote_id: str, *, privacy: bool = False) -> None:
        self._delete(self._existing(remote_id), by_us=False, privacy=privacy)

    def moderator_sets(self, remote_id: str, state: RecordState) -> Record:
        record = self._existing(remote_id)
        self._note(False, "moderate", record, record)
        return self._store(
            replace(record, state=state, revision=self._next_revision(record)),
            "upsert",
            by_us=False,
        )

    def restores(self, remote_id: str) -> Record:
        record = self.gone.pop(remote_id)
        record = replace(record, revision=self._next_revision(record))
        self._note(False, "create", None, record)
        return self._store(record, "upsert", by_us=False, is_created=True)

    def of(self, entity: EntityRef, person: Person) -> list[Record]:
        """All live records of a person for an entity."""
        return [
            record
            for record in self.records.values()
            if record.entity == entity and self._is_by(record, person)
        ]

    # -- inside

    def _is_by(self, record: Record, person: Person) -> bool:
        if self.side is Side.WIX:
            return record.person.contact_id == person.contact_id
        return record.person.email == person.email

    def _existing(self, remote_id: str) -> Record:
        if remote_id not in self.records:
            raise Gone(remote_id)
        return self.records[remote_id]

    def _create(
        self,
        entity: EntityRef,
        person: Person,
        values: Mapping[str, Decimal],
        state: RecordState,
        *,
        by_us: bool,
        words: bool = False,
        is_verified: bool | None = None,
    ) -> Record:
        if self.capabilities.is_unique and (twin := self._twin(entity, person, values)) is not None:
            raise Duplicate(twin.remote_id)
        self.next_id += 1
        record = Record(
            remote_id=f"{self.side[0]}{self.next_id}",
            values=self._normalised(values),
            revision=1 if self.capabilities.has_revision else None,
            state=state,
            entity=entity,
            person=self._owner(person),
            has_words=words,
            is_verified=is_verified,
        )
        self._note(by_us, "create", None, record)
        return self._store(record, "upsert", by_us=by_us, is_created=True)

    def _owner(self, person: Person) -> Person:
        if self.side is Side.WIX:
            return Person(contact_id=person.contact_id)
        return Person(email=person.email, name=person.name)

    def _twin(
        self, entity: EntityRef, person: Person, values: Mapping[str, Decimal]
    ) -> Record | None:
        for record in self.of(entity, person):
            if self.capabilities.many_fields or set(record.values) & set(values):
                return record
        return None

    def _normalised(self, values: Mapping[str, Decimal]) -> dict[str, Decimal]:
        return {name: self.normalise(name, value) for name, value in values.items()}

    def _change(self, record: Record, values: Mapping[str, Decimal], *, by_us: bool) -> Record:
        # Our writes ask for `published`; a visitor's edit leaves moderation as it is.
        state = RecordState.PUBLISHED if by_us else record.state
        changed = replace(
            record,
            values=self._normalised(values),
            revision=self._next_revision(record),
            state=state,
        )
        self._note(by_us, "update", record, changed)
        return self._store(changed, "upsert", by_us=by_us)

    def _next_revision(self, record: Record) -> int | None:
        return None if record.revision is None else record.revision + 1

    def _delete(self, record: Record, *, by_us: bool, privacy: bool = False) -> None:
        del self.records[record.remote_id]
        self.changed_at[record.remote_id] = self.clock()
        self.gone[record.remote_id] = record
        self._note(by_us, "delete", record, None, privacy=privacy)
        self.sequences[record.remote_id] += 1
        self.on_event(
            RemoteEvent(
                self.side,
                "delete",
                record,
                by_us,
                self.sequences[record.remote_id],
                privacy=privacy,
            )
        )

    def _store(
        self, record: Record, change: str, *, by_us: bool, is_created: bool = False
    ) -> Record:
        record = replace(record, raw=record_payload(record))
        self.records[record.remote_id] = record
        self.changed_at[record.remote_id] = self.clock()
        self.sequences[record.remote_id] += 1
        self.on_event(
            RemoteEvent(
                self.side, change, record, by_us, self.sequences[record.remote_id], is_created
            )
        )
        return record

    def _note(
        self,
        by_us: bool,
        operation: str,
        before: Record | None,
        after: Record | None,
        *,
        privacy: bool = False,
    ) -> None:
        record = after or before
        assert record is not None
        self.journal.append(
            JournalEntry(
                by_us,
                operation,
                record.remote_id,
                before.values if before else None,
                after.values if after else None,
                record.entity,
                record.person,
                len(self.journal),
                before.revision if before else None,
                privacy,
            )
        )

    # -- faults

    def _fail_reading(self, operation: str) -> str | None:
        match self.fault(operation):
            case None:
                return None
            case "limited":
                raise RateLimited(retry_after=1.0)
            case "false_gone" if operation == "get":
                return "false_gone"
            case _:
                raise Transient(f"{operation} failed")

    def _fail_before_write(self, operation: str) -> str | None:
        fault = self.fault(operation)
        match fault:
            case "limited":
                raise RateLimited(retry_after=1.0)
            case "refused_connection":
                raise Transient("could not connect")
            case "request_lost":
                raise UnknownOutcome("no answer")
            case _:
                return fault

    def _fail_after_write(self, fault: str | None) -> None:
        if fault == "response_lost":
            raise UnknownOutcome("no answer")


def _as_deleted(record: Record) -> Record:
    revision = None if record.revision is None else record.revision + 1
    return replace(record, state=RecordState.DELETED, revision=revision)


def record_payload(record: Record) -> dict[str, Any]:
    """A record as JSON, as a webhook carries it."""
    assert record.entity is not None
    return {
        "remote_id": record.remote_id,
        "values": dict(record.values),
        "revision": record.revision,
        "sequence": record.sequence,
        "state": str(record.state),
        "entity": [record.entity.entity_id, record.entity.group, record.entity.namespace],
        "contact_id": record.person.contact_id,
        "email": record.person.email,
    }


def record_from(payload: Mapping[str, Any]) -> Record:
    return Record(
        remote_id=payload["remote_id"],
        values={name: Decimal(value) for name, value in payload["values"].items()},
        revision=payload["revision"],
        sequence=payload["sequence"],
        state=RecordState(payload["state"]),
        entity=EntityRef(*payload["entity"]),
        person=Person(contact_id=payload["contact_id"], email=payload["email"]),
        is_verified=payload.get("is_verified"),
    )


@dataclass(slots=True)
class MemoryPeople:
    """Implements ports.People."""

    contacts: dict[str, Contact] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, list[str]] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)

    def merges(self, source: str, target: str) -> None:
        """The addresses of the source are the target's from now on."""
        self.merged[source] = target
        self.aliases[target] = [*self.aliases.get(target, []), *self.aliases.pop(source, [])]
        gone = self.contacts.pop(source)
        if gone.email is not None:
            self.aliases[target].append(gone.email)

    def add(self, contact_id: str, email: str | None, name: str | None = None) -> Contact:
        contact = Contact(contact_id, email, name)
        self.contacts[contact_id] = contact
        return contact

    def addresses_in(self, payload: Mapping[str, Any]) -> Sequence[str]:
        return [payload["email"]] if "email" in payload else []

    def merge_in(self, payload: Mapping[str, Any]) -> Merge | None:
        return Merge(tuple(payload["sources"]), payload["target"]) if "sources" in payload else None

    def by_email(self, email: str) -> Contact | None:
        self.calls["by_email"] += 1
        wanted = normalise_email(email)
        return next(iter(self._by_address([wanted]).get(wanted, ())), None)

    def matches(self, emails: Sequence[str]) -> Mapping[str, Sequence[Contact]]:
        self.calls["matches"] += 1
        return self._by_address([normalise_email(email) for email in emails])

    def _by_address(self, wanted: Sequence[str]) -> dict[str, list[Contact]]:
        """Also by the addresses of those who were merged into a contact: it has them all."""
        found: dict[str, list[Contact]] = {}
        for contact in self.contacts.values():
            for email in (contact.email, *self.aliases.get(contact.contact_id, ())):
                if email is not None and email in wanted:
                    found.setdefault(email, []).append(replace(contact, email=email))
        return found

    def by_ids(self, contact_ids: Sequence[str]) -> Mapping[str, Contact]:
        self.calls["by_ids"] += 1
        return {
            one: self.contacts[one]
            for one in contact_ids
            if one in self.contacts and one not in self.merged
        }

    def by_id(self, contact_id: str) -> Contact | None:
        self.calls["by_id"] += 1
        while contact_id in self.merged:
            contact_id = self.merged[contact_id]
        return self.contacts.get(contact_id)

    def by_member(self, member_id: str) -> Contact | None:
        self.calls["by_member"] += 1
        return self.contacts.get(self.members.get(member_id, ""))

    def create(self, email: str, name: str | None) -> Contact:
        self.calls["create"] += 1
        return self.add(f"contact-{len(self.contacts) + 1}", email, name)
