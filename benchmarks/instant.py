"""Remotes without a network: they answer after a given time, so that what is measured is the engine
and its ledger.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sync_worker.core.errors import Conflict, Gone, Transient
from sync_worker.core.ports.remote import Capabilities, Page
from sync_worker.core.values import Contact, Draft, EntityRef, Person, Record, Side
from sync_worker.remotes.http.budget import CallSlots
from sync_worker.remotes.wix.events import record_of_event

LONGEST_SECONDS = 60.0  # that a call waits for a slot
NO_LIMIT = 1_000_000


class InstantRemote:
    """Implements ports.Remote in memory. ``latency``: seconds of each call.

    ``slots``: those that its calls take. Thread-safe as dicts are.
    """

    def __init__(
        self,
        side: Side,
        capabilities: Capabilities,
        latency: float,
        slots: CallSlots | None = None,
    ) -> None:
        self.side, self.capabilities, self._latency = side, capabilities, latency
        self._slots = slots or CallSlots(NO_LIMIT)
        self._records: dict[str, Record] = {}
        self._numbers = itertools.count(1)

    def _pass_time(self) -> None:
        if not self._slots.take("", LONGEST_SECONDS):
            raise Transient("no slot came free")
        try:
            time.sleep(self._latency)
        finally:
            self._slots.give_back("")

    def reserve_request(self) -> None:
        return

    def record_in(self, payload: Mapping[str, Any]) -> Record | None:
        return record_of_event(payload)

    def get(self, remote_id: str) -> Record | None:
        self._pass_time()
        return self._records.get(remote_id)

    def find(self, entity: EntityRef, person: Person) -> Sequence[Record]:
        self._pass_time()
        return [
            one
            for one in list(self._records.values())
            if (one.entity, one.person.email) == (entity, person.email)
        ]

    def list_page(self, cursor: str | None = None) -> Page:
        self._pass_time()
        return Page(list(self._records.values()))

    def create(self, draft: Draft, idempotency_key: str) -> Record:
        self._pass_time()
        remote_id = f"{self.side}-{next(self._numbers)}-{idempotency_key[:8]}"
        record = Record(remote_id, draft.values, 1, entity=draft.entity, person=draft.person)
        self._records[remote_id] = record
        return record

    def update(self, remote_id: str, draft: Draft, revision: int | None) -> Record:
        self._pass_time()
        record = self._records.get(remote_id)
        if record is None:
            raise Gone(remote_id)
        if record.revision != revision:
            raise Conflict(remote_id)
        changed = replace(record, values=draft.values, revision=(revision or 0) + 1)
        self._records[remote_id] = changed
        return changed

    def delete(self, remote_id: str, revision: int | None) -> None:
        self._pass_time()
        self._records.pop(remote_id, None)


class Nobody:
    """Implements ports.People where everybody is mapped already."""

    def merge_in(self, payload: Mapping[str, Any]) -> None:
        return None

    def addresses_in(self, payload: Mapping[str, Any]) -> Sequence[str]:
        return ()

    def by_email(self, email: str) -> Contact | None:
        return None

    def matches(self, emails: Sequence[str]) -> Mapping[str, Sequence[Contact]]:
        return {}

    def by_ids(self, contact_ids: Sequence[str]) -> Mapping[str, Contact]:
        return {}

    def by_id(self, contact_id: str) -> Contact | None:
        return None

    def by_member(self, member_id: str) -> Contact | None:
        return None

    def create(self, email: str, name: str | None) -> Contact:
        raise AssertionError("everybody is mapped already")
