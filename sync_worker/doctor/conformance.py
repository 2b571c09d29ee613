"""What an external system really does, measured through the port, beside what is declared.

The engine follows the declared capabilities, so a wrong one costs loops or lost edits. Without
``allow_writes`` it only reads. With it, it rates one named test product as a made-up person, and
deletes what it made, whatever happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal

from sync_worker.core.errors import (
    Conflict,
    Duplicate,
    Gone,
    SyncError,
    Transient,
    Unconfirmed,
)
from sync_worker.core.ports.remote import Remote
from sync_worker.core.scale import Scale
from sync_worker.core.values import Draft, EntityRef, Operation, Person, Record, RecordState
from sync_worker.doctor import measured_words
from sync_worker.doctor.events import Events
from sync_worker.doctor.first_page import (
    READ,
    first_page_with_records,
    pictures,
    read_page,
    same_by_id,
)
from sync_worker.doctor.live.advice import key_after
from sync_worker.doctor.measured import Measured, yes_no
from sync_worker.doctor.watch import Watch

PERSON = Person(email="conformance@ratings-sync.invalid", name="Conformance Test")


@dataclass(slots=True)
class Conformance:
    """Measures one system.

    ``events``: the changes that the manifest can hear (``upsert``, ``delete``, ``parent_changed``);
    ``heard(ids)``: those that arrived by webhook about these ids since the start; ``sleep`` and
    ``monotonic``: the caller's clock, in seconds. ``made``: test records that are still there;
    ``ever_made``: all of them. ``writes_follow``: an empty system is no fault, a record is made in
    it. Where the system does not even do the common things, a line says so, and it ends.
    """

    remote: Remote
    scale: Scale
    entity: EntityRef
    events: frozenset[str]
    heard: Callable[[Sequence[str]], Sequence[str]]
    sleep: Callable[[float], None]
    monotonic: Callable[[], float]
    wait_seconds: float = 30.0
    person: Person = PERSON
    made: list[str] = field(default_factory=list)
    ever_made: list[str] = field(default_factory=list)
    writes_follow: bool = True
    _watch: Watch = field(init=False)
    _events: Events = field(init=False)
    _words: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self._words = measured_words.words_of(self.remote, measured_words.FIRST)
        self._watch = Watch(self.sleep, self.monotonic, self.wait_seconds)
        self._events = Events(self.events, self.heard, self.entity, self._watch)

    # -- reading only

    def read(self) -> Iterator[Measured]:
        """What can be seen without a write."""
        try:
            page = first_page_with_records(self.remote)
            yield from read_page(page, may_be_empty=self.writes_follow)
            for record in page.records[:1]:
                yield same_by_id(self.remote, record)
                yield self._revision(record)
            yield from pictures(self.remote, page.records)
        except SyncError as error:
            yield _failed(READ, error, "list")

    def _revision(self, record: Record) -> Measured:
        declared = self.remote.capabilities.has_revision
        return Measured(
            "records carry a revision", yes_no(declared), yes_no(record.revision is not None)
        )

    # -- writing

    def write(self) -> Iterator[Measured]:
        """The life of one test record. Whatever happens, what was made is deleted at the end."""
        can = self.remote.capabilities
        if not can.can_create:
            yield Measured("create", "not offered", "not offered")
            return
        try:
            yield from self._life()
        except SyncError as error:
            yield _failed("the life of a test record", error, "create")
        finally:
            self._clean_up()

    def _life(self) -> Iterator[Measured]:
        levels = self.scale.levels
        low, high = self.scale.level(0), self.scale.level(levels - 1)
        record, is_late = self._created(low)
        is_answered = yes_no(not self.remote.capabilities.create_is_async)
        yield Measured("create answers with the record", is_answered, yes_no(not is_late))
        if record is None:
            yield Measured(
                "the record shows itself", "yes", f"not within {self.wait_seconds:.0f} s"
            )
            return
        yield from _landed(self.remote, record)
        yield from measured_words.come_back(self.remote, record, self._words)
        yield self._search_lag(record)
        yield self._revision(record)
        # Else each look would seem to be an edit.
        yield same_by_id(self.remote, record, "a look shows what the write returned")
        yield self._events.of_create(record)
        yield from self._uniqueness(low)
        if self.remote.capabilities.can_update:
            yield from self._updates(record, low, high)
        if self.remote.capabilities.can_delete:
            yield from self._deletes(record)

    def _draft(self, value: Decimal, last: Record | None = None) -> Draft:
        return Draft(
            {"value": value},
            self.entity,
            self.person,
            last=last.raw if last else {},
            mapped=frozenset({"value"}),
            words=last.words if last else self._words,
            changed=frozenset({"value"}) if last else None,
        )

    def _created(self, value: Decimal) -> tuple[Record | None, bool]:
        """A new record, and whether it showed only later."""
        try:
            record = self.remote.create(self._draft(value), f"conformance-{self.monotonic()}")
        except Unconfirmed:
            found = self._watch.until(lambda: self.remote.find(self.entity, self.person))
            if not found:
                return None, True
            self._note(*(record.remote_id for record in found))
            return found[-1], True
        self._note(record.remote_id)
        return record, False

    def _note(self, *remote_ids: str) -> None:
        self.made += [made for made in remote_ids if made not in self.made]
        self.ever_made += remote_ids

    def _search_lag(self, record: Record) -> Measured:
        began = self.monotonic()

        def shows() -> bool:
            found = self.remote.find(self.entity, self.person)
            return record.remote_id in {shown.remote_id for shown in found}

        found = self._watch.until(shows)
        lag = self.monotonic() - began
        seen = f"after {lag:.1f} s" if found else f"not within {self.wait_seconds:.0f} s"
        return Measured("the search shows a new record", None, seen, is_known=found is not None)

    def _uniqueness(self, value: Decimal) -> Iterator[Measured]:
        declared = yes_no(self.remote.capabilities.is_unique)
        person, self.person = self.person, replace(self.person, name=f"{self.person.name} again")
        try:
            second, _ = self._created(value)
        except Duplicate as duplicate:
            yield Measured("a second record of one person is refused", declared, "yes")
            named = "named" if duplicate.remote_id is not None else "not named"
            yield Measured("the refusal names the record that is there", None, named)
            return
        except (SyncError, ValueError) as refusal:
            yield Measured(
                "a second record of one person is refused", declared, f"{refusal}", is_known=False
            )
            return
        finally:
            self.person = person
        yield Measured("a second record of one person is refused", declared, "no")
        if second is not None:
            self.remote.delete(second.remote_id, second.revision)
            self.made.remove(second.remote_id)

    def _updates(self, record: Record, low: Decimal, high: Decimal) -> Iterator[Measured]:
        current = self.remote.get(record.remote_id) or record
        before = self._events.count_when_quiet(current)
        changed = self.remote.update(
            current.remote_id, self._draft(high, current), current.revision
        )
        yield Measured(
            "an update returns what was written",
            "yes",
            yes_no(changed.values.get("value") == high),
            key="operations.update",
        )
        yield self._applied(current.remote_id, high)
        yield from measured_words.left_alone(current, changed)
        if current.revision is not None and changed.revision is not None:
            yield Measured("the revision grows by", "1", str(changed.revision - current.revision))
        yield self._events.of_update(changed, before)
        if current.revision is not None:
            yield self._precondition(changed, current, low)
        yield from self._normalisation(changed)
        yield from measured_words.updates(self.remote, current.remote_id, self._draft)

    def _applied(self, remote_id: str, value: Decimal) -> Measured:
        """An answer may repeat what was asked, and the record stay as it was."""

        def shows() -> bool:
            look = self.remote.get(remote_id)
            return look is not None and look.values.get("value") == value

        is_applied = self._watch.until(shows) is not None
        return Measured("an update is applied", "yes", yes_no(is_applied), key="operations.update")

    def _precondition(self, record: Record, older: Record, value: Decimal) -> Measured:
        declared = self.remote.capabilities.update_precondition
        try:
            self.remote.update(record.remote_id, self._draft(value, record), older.revision)
        except Conflict:
            return Measured("an update under an old revision is refused", yes_no(declared), "yes")
        return Measured("an update under an old revision is refused", yes_no(declared), "no")

    def _normalisation(self, record: Record) -> Iterator[Measured]:
        """Every mark of the scale, written and read back."""
        altered = []
        current = self.remote.get(record.remote_id) or record
        for number in range(self.scale.levels):
            value = self.scale.level(number)
            current = self.remote.update(
                current.remote_id, self._draft(value, current), current.revision
            )
            if (returned := current.values.get("value")) != value:
                altered.append(f"{value} → {returned}")
        yield Measured(
            "every mark is kept as written", "yes", "yes" if not altered else ", ".join(altered[:5])
        )
        look = self.remote.get(current.remote_id)
        keeps = look is not None and replace(look, sequence=None).values == current.values
        yield Measured("every mark reads back as it was returned", "yes", yes_no(keeps))

    def _deletes(self, record: Record) -> Iterator[Measured]:
        current = self.remote.get(record.remote_id)
        if current is None:
            return
        before = self._events.count_when_quiet(current)
        self.remote.delete(current.remote_id, current.revision)
        shows, is_said = self._after_delete(current.remote_id)
        yield Measured(
            "a record that is gone is said to be in the system's own words", "yes", yes_no(is_said)
        )
        yield Measured(
            "a deleted record is gone", "yes", yes_no(shows is None or not shows.is_visible)
        )
        if shows is None:
            self.made.remove(current.remote_id)
        yield self._events.of_delete(current, before)
        with suppress(Gone, Transient):
            self.remote.delete(current.remote_id, current.revision)
        yield Measured("deleting it again is harmless", "yes", "yes")

    def _after_delete(self, remote_id: str) -> tuple[Record | None, bool]:
        """The record, and whether the manifest's rules know for sure if it is gone.

        A 404 that they do not name says nothing: the engine takes it for an outage.
        """
        try:
            return self.remote.get(remote_id), True
        except Transient:
            return None, False

    def _clean_up(self) -> None:
        """What cannot be deleted stays in ``made``, for a person to delete."""
        for remote_id in list(self.made):
            with suppress(SyncError):
                record, _ = self._after_delete(remote_id)
                if record is None:
                    self.made.remove(remote_id)
                elif self.remote.capabilities.can_delete:
                    self.remote.delete(remote_id, record.revision)
                    self.made.remove(remote_id)


def _landed(remote: Remote, record: Record) -> Iterator[Measured]:
    """In which state a new record is, and whether we may write it."""
    what, key = "a create lands in the state that was asked for", "states.write"
    seen = str(record.state)
    key = f"{key} and operations.create.body"
    yield Measured(what, str(RecordState.PUBLISHED), seen, key=key)
    if remote.capabilities.locks_records:
        yield from _may_be_written(remote, record)


def _may_be_written(remote: Remote, record: Record) -> Iterator[Measured]:
    """Whether the system locks what we have just made."""
    for name in (Operation.UPDATE, Operation.DELETE):
        if remote.capabilities.can(name):
            seen = yes_no(name not in record.locked)
            yield Measured(f"we may {name} what we made", "yes", seen, key=f"fields.can_{name}")


def _failed(what: str, error: SyncError, name: str) -> Measured:
    """A call that was refused: the measuring ends here."""
    name = error.facts.operation or name
    return Measured(what, "yes", f"no: {error}", key=key_after(error, name) or f"operations.{name}")
