"""A review system in memory: its records, what people do there, and what it tells of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal

from sync_worker.core.errors import Duplicate, Gone
from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values import EntityRef, Person, Record, RecordState, Side
from sync_worker.core.values.texts import REPLY
from tests.twins.remote_values import JournalEntry, RemoteEvent, record_payload

NO_TEXTS: Mapping[str, str] = {}
WIX_CAPABILITIES = Capabilities(delete_is_final=True)
OWN_SERVICE_CAPABILITIES = Capabilities(many_fields=True)
# Wix Reviews: moderation leaves the revision alone.
REVIEWS_CAPABILITIES = Capabilities(
    delete_is_final=True, revision_covers_state=False, can_moderate=True
)


@dataclass(slots=True)
class MemorySystem:
    """Keeps records, journals every write, and tells of it.

    ``normalise(name, value)``: what it makes of a value. ``clock``: its own. ``shows(person)``:
    whom it names in a record that we write; some name the account of the token instead, write an
    address their own way, or mask it. ``echoes``: the answer to a write repeats whom we named,
    whatever it shows afterwards. ``visitors_state``: of what a visitor writes, at first.
    ``votes_count``, ``replies_count``: a vote, a reply raises the revision. ``names_origin``: its
    records tell who made them. ``leaves_out``: nobody is shown what is not published, or that it is
    there. ``decides``: told of each new record, where rules decide later what
    becomes of it.
    """

    side: Side
    capabilities: Capabilities = field(default_factory=lambda: OWN_SERVICE_CAPABILITIES)
    on_event: Callable[[RemoteEvent], None] = lambda event: None
    normalise: Callable[[str, Decimal], Decimal] = lambda name, value: value
    # What it makes of our words: HTML of plain lines.
    makes_words: Callable[[str, str], str] = lambda name, text: text
    clock: Callable[[], float] = lambda: 0.0
    shows: Callable[[Person], Person] = lambda person: person
    echoes: bool = False
    visitors_state: RecordState = RecordState.PUBLISHED
    votes_count: bool = False
    replies_count: bool = True
    names_origin: bool = True
    leaves_out: bool = False
    decides: Callable[[str], None] = lambda remote_id: None
    records: dict[str, Record] = field(default_factory=dict)
    gone: dict[str, Record] = field(default_factory=dict)
    journal: list[JournalEntry] = field(default_factory=list)
    sequences: Counter[str] = field(default_factory=Counter)
    changed_at: dict[str, float] = field(default_factory=dict)
    next_id: int = 0

    # -- what visitors and moderators do

    def visitor_rates(
        self,
        entity: EntityRef,
        person: Person,
        values: Mapping[str, Decimal],
        *,
        words: bool = False,
        is_verified: bool | None = None,
        texts: Mapping[str, str] = NO_TEXTS,
        media: tuple[str, ...] = (),
    ) -> Record:
        return self._create(
            entity,
            person,
            values,
            self.visitors_state,
            by_us=False,
            words=words,
            is_verified=is_verified,
            texts=texts,
            media=media,
        )

    def visitor_changes(
        self,
        remote_id: str,
        values: Mapping[str, Decimal],
        texts: Mapping[str, str] = NO_TEXTS,
    ) -> Record:
        record = self._existing(remote_id)
        return self._change(record, {**record.values, **values}, texts, by_us=False)

    def visitor_shows(self, remote_id: str, media: tuple[str, ...]) -> Record:
        """Somebody puts other pictures to a review of theirs."""
        before = self._existing(remote_id)
        changed = replace(before, media=media, revision=self._next_revision(before))
        self._note(False, "pictures", before, changed)
        return self._store(changed, "upsert", by_us=False)

    def visitor_deletes(self, remote_id: str, *, privacy: bool = False) -> None:
        self._delete(self._existing(remote_id), by_us=False, privacy=privacy)

    def owner_moves(
        self, remote_id: str, *, entity: EntityRef | None = None, person: Person | None = None
    ) -> Record:
        """The shop's owner gives a record to another person, or to another thing."""
        before = self._existing(remote_id)
        moved = replace(
            before,
            entity=entity or before.entity,
            person=before.person if person is None else self._owner(person),
            revision=self._next_revision(before),
        )
        assert moved.entity is not None
        person = person or moved.person
        if self.capabilities.is_unique and self._twin(moved.entity, person, moved.values):
            raise Duplicate(remote_id)
        self._note(False, "move", before, None)
        self._note(False, "move", None, moved)
        return self._store(moved, "upsert", by_us=False)

    def moderator_sets(self, remote_id: str, state: RecordState) -> Record:
        return self._moderate(self._existing(remote_id), state, by_us=False)

    def keeper_locks(self, remote_id: str, *operations: str) -> Record:
        """The system lets nobody change it, or delete it, from now on; none: all may again."""
        record = self._existing(remote_id)
        locked = replace(record, locked=frozenset(operations), revision=self._next_revision(record))
        self._note(False, "lock", record, locked)
        return self._store(locked, "upsert", by_us=False)

    def visitor_votes(self, remote_id: str) -> Record:
        """Somebody found it helpful: nothing that is compared changes."""
        record = self._existing(remote_id)
        self._note(False, "vote", record, record)
        if self.votes_count:
            record = replace(record, revision=self._next_revision(record))
        return self._store(record, "upsert", by_us=False)

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
            if record.entity == entity and self.is_by(record, person)
        ]

    def shown(self) -> dict[str, Record]:
        """The records that reads and listings show."""
        if not self.leaves_out:
            return self.records
        return {name: record for name, record in self.records.items() if record.is_visible}

    # -- inside

    def is_by(self, record: Record, person: Person) -> bool:
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
        texts: Mapping[str, str] = NO_TEXTS,
        written_at: datetime | None = None,
        media: tuple[str, ...] = (),
    ) -> Record:
        if self.capabilities.is_unique and (twin := self._twin(entity, person, values)) is not None:
            raise Duplicate(twin.remote_id)
        if by_us:
            person = self.shows(person)
        self.next_id += 1
        record = Record(
            remote_id=f"{self.side[0]}{self.next_id}",
            values=self._normalised(values),
            revision=1 if self.capabilities.has_revision else None,
            state=state,
            entity=entity,
            person=self._owner(person),
            has_words=words or any(texts.values()),
            is_verified=is_verified,
            is_ours=by_us if self.capabilities.can_moderate and self.names_origin else None,
            words=self._texts(dict.fromkeys(self.capabilities.words, ""), texts, by_us=by_us),
            written_at=written_at or datetime.fromtimestamp(self.clock(), UTC),
            media=media,
        )
        self._note(by_us, "create", None, record)
        record = self._store(record, "upsert", by_us=by_us, is_created=True)
        self._tell_state(record, by_us=by_us)
        self.decides(record.remote_id)
        return record

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

    def _texts(
        self, before: Mapping[str, str], texts: Mapping[str, str], *, by_us: bool
    ) -> dict[str, str]:
        """Those that it can hold; ours in the form that it makes of them."""
        given = {name: text for name, text in texts.items() if name in self.capabilities.words}
        if by_us:
            given = {name: self.makes_words(name, text) for name, text in given.items()}
        return {**before, **given}

    def _normalised(self, values: Mapping[str, Decimal]) -> dict[str, Decimal]:
        return {name: self.normalise(name, value) for name, value in values.items()}

    def _moderate(self, record: Record, state: RecordState, *, by_us: bool) -> Record:
        operation = "moderate"
        if by_us:
            operation = "approve" if state is RecordState.PUBLISHED else "withdraw"
        revision = record.revision
        if self.capabilities.revision_covers_state:
            revision = self._next_revision(record)
        moderated = replace(record, state=state, revision=revision)
        self._note(by_us, operation, record, moderated)
        record = self._store(moderated, "upsert", by_us=by_us)
        self._tell_state(record, by_us=by_us)
        return record

    def _tell_state(self, record: Record, *, by_us: bool) -> None:
        """One act, several events: what is new, and that it is published."""
        if self.capabilities.can_moderate and record.is_visible:
            self._tell(record, "upsert", by_us=by_us)

    def _change(
        self,
        record: Record,
        values: Mapping[str, Decimal],
        texts: Mapping[str, str] = NO_TEXTS,
        *,
        by_us: bool,
    ) -> Record:
        # Our writes ask for `published` outside; a visitor's edit leaves moderation as it is.
        is_published = by_us and not self.capabilities.can_moderate
        state = RecordState.PUBLISHED if is_published else record.state
        changed = replace(
            record,
            values=self._normalised(values),
            revision=self._next_revision(record),
            state=state,
            words=self._texts(record.words, texts, by_us=by_us),
        )
        self._note(by_us, "update", record, changed)
        return self._store(changed, "upsert", by_us=by_us)

    def owner_replies(self, remote_id: str, text: str) -> Record:
        """The shop answers a review; empty: takes its answer away."""
        return self._reply(self._existing(remote_id), text, by_us=False)

    def _reply(self, record: Record, text: str, *, by_us: bool) -> Record:
        revision = record.revision
        if self.replies_count:
            revision = self._next_revision(record)
        words = self._texts(record.words, {REPLY: text}, by_us=by_us)
        changed = replace(record, words=words, revision=revision)
        self._note(by_us, "reply", record, changed)
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
        self._tell(record, change, by_us=by_us, is_created=is_created)
        return record

    def _tell(self, record: Record, change: str, *, by_us: bool, is_created: bool = False) -> None:
        self.sequences[record.remote_id] += 1
        self.on_event(
            RemoteEvent(
                self.side, change, record, by_us, self.sequences[record.remote_id], is_created
            )
        )

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
                {**before.values, **before.words} if before else None,
                {**after.values, **after.words} if after else None,
                record.entity,
                record.person,
                len(self.journal),
                before.revision if before else None,
                privacy,
                after.state if after else None,
                before is not None and before.is_visible,
                after.media if after else (),
            )
        )
