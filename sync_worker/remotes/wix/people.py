"""Wix contacts and members: who a person is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeGuard

from sync_worker.core.email_identity import normalise_email, spellings
from sync_worker.core.errors import (
    Duplicate,
    Gone,
    Permanent,
    SyncError,
    Transient,
    UnknownOutcome,
)
from sync_worker.core.pages_seen import PagesSeen
from sync_worker.core.values import Contact, Merge
from sync_worker.core.words import MAX_EMAIL, MAX_NAME, MAX_WIX_ID, is_usable_id, shown
from sync_worker.remotes.http.calls import Answer
from sync_worker.remotes.wix.answers import error_code, gone_if_said, inside, listed_in, objects_in
from sync_worker.remotes.wix.api import OLDEST_FIRST, WixApi
from sync_worker.remotes.wix.events import entity_in_event, merge_of_event, target_in_merge

# The most that Query Contacts gives; above it Wix answers `ILLEGAL_LIMIT`.
CONTACTS_PAGE_SIZE = 1000
MAX_ADDRESSES = 100  # of one contact
_contact_gone = gone_if_said("CONTACT", "ENTITY")
_member_gone = gone_if_said("MEMBER", "ENTITY")
AT_ONCE = 100  # the size of `$in` is not documented


class WixPeople:
    """Implements ports.People over Contacts v4 and Members v1."""

    def __init__(self, api: WixApi) -> None:
        self._api = api

    def addresses_in(self, payload: Mapping[str, Any]) -> Sequence[str]:
        return _emails_of(entity_in_event(payload) or target_in_merge(payload) or {})

    def merge_in(self, payload: Mapping[str, Any]) -> Merge | None:
        return merge_of_event(payload)

    def by_email(self, email: str) -> Contact | None:
        return next(iter(self.matches([email]).get(normalise_email(email), ())), None)

    def matches(self, emails: Sequence[str]) -> Mapping[str, Sequence[Contact]]:
        """Asked in all spellings, since matching may be of the letters; compared by identity."""
        asked_for = dict.fromkeys(form for email in emails for form in spellings(email))
        contacts = {
            contact["id"]: contact
            for asked in _in_parts(list(asked_for))
            for contact in self._query("info.emails.email", asked)
        }
        wanted = {normalise_email(email) for email in emails}
        matching: dict[str, list[Mapping[str, Any]]] = {}
        for contact in contacts.values():
            addresses = {normalise_email(address) for address in _emails_of(contact)}
            for address in wanted & addresses:
                matching.setdefault(address, []).append(contact)
        return {
            address: [
                Contact(contact["id"], address, _name_of(contact))
                for contact in sorted(found, key=partial(_rank, email=address))
            ]
            for address, found in matching.items()
        }

    def _query(self, field: str, values: Sequence[str]) -> list[dict[str, Any]]:
        """All contacts with one of these values."""
        try:
            found = list(self._pages(field, values))
        except Permanent as refusal:
            # The current SDK types list only the primary address as a filter.
            if field == "info.emails.email" and refusal.facts.code.startswith("UNSUPPORTED_FILTER"):
                return self._query("primaryInfo.email", values)
            raise
        return [contact for contact in found if _is_contact_id(inside(contact, "id"))]

    def _pages(self, field: str, values: Sequence[str]) -> Iterator[Any]:
        """The rows of Query Contacts, which pages by offset; a short page is the last one."""
        # Oldest first: a contact that is made meanwhile comes last and shifts no page.
        offset = 0
        seen = PagesSeen("Query Contacts of Wix, by offset")
        while True:
            query = {
                "filter": {field: {"$in": list(values)}},
                "sort": OLDEST_FIRST,
                "paging": {"limit": CONTACTS_PAGE_SIZE, "offset": offset},
                "fieldsets": ["BASIC", "COMMUNICATION_DETAILS"],
            }
            body = self._api.call("query_contacts", json={"query": query}).body
            page = listed_in(body, "contacts")
            yield from page
            if len(page) < CONTACTS_PAGE_SIZE:
                return
            seen.add(str(inside(contact, "id")) for contact in page)
            offset += len(page)

    def by_ids(self, contact_ids: Sequence[str]) -> Mapping[str, Contact]:
        """Contacts by their ids; those that are not there, or were merged away, are missing.

        Query Contacts filters by ``id`` (``$in``): Wix's page "Contacts: Supported Filters,
        Sorting, and Search".
        """
        known: dict[str, Contact] = {}
        for asked in _in_parts(contact_ids):
            for found in self._query("id", asked):
                contact = _contact_of(found)
                if contact is not None:
                    known[contact.contact_id] = contact
        return known

    def by_id(self, contact_id: str) -> Contact | None:
        """Get Contact is the only call that understands ids that were merged away."""
        try:
            body = self._api.call("get_contact", remote_id=contact_id, outcomes=_contact_gone).body
        except Gone:
            return None
        return _contact_of(_part_of(body, "contact"))

    def by_member(self, member_id: str) -> Contact | None:
        try:
            body = self._api.call("get_member", remote_id=member_id, outcomes=_member_gone).body
        except Gone:
            return None
        contact_id = _part_of(body, "member").get("contactId")
        # Without a contact id the person cannot be matched.
        if not isinstance(contact_id, str):
            return None
        email = inside(body, "member", "loginEmail")
        address = normalise_email(email) if isinstance(email, str) else None
        return Contact(contact_id, address)

    def create(self, email: str, name: str | None) -> Contact:
        info = {
            "name": {"first": name or email.partition("@")[0]},
            "emails": {"items": [{"tag": "MAIN", "email": email, "primary": True}]},
        }
        # Wix then refuses a second contact with this address and names the existing contact.
        request = {"info": info, "allowDuplicates": False}
        try:
            body = self._api.call(
                "create_contact", json=request, is_write=True, outcomes=_contact_outcome
            ).body
        except Duplicate as duplicate:
            return self._existing(email, duplicate.remote_id)
        except UnknownOutcome as unknown:
            # The try after a lost one finds the contact that the first one made.
            if not isinstance(unknown.later, Duplicate):
                raise
            return self._existing(email, unknown.later.remote_id)
        contact = _contact_of(inside(body, "contact"))
        if contact is None:
            raise UnknownOutcome("Wix accepted a contact, but its answer has no id")
        return Contact(contact.contact_id, email, name)

    def _existing(self, email: str, contact_id: str | None) -> Contact:
        """The contact that Wix says is there already."""
        found = self.by_id(contact_id) if contact_id else self.by_email(email)
        if found is None:
            raise Permanent(
                "Wix says the contact exists but does not show it", reason="contact_unknown"
            )
        return Contact(found.contact_id, email, found.name)


def _in_parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]


def _contact_outcome(answer: Answer) -> SyncError | None:
    """One guide prints the code without its last S, so the prefix decides."""
    if not error_code(answer.body).startswith("DUPLICATE_CONTACT_EXIST"):
        return None
    known = inside(answer.body, "details", "applicationError", "data", "duplicateContactId")
    # The id is optional in Wix's answer: the address is looked up instead.
    if not isinstance(known, str):
        return Duplicate()
    return Duplicate(remote_id=known)


def _part_of(body: Any, name: str) -> Mapping[str, Any]:
    """What was asked for by its id. Raises Transient for an answer without it: no word for gone."""
    part = inside(body, name)
    if not isinstance(part, Mapping):
        raise Transient(f"Wix answered a get without a {name}")
    return part


def _rank(contact: Mapping[str, Any], email: str) -> tuple[int, str, str]:
    """Primary match before secondary, then the oldest, then the smallest id."""
    primary = _primary_of(contact)
    is_secondary = primary is None or normalise_email(primary) != email
    return int(is_secondary), str(contact.get("createdDate", "")), contact["id"]


def _emails_of(contact: Mapping[str, Any]) -> list[str]:
    """All addresses of a contact, the primary one first."""
    items = objects_in(inside(contact, "info", "emails"), "items")
    found = [_primary_of(contact), *(inside(item, "email") for item in items)]
    texts = [address.strip() for address in found[:MAX_ADDRESSES] if isinstance(address, str)]
    return [address for address in texts if len(address) <= MAX_EMAIL]


def _primary_of(contact: Mapping[str, Any]) -> str | None:
    email = inside(contact, "primaryInfo", "email")
    return email if isinstance(email, str) else None


def _is_contact_id(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and is_usable_id(value, MAX_WIX_ID)


def _name_of(contact: Mapping[str, Any]) -> str | None:
    name = inside(contact, "info", "name")
    parts = [inside(name, "first"), inside(name, "last")]
    # For people to read, so a long one is cut.
    return shown(" ".join(part for part in parts if isinstance(part, str)))[:MAX_NAME] or None


def _contact_of(contact: Any) -> Contact | None:
    contact_id = inside(contact, "id")
    if not _is_contact_id(contact_id):
        return None
    emails = _emails_of(contact)
    address = normalise_email(emails[0]) if emails else None
    return Contact(contact_id, address, _name_of(contact))
