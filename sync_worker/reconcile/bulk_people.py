"""People asked for in bulk: one call for a hundred of them, however many ratings name them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from sync_worker.core.email_identity import normalise_email
from sync_worker.core.ports.people import People
from sync_worker.core.values import Contact, Merge

# So many are asked for in one call; Wix does not document how many its ``$in`` takes.
BATCH = 100

T = TypeVar("T")


class Patiently(Protocol):
    """Gives the answer to a call, and waits where the budget refuses it."""

    def __call__(self, call: Callable[[], T], /) -> T: ...


@dataclass(slots=True)
class BulkPeople:
    """Implements ports.People over another, for one batch.

    ``by_known_email``: the answers by address, ``None`` where nobody has it. ``by_known_id``: the
    contacts that were shown under the id asked for.
    """

    people: People
    patiently: Patiently
    by_known_email: dict[str, Contact | None] = field(default_factory=dict)
    by_known_id: dict[str, Contact] = field(default_factory=dict)

    def ask(self, emails: Sequence[str]) -> None:
        """Look these addresses up now; ``by_email`` then answers without a call."""
        new = [email for email in emails if normalise_email(email) not in self.by_known_email]
        for batch in _batches(new):
            found = self.matches(batch)
            for email in map(normalise_email, batch):
                self.by_known_email[email] = next(iter(found.get(email, ())), None)

    def ask_ids(self, contact_ids: Sequence[str]) -> None:
        """Look these contacts up now; ``by_id`` then answers without a call for those found."""
        new = [contact_id for contact_id in contact_ids if contact_id not in self.by_known_id]
        for batch in _batches(new):
            self.by_known_id |= self.by_ids(batch)

    # -- ports.People

    def addresses_in(self, payload: Mapping[str, Any]) -> Sequence[str]:
        return self.people.addresses_in(payload)

    def merge_in(self, payload: Mapping[str, Any]) -> Merge | None:
        return self.people.merge_in(payload)

    def by_email(self, email: str) -> Contact | None:
        normalised = normalise_email(email)
        if normalised not in self.by_known_email:
            found = self.patiently(lambda: self.people.by_email(email))
            self.by_known_email[normalised] = found
        return self.by_known_email[normalised]

    def matches(self, emails: Sequence[str]) -> Mapping[str, Sequence[Contact]]:
        return self.patiently(lambda: self.people.matches(emails))

    def by_id(self, contact_id: str) -> Contact | None:
        # In bulk Wix leaves out ids that were merged away: those are asked for alone.
        if contact_id in self.by_known_id:
            return self.by_known_id[contact_id]
        return self.patiently(lambda: self.people.by_id(contact_id))

    def by_ids(self, contact_ids: Sequence[str]) -> Mapping[str, Contact]:
        return self.patiently(lambda: self.people.by_ids(contact_ids))

    def by_member(self, member_id: str) -> Contact | None:
        return self.patiently(lambda: self.people.by_member(member_id))

    def create(self, email: str, name: str | None) -> Contact:
        return self.patiently(lambda: self.people.create(email, name))


def _batches(asked: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(asked), BATCH):
        yield asked[start : start + BATCH]
