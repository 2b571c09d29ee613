"""Remotes, people, guard and bell of a dry run: they let it look, and change nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sync_worker.core.errors import Conflict, Gone
from sync_worker.core.ports.people import People
from sync_worker.core.ports.remote import Capabilities, Page, Remote
from sync_worker.core.values import (
    Contact,
    Draft,
    EntityRef,
    Merge,
    Person,
    Record,
    RecordState,
    Side,
)
from sync_worker.core.values.texts import REPLY

PLANNED_CONTACT = "(new contact"  # how the id of one begins that is still to be made


class DryRunRemote:
    """Implements ports.Remote over another; a write is only answered, as the remote would.

    ``is_shown``: whether the listing at hand shows a record; one that it does not show may be gone.
    ``shown``: records of the listing, by id: nobody has to ask for them again.
    """

    def __init__(
        self,
        remote: Remote,
        is_shown: Callable[[Side, str], bool],
        shown: Mapping[str, Record],
    ) -> None:
        self._remote, self._is_shown, self._shown = remote, is_shown, shown

    @property
    def side(self) -> Side:
        return self._remote.side

    @property
    def capabilities(self) -> Capabilities:
        return self._remote.capabilities

    def reserve_request(self) -> None:
        """What is not sent takes nothing from the budget."""

    def record_in(self, payload: Mapping[str, Any]) -> Record | None:
        return self._remote.record_in(payload)

    def get(self, remote_id: str) -> Record | None:
        return self._shown.get(remote_id) or self._remote.get(remote_id)

    def find(self, entity: EntityRef, person: Person) -> Sequence[Record]:
        # Some listings leave out what a search shows.
        if not self.capabilities.absence_counts:
            return self._remote.find(entity, person)
        shown = self._shown.values()
        return [record for record in shown if record.state is not RecordState.DELETED]

    def list_page(self, cursor: str | None = None) -> Page:
        return self._remote.list_page(cursor)

    def create(self, draft: Draft, idempotency_key: str) -> Record:
        names = ",".join(sorted(draft.values))
        revision = 1 if self.capabilities.has_revision else None
        return Record(
            f"(new {names})",
            draft.values,
            revision,
            entity=draft.entity,
            person=draft.person,
            words=draft.words,
        )

    def update(self, remote_id: str, draft: Draft, revision: int | None) -> Record:
        # What the listing has just shown exists.
        if not self._is_shown(self.side, remote_id):
            self._refuse_if_changed(remote_id, revision)
        # A remote that numbers its states counts each update.
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
            words=draft.words,
        )

    def delete(self, remote_id: str, revision: int | None) -> None:
        """A delete answers nothing."""

    def withdraw(self, remote_id: str) -> Record:
        """For ports.Moderation."""
        return self._in_state(remote_id, RecordState.REJECTED)

    def approve(self, remote_id: str) -> Record:
        """For ports.Moderation."""
        return self._in_state(remote_id, RecordState.PUBLISHED)

    def reply(self, remote_id: str, text: str) -> Record:
        """For ports.Replies."""
        record = self.get(remote_id)
        if record is None:
            raise Gone
        return replace(record, words={**record.words, REPLY: text})

    def _in_state(self, remote_id: str, state: RecordState) -> Record:
        record = self.get(remote_id)
        if record is None:
            raise Gone
        return replace(record, state=state)

    def _refuse_if_changed(self, remote_id: str, revision: int | None) -> None:
        """An update of what the listing does not show may be refused. Raises Gone, Conflict."""
        now = self._remote.get(remote_id)
        # deleted since it was put on file
        if now is None:
            raise Gone
        # changed since, and the remote would compare the revision
        if now.revision != revision and self.capabilities.update_precondition:
            raise Conflict


class DryRunPeople:
    """Implements ports.People over another; nobody is created."""

    def __init__(self, people: People) -> None:
        self._people = people

    def addresses_in(self, payload: Mapping[str, Any]) -> Sequence[str]:
        return self._people.addresses_in(payload)

    def merge_in(self, payload: Mapping[str, Any]) -> Merge | None:
        return self._people.merge_in(payload)

    def by_email(self, email: str) -> Contact | None:
        return self._people.by_email(email)

    def matches(self, emails: Sequence[str]) -> Mapping[str, Sequence[Contact]]:
        return self._people.matches(emails)

    def by_id(self, contact_id: str) -> Contact | None:
        return self._people.by_id(contact_id)

    def by_ids(self, contact_ids: Sequence[str]) -> Mapping[str, Contact]:
        return self._people.by_ids(contact_ids)

    def by_member(self, member_id: str) -> Contact | None:
        return self._people.by_member(member_id)

    def create(self, email: str, name: str | None) -> Contact:
        return Contact(f"{PLANNED_CONTACT} {email})", email, name)


class ForgetfulGuard:
    """Implements ports.Guard; it remembers nothing, so every revision is looked at."""

    def remember(
        self, site_id: int, side: Side, remote_id: str, revision: int, intent_id: str
    ) -> None:
        """A dry run has written nothing."""

    def recall(self, site_id: int, side: Side, remote_id: str, revision: int) -> str | None:
        return None

    def forget(self, site_id: int, side: Side, remote_id: str) -> None:
        """There is nothing to forget."""


class SilentBell:
    """Implements ports.Bell; a dry run has nothing for the workers to do."""

    def ring(self, inbox_ids: Sequence[int]) -> None:
        """Nobody is rung for."""
