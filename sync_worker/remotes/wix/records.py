"""What the calls for ratings and for reviews have in common: by id, by pages, under a revision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
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
from sync_worker.core.ports.remote import Page
from sync_worker.core.values import Draft, Record, Side
from sync_worker.remotes.http.calls import Answer
from sync_worker.remotes.landed import refuse_living, update_met_by_itself
from sync_worker.remotes.wix.answers import application_code, error_code, inside, listed_in
from sync_worker.remotes.wix.api import OLDEST_FIRST, WixApi

# The most that a query gives of ratings and of reviews.
PAGE_SIZE = 100
# The exact code is not documented.
DUPLICATE_CODES = ("ALREADY_EXIST", "DUPLICATE", "ALREADY_RATED")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of records: what its calls and its parts of bodies are named, and how it is read.

    ``has_deleted``: whether the answer to a delete, and of what id, says that it was carried out.
    ``gone``: gone, in the words of Wix. ``every``: the query for all of them. ``by_id``: what a
    read by id says in its address; ``beside``: what a query says beside the query itself.
    """

    one: str
    many: str
    listing: str
    read: Callable[[Any], Record]
    has_deleted: Callable[[Any, str], bool]
    gone: Callable[[Answer], SyncError | None]
    every: Mapping[str, Any] = field(default_factory=lambda: {"sort": OLDEST_FIRST})
    by_id: Mapping[str, str] | None = None
    beside: Mapping[str, Any] = field(default_factory=dict)


class WixRecords:
    """The records of one kind on one site: what both kinds have of the port ``Remote``."""

    side = Side.WIX

    def __init__(self, api: WixApi, kind: Kind) -> None:
        self._api, self._kind = api, kind

    def reserve_request(self) -> None:
        self._api.http.reserve_request()

    # -- reading

    def get(self, remote_id: str) -> Record | None:
        kind = self._kind
        try:
            answer = self._api.call(
                f"get_{kind.one}", remote_id=remote_id, query=kind.by_id, outcomes=kind.gone
            )
        except Gone:
            return None
        found = inside(answer.body, kind.one)
        # An empty answer, JSON's null, a list: no word for "gone".
        if not isinstance(found, Mapping):
            raise Transient(f"Wix answered a get without a {kind.one}")
        return kind.read(found)

    def query(self, query: Mapping[str, Any]) -> Iterator[Record]:
        """All records that a query finds, page by page."""
        cursor: str | None = None
        seen = PagesSeen(self._kind.listing)
        while True:
            page = self.query_page(query, cursor)
            # One of them may be what is looked for: to leave it out would look like its absence.
            if page.unreadable:
                raise Permanent(f"a {self._kind.one} cannot be read", reason="malformed_record")
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
        rows, next_cursor = self.export_page(query, cursor)
        records = []
        for row in rows:
            try:
                records.append(self._kind.read(row))
            except Permanent as error:
                log.warning("record_unreadable", remote="wix", reason=error.message)
        return Page(records, next_cursor, len(rows) - len(records))

    def export_page(
        self, query: Mapping[str, Any], cursor: str | None = None
    ) -> tuple[list[Any], str | None]:
        """The same page as Wix sent it, and the cursor of the next one."""
        request: Mapping[str, Any]
        if cursor is None:
            request = {**query, "cursorPaging": {"limit": PAGE_SIZE}}
        else:  # filter and sort are in the cursor
            request = {"cursorPaging": {"limit": PAGE_SIZE, "cursor": cursor}}
        body = self._query(request)
        rows = listed_in(body, self._kind.many)
        next_cursor = _next_cursor(body)
        if cursor is not None and next_cursor == cursor:
            raise Permanent(f"{self._kind.listing}: a cursor repeats", reason="paging_repeats")
        return rows, next_cursor

    def list_page(self, cursor: str | None = None) -> Page:
        """In the order of creation: what is created meanwhile comes last.

        ``updatedDate`` cannot be filtered by.
        """
        return self.query_page(self._kind.every, cursor)

    def probe(self) -> bool:
        """A query of one row: whether Wix accepts our token and lets us read."""
        self._query({"sort": OLDEST_FIRST, "cursorPaging": {"limit": 1}})
        return True

    def _query(self, request: Mapping[str, Any]) -> Any:
        body = {"query": request, **self._kind.beside}
        return self._api.call(f"query_{self._kind.many}", json=body).body

    # -- writing

    def _create(self, record: Mapping[str, Any]) -> Record:
        """Raises what ``Remote.create`` raises."""
        one = self._kind.one
        answer = self._api.call(
            f"create_{one}",
            json={one: record},
            is_write=True,
            # Wix takes no idempotency key: after a lost answer the engine looks for the record.
            is_idempotent=False,
            outcomes=_create_outcome,
        )
        return self._written(answer)

    def _update(
        self, remote_id: str, changes: Mapping[str, Any], draft: Draft, revision: int | None
    ) -> Record:
        """``draft``: what the record shall show then. Raises what ``Remote.update`` raises."""
        one = self._kind.one
        # Wix writes 64-bit numbers as text.
        record = {"id": remote_id, "revision": str(revision), **changes}
        try:
            answer = self._api.call(
                f"update_{one}",
                remote_id=remote_id,
                json={one: record},
                is_write=True,
                outcomes=self._update_outcome,
            )
        except UnknownOutcome as unknown:
            return update_met_by_itself(unknown, partial(self.get, remote_id), draft, revision)
        return self._written(answer)

    def delete(self, remote_id: str, revision: int | None) -> None:
        kind = self._kind
        try:
            # Wix takes no revision here: whoever deletes has looked before.
            answer = self._api.call(
                f"delete_{kind.one}", remote_id=remote_id, is_write=True, outcomes=kind.gone
            )
        except Gone:
            return  # already gone is the outcome we wanted
        except UnknownOutcome as unknown:
            # The try after a lost one says that it is gone.
            if not isinstance(unknown.later, Gone):
                raise
            return
        # An error or a page of a proxy may come with a 200, too.
        if not kind.has_deleted(answer.body, remote_id):
            refuse_living(partial(self.get, remote_id), may_hide=False)

    def _written(self, answer: Answer) -> Record:
        """The record that a write returned. Raises UnknownOutcome: the write was accepted."""
        try:
            return self._kind.read(inside(answer.body, self._kind.one))
        except Permanent as error:
            message = f"Wix accepted the write, but its answer is none: {error.message}"
            raise UnknownOutcome(message) from None

    def _update_outcome(self, answer: Answer) -> SyncError | None:
        if answer.status == 409:
            # The record has another revision than the draft was made for.
            return Conflict()
        return self._kind.gone(answer)


def _create_outcome(answer: Answer) -> SyncError | None:
    """Any 409 and any suspicious code may be a duplicate: the state decides, not the code."""
    if answer.status == 409 or (answer.status < 500 and is_duplicate_code(error_code(answer.body))):
        return Duplicate()
    # Which status an unknown owner gets is not documented; a 404 without a code is an outage.
    if answer.status == 428 or (answer.status == 404 and application_code(answer.body)):
        return Permanent("Wix does not know this contact", reason="contact_unknown")
    return None


def is_duplicate_code(code: str) -> bool:
    """Whether an error of Wix may say that there is such a record already."""
    return any(part in code for part in DUPLICATE_CODES)


def _next_cursor(body: Any) -> str | None:
    """Ratings and reviews call it ``metadata``, the general documentation ``pagingMetadata``.

    No ``next`` is the end.
    """
    metadata = inside(body, "metadata") or inside(body, "pagingMetadata")
    cursor = inside(metadata, "cursors", "next")
    return cursor if isinstance(cursor, str) and cursor else None
