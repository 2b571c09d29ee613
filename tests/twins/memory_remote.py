"""A remote in memory: the port over a system, which counts calls and fails on demand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sync_worker.core.errors import (
    Away,
    Conflict,
    Duplicate,
    Facts,
    GoneUnsaid,
    Permanent,
    RateLimited,
    Transient,
    Unauthorized,
    Unconfirmed,
    UnknownOutcome,
)
from sync_worker.core.ports.remote import Page
from sync_worker.core.values import Draft, EntityRef, Operation, Person, Record, RecordState
from sync_worker.core.values.texts import REPLY
from sync_worker.remotes import landed
from tests.twins.memory_system import MemorySystem
from tests.twins.remote_values import as_deleted, record_from


@dataclass(slots=True)
class MemoryRemote(MemorySystem):
    """Implements ports.Remote, Moderation and Replies.

    ``fault(operation)`` names what goes wrong with a call, or ``None``.
    """

    fault: Callable[[str], str | None] = lambda operation: None
    new_state: RecordState = RecordState.PUBLISHED
    find_lags: Callable[[], bool] = lambda: False
    later: Callable[[Callable[[], None]], None] = lambda show: show()
    vanishes: Callable[[], bool] = lambda: False
    # An accepted create is not carried out, and that is told.
    fails: Callable[[], bool] = lambda: False
    on_failure: Callable[[Draft], None] = lambda draft: None
    is_unknown: Callable[[Person], bool] = lambda person: False
    list_skips: Callable[[], bool] = lambda: False  # a listing leaves a record out
    list_is_cut: Callable[[], bool] = lambda: False  # a listing ends with an empty page
    list_repeats: Callable[[], bool] = lambda: False  # its first page, whatever is asked for
    calls: Counter[str] = field(default_factory=Counter)
    idempotency: dict[str, str] = field(default_factory=dict)
    page_size: int = 2
    stale_index: list[Record] = field(default_factory=list)
    overlap_seconds: float = 60.0
    refused_until: float = 0.0  # our credentials are not accepted before that time of its clock
    refused_ids: set[str] = field(default_factory=set)  # forbidden, and only these records
    # How it refuses to change what visitors wrote: "conflict" (409) or "forbidden" (403).
    read_only: str = ""
    read_only_ids: set[str] = field(default_factory=set)  # these too, whoever wrote them
    blocks: Callable[[str], bool] = lambda text: False  # a text that it does not take from us
    breaks: Callable[[str], bool] = lambda text: False  # a text over which it fails with a 500

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
        if remote_id in self.records and operation in self.records[remote_id].locked:
            raise Permanent(f"{remote_id} is locked", reason="refused")

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
        return self.shown().get(remote_id)

    def _gone_by_status(self) -> Record | None:
        """A 404 that is none of the system's own words, whatever is there."""
        raise GoneUnsaid(retry_after=60.0)

    def find(self, entity: EntityRef, person: Person) -> Sequence[Record]:
        self.calls["find"] += 1
        self._refuse("find")
        self._fail_reading("find")
        rows = self.stale_index if self.find_lags() else list(self.shown().values())
        found = [
            record for record in rows if record.entity == entity and self.is_by(record, person)
        ]
        if not self.find_lags():
            self.stale_index = list(self.shown().values())
        return found

    def list_page(self, cursor: str | None = None) -> Page:
        self.calls["list"] += 1
        self._refuse("list")
        self._fail_reading("list")
        if self.list_is_cut():
            return Page([])
        if self.list_repeats():
            cursor = None
        ids = sorted(self.shown(), key=lambda one: int(one[1:]))
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
        shown = {**self.records, **{one: as_deleted(record) for one, record in self.gone.items()}}
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
        self._refuse_long(draft)
        record = self._create_draft(draft)
        self.idempotency[idempotency_key] = record.remote_id
        self._fail_after_write(fault)
        return self._answered(record, draft)

    def _answered(self, record: Record, draft: Draft) -> Record:
        return replace(record, person=draft.person) if self.echoes else record

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
                self._create_draft(draft)

        self.later(show)

    def _create_draft(self, draft: Draft) -> Record:
        return self._create(
            draft.entity,
            draft.person,
            draft.values,
            self.new_state,
            by_us=True,
            texts=draft.words,
            written_at=draft.written_at,
            media=draft.media,
        )

    def _refuse_old_words(self, record: Record, draft: Draft) -> None:
        """Words that an update does not change go out as the record shows them at its revision."""
        for name, text in draft.words.items():
            if self.capabilities.update_precondition and name not in (draft.changed or ()):
                assert text == record.words[name], f"{name} is from an older memory"

    def _refuse_long(self, draft: Draft) -> None:
        for name, text in draft.words.items():
            most = self.capabilities.words[name].max_length
            if most is not None and len(text) > most:
                raise Permanent(f"{name} is too long", reason="refused")
        for name, text in draft.words_to_write.items():
            self._refuse_text(name, text)

    def _refuse_text(self, name: str, text: str) -> None:
        if self.blocks(text):
            raise Permanent(f"{name} is blocked", reason="refused")
        if self.breaks(text):
            self._fail_within()

    def update(self, remote_id: str, draft: Draft, revision: int | None) -> Record:
        self._refuse_if_unsupported(Operation.UPDATE)
        self.calls["update"] += 1
        self._refuse("update", remote_id)
        fault = self._fail_before_write("update")
        record = self._existing(remote_id)
        is_locked = remote_id in self.read_only_ids or not self._is_made_by_us(remote_id)
        if self.read_only and is_locked:
            if self.read_only == "forbidden":
                raise Unauthorized(facts=Facts(str(self.side), "update", 403))
            raise Conflict(f"{remote_id} is somebody's own")
        # A success in words: nothing has changed, and the record says so.
        if fault == "not_done":
            return record
        if self.capabilities.update_precondition and revision != record.revision:
            raise Conflict(f"{remote_id} is at {record.revision}, not at {revision}")
        self._refuse_long(draft)
        self._refuse_old_words(record, draft)
        assert not draft.media, "an update carries pictures"
        changed = self._change(record, dict(draft.values), draft.words_to_write, by_us=True)
        self._fail_after_write(fault)
        # It has taken the pictures, which the update did not touch.
        if fault == "replaces":
            return replace(changed, lost=frozenset({"pictures"}))
        return self._answered(changed, draft)

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

    # -- ports.Moderation

    def withdraw(self, remote_id: str) -> Record:
        return self._set_state("withdraw", remote_id, RecordState.REJECTED)

    def approve(self, remote_id: str) -> Record:
        return self._set_state("approve", remote_id, RecordState.PUBLISHED)

    def _set_state(self, operation: str, remote_id: str, state: RecordState) -> Record:
        self.calls[operation] += 1
        self._refuse(operation, remote_id)
        fault = self._fail_before_write(operation)
        record = self._existing(remote_id)
        if fault == "not_done":
            return record
        record = self._moderate(record, state, by_us=True)
        self._fail_after_write(fault)
        return record

    # -- ports.Replies

    def reply(self, remote_id: str, text: str) -> Record:
        self._refuse_if_unsupported(Operation.REPLY)
        self.calls["reply"] += 1
        self._refuse("reply", remote_id)
        fault = self._fail_before_write("reply")
        record = self._existing(remote_id)
        if fault == "not_done":
            return record
        rule = self.capabilities.words[REPLY]
        assert text or rule.can_clear, "it has no way to take a reply away"
        if rule.max_length is not None and len(text) > rule.max_length:
            raise Permanent("the reply is too long", reason="refused")
        self._refuse_text("the reply", text)
        record = self._reply(record, text, by_us=True)
        self._fail_after_write(fault)
        return record

    def _is_made_by_us(self, remote_id: str) -> bool:
        made = (one for one in self.journal if one.remote_id == remote_id)
        return any(one.by_us and one.operation == "create" for one in made)

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
            case "broken":
                self._fail_within()
                return None
            case _:
                return fault

    def _fail_after_write(self, fault: str | None) -> None:
        if fault == "response_lost":
            raise UnknownOutcome("no answer")
        if fault == "broken_after":
            self._fail_within()

    def _fail_within(self) -> None:
        raise UnknownOutcome("it answers 500", facts=Facts(str(self.side), "write", 500))
