"""The contacts of the stand-in Wix: add, merge, change, delete, find."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sync_sandbox.wix.events import OWNER, WixEvents, now
from sync_sandbox.wix.refusal import Refusal


@dataclass
class WixContacts:
    """Contacts by id. ``merged``: the contact that lives on, by the one that was merged into it."""

    lock: threading.RLock
    events: WixEvents
    by_id: dict[str, dict[str, Any]]
    merged: dict[str, str]
    _by_email: dict[str, list[str]] = field(default_factory=dict)

    def add(
        self,
        email: str | None,
        name: str = "",
        *,
        by: Mapping[str, str] | None = None,
        allow_duplicates: bool = False,
    ) -> dict[str, Any]:
        with self.lock:
            known = self._by_email.get((email or "").lower(), [])
            if known and not allow_duplicates:
                data = {"duplicateContactId": known[0], "duplicateEmail": email}
                raise Refusal(409, "DUPLICATE_CONTACT_EXISTS", "Duplicate contact exists", data)
            contact = _new_contact(str(uuid.uuid4()), email, name)
            self.by_id[contact["id"]] = contact
            if email:
                self._by_email.setdefault(email.lower(), []).append(contact["id"])
            self.events.tell_contact("created", contact, by or OWNER)
            return contact

    def merge(self, source_id: str, target_id: str) -> None:
        """Emits merged, updated (target) and deleted (source), as Wix does."""
        with self.lock:
            source, target = self.by_id.pop(source_id), self.by_id[target_id]
            self.merged[source_id] = target_id
            self._hand_over_addresses(source, target)
            self.events.tell_merge(source_id, target)
            self.events.tell_contact("updated", target, OWNER, origin="merge")
            self.events.tell_contact("deleted", source, OWNER, origin="merge")

    def _hand_over_addresses(self, source: dict[str, Any], target: dict[str, Any]) -> None:
        """The contact that lives on has every address of the one that was merged into it."""
        for item in source["info"]["emails"]["items"]:
            target["info"]["emails"]["items"].append(item | {"primary": False})
            ids = self._by_email.setdefault(item["email"].lower(), [])
            ids[:] = [known for known in ids if known != source["id"]] + [target["id"]]
        target["revision"] += 1

    def change_email(self, contact_id: str, email: str) -> dict[str, Any]:
        """The contact has another address (or its first one) from now on."""
        with self.lock:
            contact = self._get(contact_id)
            self._forget_addresses(contact_id)
            item = {"id": str(uuid.uuid4()), "tag": "MAIN", "email": email, "primary": True}
            contact |= {
                "primaryInfo": {"email": email},
                "revision": contact["revision"] + 1,
                "updatedDate": now(),
            }
            contact["info"] = contact["info"] | {"emails": {"items": [item]}}
            self.by_id[contact_id] = contact
            self._by_email.setdefault(email.lower(), []).append(contact_id)
            self.events.tell_contact("updated", contact, OWNER)
            return contact

    def delete(self, contact_id: str, *, privacy: bool = False) -> None:
        """An owner deletes a contact, or with ``privacy`` the person asked for it."""
        with self.lock:
            contact = self._get(contact_id)
            del self.by_id[contact_id]
            self._forget_addresses(contact_id)
            self.events.tell_contact("deleted", contact, OWNER, privacy=privacy)

    def _forget_addresses(self, contact_id: str) -> None:
        for ids in self._by_email.values():
            ids[:] = [known for known in ids if known != contact_id]

    def _get(self, contact_id: str) -> dict[str, Any]:
        if contact_id not in self.by_id:
            raise Refusal(404, "CONTACT_NOT_FOUND")
        return dict(self.by_id[contact_id])

    def find(self, where: Mapping[str, Any]) -> list[dict[str, Any]]:
        field, wanted = next(iter(where.items()), ("", ""))
        if field not in ("id", "info.emails.email", "primaryInfo.email") or len(where) != 1:
            raise Refusal(400, "UNSUPPORTED_FILTER_FIELD_UNKNOWN")
        values = [wanted] if isinstance(wanted, str) else wanted.get("$in") or [wanted.get("$eq")]
        with self.lock:
            ids: set[str] = set()
            for value in map(str, values):
                ids |= {value} if field == "id" else set(self._by_email.get(value.lower(), []))
            found = [self.by_id[contact_id] for contact_id in ids if contact_id in self.by_id]
        return sorted(found, key=lambda contact: contact["createdDate"])


def _new_contact(contact_id: str, email: str | None, name: str) -> dict[str, Any]:
    item = {"id": str(uuid.uuid4()), "tag": "MAIN", "email": email, "primary": True}
    return {
        "id": contact_id,
        "revision": 1,
        "createdDate": now(),
        "updatedDate": now(),
        "primaryInfo": {"email": email} if email else {},
        "info": {"name": {"first": name}, "emails": {"items": [item] if email else []}},
    }
