"""What an external system really does, measured through the Remote port, beside what its manifest
declares.

The engine follows the declared capabilities, so a wrong one costs loops or lost edits. Without
``allow_writes`` it only reads. With it, it rates one named test product as a made-up person, and
deletes what it made, whatever happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeVar

from sync_worker.core.errors import Conflict, Duplicate, Gone, SyncError, Transient, Unconfirmed
from sync_worker.core.ports.remote import Remote
from sync_worker.core.scale import Scale
from sync_worker.core.values import Draft, EntityRef, Person, Record

POLL_SECONDS = 0.5
QUIET_SECONDS = 1.5  # no event for so long: those of the last write have come
PERSON = Person(email="conformance@ratings-sync.invalid", name="Conformance Test")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Measured:
    """One property: what is declared, what was seen; ``None`` as declared: nothing is, it is only
    told.

    ``is_known``: false where nothing could be measured.
    """

    what: str
    declared: str | None
    seen: str
    is_known: bool = True

    @property
    def differs(self) -> bool:
        return self.is_known and self.declared is not None and self.declared != self.seen


@dataclass(slots=True)
class Conformance:
    """Measures one system. ``heard(ids)``: changes that arrived by webhook about these ids since
    the start.

    ``made``: test records that are still there; ``ever_made``: all of them.
    ``sleep`` and ``monotonic`` are the caller's clock, in seconds. ``events``: the changes that the
    manifest can hear (``upsert``, ``delete``, ``parent_changed``). Raises Transient, Permanent,
    Misconfigured where the system does not even do the common things.
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

    # -- reading only

    def read(self) -> Iterator[Measured]:
        """What can be seen without a write."""
        page = self.remote.list_page(None)
        while not page.records and page.cursor is not None:
            page = self.remote.list_page(page.cursor)
        yield Measured(
            "listing", None, f"{len(page.records)} records on the first page that has any"
        )
        if not page.records:
            yield Measured(
                "get shows what the listing shows",
                "yes",
                "there is no record to look at",
                is_known=False,
            )
            return
        record = page.records[0]
        again = self.remote.get(record.remote_id)
        is_same = again is not None and (again.values, again.state) == (record.values, record.state)
        yield Measured("get shows what the listing shows", "yes", _yes(is_same))
        yield self._revision(record)

    def _revision(self, record: Record) -> Measured:
        declared = self.remote.capabilities.has_revision
        return Measured(
            "records carry a revision", _yes(declared), _yes(record.revision is not None)
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
        finally:
            self._clean_up()

    def _life(self) -> Iterator[Measured]:
        levels = self.scale.levels
        low, high = self.scale.level(0), self.scale.level(levels - 1)
        record, is_late = self._created(low)
        yield Measured(
            "create answers with the record",
            _yes(not self.remote.capabilities.create_is_async),
            _yes(not is_late),
        )
        if record is None:
            yield Measured(
                "the record shows itself", "yes", f"not within {self.wait_seconds:.0f} s"
            )
            return
        yield self._search_lag(record)
        yield self._revision(record)
        yield self._stable(record)
        yield self._event("create", record, "upsert")
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
        )

    def _created(self, value: Decimal) -> tuple[Record | None, bool]:
        """A new record, and whether it showed only later."""
        try:
            record = self.remote.create(self._draft(value), f"conformance-{self.monotonic()}")
        except Unconfirmed:
            found = self._wait(lambda: self.remote.find(self.entity, self.person))
            self._note(*(one.remote_id for one in found or ()))
            return (found[-1] if found else None), True
        self._note(record.remote_id)
        return record, False

    def _note(self, *remote_ids: str) -> None:
        self.made += [one for one in remote_ids if one not in self.made]
        self.ever_made += remote_ids

    def _search_lag(self, record: Record) -> Measured:
        began = self.monotonic()

        def shows() -> bool:
            return record.remote_id in {
                one.remote_id for one in self.remote.find(self.entity, self.person)
            }

        found = self._wait(shows)
        lag = self.monotonic() - began
        seen = f"after {lag:.1f} s" if found else f"not within {self.wait_seconds:.0f} s"
        return Measured("the search shows a new record", None, seen, is_known=found is not None)

    def _stable(self, record: Record) -> Measured:
        """Whether a later look shows the same: else each look would seem to be an edit."""
        again = self.remote.get(record.remote_id)
        same = again is not None and (again.values, again.state) == (record.values, record.state)
        return Measured("a look shows what the write returned", "yes", _yes(same))

    def _event(self, what: str, record: Record, change: str) -> Measured:
        declared = bool(self.events & {change, "parent_changed"})
        heard = self._wait(
            lambda: change in self._heard(record) or "parent_changed" in self._heard(record)
        )
        if heard is None and not self.heard([]) and declared:
            note = f"nothing within {self.wait_seconds:.0f} s; does the system reach the gateway?"
            return Measured(
                f"our own {what} comes back as an event", _yes(declared), note, is_known=False
            )
        return Measured(
            f"our own {what} comes back as an event", _yes(declared), _yes(heard is not None)
        )

    def _heard(self, record: Record) -> Sequence[str]:
        return self.heard([record.remote_id, self.entity.entity_id])

    def _uniqueness(self, value: Decimal) -> Iterator[Measured]:
        declared = _yes(self.remote.capabilities.is_unique)
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
        before = self._heard_when_quiet(current)
        changed = self.remote.update(
            current.remote_id, self._draft(high, current), current.revision
        )
        yield Measured(
            "an update returns what was written", "yes", _yes(changed.values.get("value") == high)
        )
        if current.revision is not None and changed.revision is not None:
            yield Measured("the revision grows by", "1", str(changed.revision - current.revision))
        yield self._update_event(changed, before)
        if current.revision is not None:
            yield self._precondition(changed, current, low)
        yield from self._normalisation(changed)

    def _update_event(self, record: Record, before: int) -> Measured:
        """Systems that tell of a parent only may keep quiet about an edit: a scan has to
        find it.
        """
        heard = self._wait(lambda: len(self._heard(record)) > before)
        declared = None if "parent_changed" in self.events else _yes("upsert" in self.events)
        is_known = heard is not None or bool(self.heard([])) or not declared
        return Measured(
            "an edit comes as an event", declared, _yes(heard is not None), is_known=is_known
        )

    def _precondition(self, record: Record, older: Record, value: Decimal) -> Measured:
        declared = self.remote.capabilities.update_precondition
        try:
            self.remote.update(record.remote_id, self._draft(value, record), older.revision)
        except Conflict:
            return Measured("an update under an old revision is refused", _yes(declared), "yes")
        return Measured("an update under an old revision is refused", _yes(declared), "no")

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
        yield Measured("every mark reads back as it was returned", "yes", _yes(keeps))

    def _deletes(self, record: Record) -> Iterator[Measured]:
        current = self.remote.get(record.remote_id)
        if current is None:
            return
        before = self._heard_when_quiet(current)
        self.remote.delete(current.remote_id, current.revision)
        shows = self.remote.get(current.remote_id)
        yield Measured(
            "a deleted record is gone", "yes", _yes(shows is None or not shows.is_visible)
        )
        if shows is None:
            self.made.remove(current.remote_id)
        yield self._delete_event(current, before)
        with suppress(Gone):
            self.remote.delete(current.remote_id, current.revision)
        yield Measured("deleting it again is harmless", "yes", "yes")

    def _delete_event(self, record: Record, before: int) -> Measured:
        declared = bool(self.events & {"delete", "parent_changed"})
        heard = self._wait(lambda: set(self._heard(record)[before:]) & {"delete", "parent_changed"})
        is_known = heard is not None or bool(self.heard([])) or not declared
        return Measured(
            "a delete comes as an event", _yes(declared), _yes(heard is not None), is_known=is_known
        )

    def _heard_when_quiet(self, record: Record) -> int:
        """How many changes have come, once those of our last write are in."""
        until, quiet_since, count = (
            self.monotonic() + self.wait_seconds,
            self.monotonic(),
            len(self._heard(record)),
        )
        while self.monotonic() < min(until, quiet_since + QUIET_SECONDS):
            self.sleep(POLL_SECONDS / 2)
            if (now := len(self._heard(record))) != count:
                count, quiet_since = now, self.monotonic()
        return count

    # -- around it

    def _wait(self, look: Callable[[], T]) -> T | None:
        """The first answer that is not empty, within the time."""
        until = self.monotonic() + self.wait_seconds
        while True:
            with suppress(Transient):
                if found := look():
                    return found
            if self.monotonic() > until:
                return None
            self.sleep(POLL_SECONDS)

    def _clean_up(self) -> None:
        for remote_id in list(self.made):
            record = self.remote.get(remote_id)
            if record is not None and self.remote.capabilities.can_delete:
                self.remote.delete(remote_id, record.revision)
                self.made.remove(remote_id)
            elif record is None:
                self.made.remove(remote_id)


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"
