"""Wix: ratings, contacts, members and the app instance over its REST API.

Ratings have no published REST operations (only message schemas): every path is in one table and can
be overridden. Sources: https://dev.wix.com/docs/rest and the Wix docs repository
(ratings.service.json, contacts.service.json).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from sync_worker.core.email_identity import normalise_email
from sync_worker.core.errors import Conflict, Duplicate, Gone, Permanent, SyncError
from sync_worker.core.ports.remote import Capabilities, Page
from sync_worker.core.values import Contact, Draft, EntityRef, Merge, Person, Record, Side
from sync_worker.remotes.http.client import Answer, Call, RemoteHttp
from sync_worker.remotes.wix.events import (
    entity_in_event,
    merge_of_event,
    rating_of,
    record_of_event,
    target_in_merge,
)

ENDPOINTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "create_token": ("POST", "/oauth2/token"),
        "create_rating": ("POST", "/ratings/v1/ratings"),
        "get_rating": ("GET", "/ratings/v1/ratings/{id}"),
        "update_rating": ("PATCH", "/ratings/v1/ratings/{id}"),
        "delete_rating": ("DELETE", "/ratings/v1/ratings/{id}"),
        "query_ratings": ("POST", "/ratings/v1/ratings/query"),
        "query_contacts": ("POST", "/contacts/v4/contacts/query"),
        "create_contact": ("POST", "/contacts/v4/contacts"),
        "get_contact": ("GET", "/contacts/v4/contacts/{id}"),
        "get_member": ("GET", "/members/v1/members/{id}"),
        "get_instance": ("GET", "/apps/v1/instance"),
    }
)
PAGE_SIZE = 100
CONTACTS_PAGE_SIZE = 1000
AT_ONCE = 100  # the size of `$in` is not documented
OLDEST_FIRST = [{"fieldName": "createdDate", "order": "ASC"}]
MAX_PAGES = 1_000
DUPLICATE_CODES = (
    "ALREADY_EXIST",
    "DUPLICATE",
    "ALREADY_RATED",
)  # the exact code is not documented


def error_code(body: Any) -> str:
    """The application error code of a Wix error body, or of an OAuth one; empty if there is
    none.
    """
    if not isinstance(body, dict):
        return ""
    details = body.get("details")
    application = details.get("applicationError") if isinstance(details, dict) else None
    code = application.get("code") if isinstance(application, dict) else body.get("error")
    return code[:80] if isinstance(code, str) else ""


class WixApi:
    """One app instance: calls by the name of the endpoint."""

    def __init__(
        self, http: RemoteHttp, endpoints: Mapping[str, tuple[str, str]] = ENDPOINTS
    ) -> None:
        self.http = http
        self._endpoints = endpoints

    def call(self, name: str, *, remote_id: str = "", **options: Any) -> Answer:
        method, path = self._endpoints[name]
        return self.http.call(
            Call(method, path.format(id=quote(remote_id, safe="")), name, **options)
        )

    def app_instance(self) -> Mapping[str, Any]:
        """Get App Instance: a cheap check of a token and of the granted permissions."""
        body = self.call("get_instance").body
        return body if isinstance(body, dict) else {}


class WixRatings:
    """Implements ports.Remote: one record for each attribute that a person has rated."""

    side = Side.WIX
    capabilities = Capabilities(delete_is_final=True)

    def __init__(self, api: WixApi) -> None:
        self._api = api

    def reserve_request(self) -> None:
        self._api.http.reserve_request()

    def record_in(self, payload: Mapping[str, Any]) -> Record | None:
        return record_of_event(payload)

    def get(self, remote_id: str) -> Record | None:
        try:
            answer = self._api.call("get_rating", remote_id=remote_id, outcomes=_gone_on_404)
        except Gone:
            return None
        return _rating_in(answer)

    def find(self, entity: EntityRef, person: Person) -> Sequence[Record]:
        """All attributes that this contact has rated of this entity.

        Only documented filters are sent; ``namespace`` is not among them and is compared here.
        """
        query = {
            "filter": {
                "group": entity.group,
                "entityId": entity.entity_id,
                "owner.contactId": {"$in": [person.contact_id]},
            },
            "sort": OLDEST_FIRST,
        }
        return [record for record in self.query(query) if record.entity == entity]

    def query(self, query: Mapping[str, Any]) -> Iterator[Record]:
        """Query Ratings, page by page."""
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = self.query_page(query, cursor)
            yield from page.records
            cursor = page.cursor
            if cursor is None:
                return
        raise Permanent("Query Ratings has more pages than allowed", reason="paging_too_long")

    def query_page(self, query: Mapping[str, Any], cursor: str | None = None) -> Page:
        """One page; with a cursor only the cursor is sent.

        Raises Permanent for a cursor that repeats.
        """
        ratings, next_cursor = self.export_page(query, cursor)
        return Page([rating_of(rating) for rating in ratings], next_cursor)

    def export_page(
        self, query: Mapping[str, Any], cursor: str | None = None
    ) -> tuple[list[Any], str | None]:
        """The same page as Wix sent it, and the cursor of the next one."""
        paging: dict[str, Any] = {"limit": PAGE_SIZE}
        request = (
            {**query, "cursorPaging": paging}
            if cursor is None
            else {"cursorPaging": paging | {"cursor": cursor}}
        )
        body = self._api.call("query_ratings", json={"query": request}).body
        next_cursor = _next_cursor(body)
        if cursor is not None and next_cursor == cursor:
            raise Permanent("Query Ratings repeats a cursor", reason="paging_repeats")
        return _list_in(body, "ratings"), next_cursor

    def list_page(self, cursor: str | None = None) -> Page:
        """In the order of creation: what is created meanwhile comes last.

        ``updatedDate`` cannot be filtered by.
        """
        return self.query_page({"sort": OLDEST_FIRST}, cursor)

    def create(self, draft: Draft, idempotency_key: str) -> Record:
        ((attribute, value),) = draft.values.items()
        rating = {
            "namespace": draft.entity.namespace,
            "group": draft.entity.group,
            "entityId": draft.entity.entity_id,
            "attributeName": attribute,
            "value": int(value),
            "owner": {"contactId": draft.person.contact_id},
        }
        answer = self._api.call(
            "create_rating",
            json={"rating": rating},
            is_write=True,
            is_idempotent=False,
            outcomes=_create_outcome,
        )
        return _rating_in(answer)

    def update(self, remote_id: str, draft: Draft, revision: int | None) -> Record:
        ((attribute, value),) = draft.values.items()
        rating = {"id": remote_id, "revision": str(revision), "value": int(value)}
        tries: list[int] = []

        def outcome(answer: Answer) -> SyncError | None:
            tries.append(answer.attempts)
            return _update_outcome(answer)

        try:
            return _rating_in(
                self._api.call(
                    "update_rating",
                    remote_id=remote_id,
                    json={"rating": rating},
                    is_write=True,
                    outcomes=outcome,
                )
            )
        except Conflict:
            if (
                max(tries) > 1
                and (ours := self._landed(remote_id, revision, attribute, value)) is not None
            ):
                return ours
            raise

    def _landed(
        self, remote_id: str, revision: int | None, attribute: str, value: Decimal
    ) -> Record | None:
        """After our own retry, a conflict with exactly our change is our first try's success."""
        record = self.get(remote_id)
        is_ours = (
            record is not None
            and record.revision == (revision or 0) + 1
            and record.values == {attribute: value}
        )
        return record if is_ours else None

    def delete(self, remote_id: str, revision: int | None) -> None:
        try:
            self._api.call(
                "delete_rating", remote_id=remote_id, is_write=True, outcomes=_gone_on_404
            )
        except Gone:
            return  # already gone is the outcome we wanted


def _gone_on_404(answer: Answer) -> SyncError | None:
    return Gone() if answer.status == 404 else None


def _create_outcome(answer: Answer) -> SyncError | None:
    """Any 409 and any suspicious code may be a duplicate: the state decides, not the code."""
    code = error_code(answer.body)
    if answer.status == 409 or (
        answer.status < 500 and any(part in code for part in DUPLICATE_CODES)
    ):
        return Duplicate()
    if answer.status in (404, 428):
        return Permanent("Wix does not know this contact", reason="contact_unknown")
    return None


def _update_outcome(answer: Answer) -> SyncError | None:
    if answer.status == 409:
        return Conflict()
    return Gone() if answer.status == 404 else None


def _rating_in(answer: Answer) -> Record:
    rating = answer.body.get("rating") if isinstance(answer.body, dict) else None
    return rating_of(rating)


def _list_in(body: Any, name: str) -> list[Any]:
    found = body.get(name) if isinstance(body, dict) else None
    return found if isinstance(found, list) else []


def _next_cursor(body: Any) -> str | None:
    """Ratings call it ``metadata``, the general documentation ``pagingMetadata``; no ``next`` is
    the end.
    """
    metadata = (
        (body.get("metadata") or body.get("pagingMetadata")) if isinstance(body, dict) else None
    )
    cursors = metadata.get("cursors") if isinstance(metadata, dict) else None
    cursor = cursors.get("next") if isinstance(cursors, dict) else None
    return cursor if isinstance(cursor, str) and cursor else None


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
        """Asked in both spellings, since matching may be case-sensitive; compared
        case-folded here.
        """
        spellings = list(
            dict.fromkeys(
                one for email in emails for one in (email.strip(), normalise_email(email))
            )
        )
        contacts = {
            contact["id"]: contact
            for start in range(0, len(spellings), AT_ONCE)
            for contact in self._query("info.emails.email", spellings[start : start + AT_ONCE])
        }
        found: dict[str, list[tuple[tuple[int, str, str], Contact]]] = {}
        wanted = set(map(normalise_email, emails))
        for contact in contacts.values():
            for address in wanted & set(map(normalise_email, _emails_of(contact))):
                match = Contact(contact["id"], address, _name_of(contact))
                found.setdefault(address, []).append((_rank(contact, address), match))
        return {
            address: [match for _, match in sorted(ranked, key=lambda one: one[0])]
            for address, ranked in found.items()
        }

    def _query(self, field: str, values: Sequence[str]) -> list[dict[str, Any]]:
        """All contacts with one of these values, by pages (the offset kind)."""
        found: list[dict[str, Any]] = []
        try:
            while True:
                query = {
                    "filter": {field: {"$in": list(values)}},
                    "sort": OLDEST_FIRST,
                    "paging": {"limit": CONTACTS_PAGE_SIZE, "offset": len(found)},
                    "fieldsets": ["BASIC", "COMMUNICATION_DETAILS"],
                }
                page = _list_in(
                    self._api.call("query_contacts", json={"query": query}).body, "contacts"
                )
                found += page
                if len(page) < CONTACTS_PAGE_SIZE:
                    break
        except Permanent as refusal:
            # The current SDK types list only the primary address as a filter.
            if field == "info.emails.email" and refusal.facts.code.startswith("UNSUPPORTED_FILTER"):
                return self._query("primaryInfo.email", values)
            raise
        return [one for one in found if isinstance(one, dict) and isinstance(one.get("id"), str)]

    def by_ids(self, contact_ids: Sequence[str]) -> Mapping[str, Contact]:
        """Query Contacts filters by ``id`` (``$in``): Wix's page "Contacts: Supported Filters,
        Sorting, and Search".
        """
        return {
            known.contact_id: known
            for start in range(0, len(contact_ids), AT_ONCE)
            for contact in self._query("id", contact_ids[start : start + AT_ONCE])
            if (known := _contact_of(contact)) is not None
        }

    def by_id(self, contact_id: str) -> Contact | None:
        """Get Contact is the only call that understands ids that were merged away."""
        try:
            body = self._api.call("get_contact", remote_id=contact_id, outcomes=_gone_on_404).body
        except Gone:
            return None
        return _contact_of(body.get("contact") if isinstance(body, dict) else None)

    def by_member(self, member_id: str) -> Contact | None:
        try:
            body = self._api.call("get_member", remote_id=member_id, outcomes=_gone_on_404).body
        except Gone:
            return None
        member = body.get("member") if isinstance(body, dict) else None
        if not isinstance(member, dict) or not isinstance(member.get("contactId"), str):
            return None
        email = member.get("loginEmail")
        return Contact(
            member["contactId"], email.strip().casefold() if isinstance(email, str) else None
        )

    def create(self, email: str, name: str | None) -> Contact:
        info = {
            "name": {"first": name or email.partition("@")[0]},
            "emails": {"items": [{"tag": "MAIN", "email": email, "primary": True}]},
        }
        request = {"info": info, "allowDuplicates": False}
        try:
            body = self._api.call(
                "create_contact", json=request, is_write=True, outcomes=_contact_outcome
            ).body
        except Duplicate as duplicate:
            found = self.by_id(duplicate.remote_id) if duplicate.remote_id else self.by_email(email)
            if found is None:
                raise Permanent(
                    "Wix says the contact exists but does not show it", reason="contact_unknown"
                ) from None
            return Contact(found.contact_id, email, found.name)
        contact = _contact_of(body.get("contact") if isinstance(body, dict) else None)
        if contact is None:
            raise Permanent("Wix created a contact without an id", reason="contact_unknown")
        return Contact(contact.contact_id, email, name)


def _contact_outcome(answer: Answer) -> SyncError | None:
    """One guide prints the code without its last S, so the prefix decides."""
    if not error_code(answer.body).startswith("DUPLICATE_CONTACT_EXIST"):
        return None
    details: Any = answer.body["details"]["applicationError"].get("data")
    known = details.get("duplicateContactId") if isinstance(details, dict) else None
    return Duplicate(remote_id=known if isinstance(known, str) else None)


def _rank(contact: Mapping[str, Any], email: str) -> tuple[int, str, str]:
    """Primary match before secondary, then the oldest, then the smallest id."""
    primary = _primary_of(contact)
    is_primary = primary is not None and normalise_email(primary) == email
    return (0 if is_primary else 1), str(contact.get("createdDate", "")), contact["id"]


def _emails_of(contact: Mapping[str, Any]) -> list[str]:
    info = contact.get("info")
    emails = info.get("emails") if isinstance(info, dict) else None
    items = emails.get("items") if isinstance(emails, dict) else None
    found = (
        [item.get("email") for item in items if isinstance(item, dict)]
        if isinstance(items, list)
        else []
    )
    return [one.strip() for one in [_primary_of(contact), *found] if isinstance(one, str)]


def _primary_of(contact: Mapping[str, Any]) -> str | None:
    primary = contact.get("primaryInfo")
    email = primary.get("email") if isinstance(primary, dict) else None
    return email if isinstance(email, str) else None


def _name_of(contact: Mapping[str, Any]) -> str | None:
    info = contact.get("info")
    name = info.get("name") if isinstance(info, dict) else None
    parts = [name.get("first"), name.get("last")] if isinstance(name, dict) else []
    return " ".join(part for part in parts if isinstance(part, str)) or None


def _contact_of(contact: Any) -> Contact | None:
    if not isinstance(contact, dict) or not isinstance(contact.get("id"), str):
        return None
    emails = _emails_of(contact)
    return Contact(contact["id"], emails[0].casefold() if emails else None, _name_of(contact))
