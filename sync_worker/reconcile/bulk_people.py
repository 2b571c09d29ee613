"""People asked for in bulk: one call for a hundred of them, however many ratings name them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync_worker.core.email_identity import normalise_email
from sync_worker.core.ports.people import People
from sync_worker.core.values import Contact, Merge

AT_ONCE = 100


@dataclass(slots=True)
class BulkPeople:
    """Implements ports.People over another, for one batch; ``patiently`` waits where the budget
    refuses a call.
    """

    people: People
    patiently: Callable[[Callable[[], Any]], Any]
    asked: dict[str, Contact | None] = field(default_factory=dict)
    shown: dict[str, Contact] = field(default_factory=dict)

    def ask_ids(self, contact_ids: Sequence[str]) -> None:
        """Look these contacts up now; ``by_id`` then answers without a call for those that are
        there.
        """
        for start in range(0, len(contact_ids), AT_ONCE):
            batch = contact_ids[start : start + AT_ONCE]
            self.shown |= self.by_ids(batch)

    def ask(self, emails: Sequence[str]) -> None:
        """Look these addresses up now; ``by_email`` then answers without a call."""
        for start in range(0, len(emails), AT_ONCE):
            batch = emails[start : start + AT_ONCE]
            found = self.matches(batch)
            for email in map(normalise_email, batch):
                self.asked[email] = next(iter(found.get(email, ())), None)

    def addresses_in(self, payload: Mapping[str, Any]) -> Sequence[str]:
        return self.people.addresses_in(payload)

    def merge_in(self, payload: Mapping[str, Any]) -> Merge | None:
        return self.people.merge_in(payload)

    def by_email(self, email: str) -> Contact | None:
        known = normalise_email(email)
        if known not in self.asked:
            self.asked[known] = self.patiently(lambda: self.people.by_email(email))
        return self.asked[known]

    def matches(self, emails: Sequence[str]) -> Mapping[str, Sequence[Contact]]:
        found: Mapping[str, Sequence[Contact]] = self.patiently(lambda: self.people.matches(emails))
        return found

    def by_ids(self, contact_ids: Sequence[str]) -> Mapping[str, Contact]:
        found: Mapping[str, Contact] = self.patiently(lambda: self.people.by_ids(contact_ids))
        return found

    def by_id(self, contact_id: str) -> Contact | None:
        if contact_id in self.shown:
            return self.shown[contact_id]
        found: Contact | None = self.patiently(lambda: self.people.by_id(contact_id))
        return found

    def by_member(self, member_id: str) -> Contact | None:
        found: Contact | None = self.patiently(lambda: self.people.by_member(member_id))
        return found

    def create(self, email: str, name: str | None) -> Contact:
        created: Contact = self.patiently(lambda: self.people.create(email, name))
        return created
