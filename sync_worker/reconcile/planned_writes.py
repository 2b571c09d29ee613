"""Remote writes as a person reads them: what a plan lists, and what a run has done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

from sync_worker.core.ports.remote import Capabilities, Moderation, Page, Remote, Replies
from sync_worker.core.values import Draft, EntityRef, Operation, Person, Record, Side
from sync_worker.core.values.texts import REPLY


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """One remote write, done or planned.

    ``values``: by the fields of that side, empty where nothing in a record changes. ``words``: the
    texts that it writes, by their names (``title``, ``body``, ``reply``).
    """

    operation: Operation
    side: Side
    entity: str
    person: str
    values: Mapping[str, Decimal] = field(default_factory=dict, hash=False)
    remote_id: str = ""
    words: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def what(self) -> str:
        """The kind of write, in words."""
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
        record = self._remote.create(draft, idempotency_key)
        self._note_draft(Operation.CREATE, draft, "")
        return record

    def update(self, remote_id: str, draft: Draft, revision: int | None) -> Record:
        record = self._remote.update(remote_id, draft, revision)
        self._note_draft(Operation.UPDATE, draft, remote_id)
        return record

    def delete(self, remote_id: str, revision: int | None) -> None:
        self._remote.delete(remote_id, revision)
        self._note(PlannedWrite(Operation.DELETE, self.side, "", "", remote_id=remote_id))

    def withdraw(self, remote_id: str) -> Record:
        """For ports.Moderation."""
        record = cast(Moderation, self._remote).withdraw(remote_id)
        self._note(PlannedWrite(Operation.WITHDRAW, self.side, "", "", remote_id=remote_id))
        return record

    def approve(self, remote_id: str) -> Record:
        """For ports.Moderation."""
        record = cast(Moderation, self._remote).approve(remote_id)
        self._note(PlannedWrite(Operation.APPROVE, self.side, "", "", remote_id=remote_id))
        return record

    def reply(self, remote_id: str, text: str) -> Record:
        """For ports.Replies."""
        record = cast(Replies, self._remote).reply(remote_id, text)
        words = {REPLY: text}
        self._note(PlannedWrite(Operation.REPLY, self.side, "", "", {}, remote_id, words))
        return record

    def _note_draft(self, operation: Operation, draft: Draft, remote_id: str) -> None:
        person = draft.person.email or draft.person.contact_id or ""
        entity = draft.entity.entity_id
        written = (draft.values, remote_id, draft.words_to_write)
        self._note(PlannedWrite(operation, self.side, entity, person, *written))
