"""The address book of Wix in memory: finds contacts, and counts calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sync_worker.core.email_identity import normalise_email
from sync_worker.core.values import Contact, Merge


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
