"""Wix ratings, one record for each attribute that a person has rated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import structlog

from sync_worker.core.errors import (
    Conflict,
    Duplicate,
    Gone,
    Permanent,
    SyncError,
    Transient,
    UnknownOutcome,
)
from sync_worker.core.pages_seen import PagesSeen
from sync_worker.core.ports.remote import Capabilities, Page
from sync_worker.core.values import Draft, EntityRef, Person, Record, Side
from sync_worker.remotes.http.calls import Answer
from sync_worker.remotes.landed import refuse_living, update_met_by_itself
from sync_worker.remotes.wix.answers import (
    application_code,
    error_code,
    gone_if_said,
    inside,
    listed_in,
)
from sync_worker.remotes.wix.api import OLDEST_FIRST, WixApi
from sync_worker.remotes.wix.events import rating_of, record_of_event

# The most that Query Ratings gives.
PAGE_SIZE = 100
LISTING = "Query Ratings of Wix, by cursor"
_gone = gone_if_said("RATING", "ENTITY", "ITEM")
# The exact code is not documented.
DUPLICATE_CODES = ("ALREADY_EXIST", "DUPLICATE", "ALREADY_RATED")


log = structlog.get_logger(__name__)


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
            answer = self._api.call("get_rating", remote_id=remote_id, outcomes=_gone)
        except Gone:
            return None
        rating = inside(answer.body, "rating")
        # An empty answer, JSON's null, a list: no word for "gone".
        if not isinstance(rating, Mapping):
            raise Transient("Wix answered a get without a rating")
        return rating_of(rating)

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
        seen = PagesSeen(LISTING)
        while True:
            page = self.query_page(query, cursor)
            # One of them may be what is looked for: to leave it out would look like its absence.
            if page.unreadable:
                raise Permanent("a rating cannot be read", reason="malformed_record")
            yield from page.records
            cursor = page.cursor
            if cursor is None:
                return
            seen.add(record.remote_id for record in page.records)

    def query_page(self, query: Mapping[str, Any], cursor: str | None = None) -> Page:
        """One page; with a cursor only the cursor is sent.

        A row that cannot be read is left out and counted: a look by id tells more. Raises Permanent
        for a cursor that repeats.
        """
        ratings, next_cursor = self.export_page(query, cursor)
        records = []
        for rating in ratings:
            try:
                records.append(rating_of(rating))
            except Permanent as error:
                log.warning("record_unreadable", remote="wix", reason=error.message)
        return Page(records, next_cursor, len(ratings) - len(records))

    def export_page(
        self, query: Mapping[str, Any], cursor: str | None = None
    ) -> tuple[list[Any], str | None]:
        """The same page as Wix sent it, and the cursor of the next one."""
        request: Mapping[str, Any]
        if cursor is None:
            request = {**query, "cursorPaging": {"limit": PAGE_SIZE}}
        else:  # filter and sort are in the cursor
            request = {"cursorPaging": {"limit": PAGE_SIZE, "cursor": cursor}}
        body = self._api.call("query_ratings", json={"query": request}).body
        ratings = listed_in(body, "ratings")
        next_cursor = _next_cursor(body)
        if cursor is not None and next_cursor == cursor:
            raise Permanent("Query Ratings repeats a cursor", reason="paging_repeats")
        return ratings, next_cursor

    def list_page(self, cursor: str | None = None) -> Page:
        """In the order of creation: what is created meanwhile comes last.

        ``updatedDate`` cannot be filtered by.
        """
        return self.query_page({"sort": OLDEST_FIRST}, cursor)

    def probe(self) -> bool:
        """A query of one row: whether Wix accepts our token and lets us read ratings."""
        self._api.call("query_ratings", json={"query": {"cursorPaging": {"limit": 1}}})
        return True

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
            # Wix takes no idempotency key: after a lost answer the engine looks for the rating.
            is_idempotent=False,
            outcomes=_create_outcome,
        )
        return _rating_in(answer)

    def update(self, remote_id: str, draft: Draft, revision: int | None) -> Record:
        (value,) = draft.values.values()
        # Wix writes 64-bit numbers as text.
        rating = {"id": remote_id, "revision": str(revision), "value": int(value)}
        try:
            answer = self._api.call(
                "update_rating",
                remote_id=remote_id,
                json={"rating": rating},
                is_write=True,
                outcomes=_update_outcome,
            )
        except UnknownOutcome as unknown:
            look = partial(self.get, remote_id)
            return update_met_by_itself(unknown, look, draft.values, revision)
        return _rating_in(answer)

    def delete(self, remote_id: str, revision: int | None) -> None:
        try:
            # Wix takes no revision here: whoever deletes has looked before.
            answer = self._api.call(
                "delete_rating", remote_id=remote_id, is_write=True, outcomes=_gone
            )
        except Gone:
            return  # already gone is the outcome we wanted
        except UnknownOutcome as unknown:
            # The try after a lost one says that it is gone.
            if not isinstance(unknown.later, Gone):
                raise
            return
        # Its success is an empty object; an error or a page of a proxy may come with a 200, too.
        if answer.body == {}:
            return
        refuse_living(partial(self.get, remote_id))


def _create_outcome(answer: Answer) -> SyncError | None:
    """Any 409 and any suspicious code may be a duplicate: the state decides, not the code."""
    code = error_code(answer.body)
    is_suspicious = any(part in code for part in DUPLICATE_CODES)
    if answer.status == 409 or (answer.status < 500 and is_suspicious):
        return Duplicate()
    # Which status an unknown owner gets is not documented; a 404 without a code is an outage.
    if answer.status == 428 or (answer.status == 404 and application_code(answer.body)):
        return Permanent("Wix does not know this contact", reason="contact_unknown")
    return None


def _update_outcome(answer: Answer) -> SyncError | None:
    if answer.status == 409:
        # The rating has another revision than the draft was made for.
        return Conflict()
    return _gone(answer)


def _rating_in(answer: Answer) -> Record:
    """The rating that a write returned. Raises UnknownOutcome: the write was accepted."""
    try:
        return rating_of(inside(answer.body, "rating"))
    except Permanent as error:
        message = f"Wix accepted the write, but its answer is no rating: {error.message}"
        raise UnknownOutcome(message) from None


def _next_cursor(body: Any) -> str | None:
    """Ratings call it ``metadata``, the general documentation ``pagingMetadata``.

    No ``next`` is the end.
    """
    metadata = inside(body, "metadata") or inside(body, "pagingMetadata")
    cursor = inside(metadata, "cursors", "next")
    return cursor if isinstance(cursor, str) and cursor else None
