"""Listings of an external system: its records page by page, its own pages or parent by parent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import structlog

from sync_worker.core.errors import Gone, GoneUnsaid, Misconfigured, Permanent
from sync_worker.core.ports.remote import Page
from sync_worker.core.values import Record
from sync_worker.manifest.field_values import search
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.paging.incremental import newest_of, since_query
from sync_worker.manifest.paging.places import (
    ParentPlace,
    Place,
    parent_place_of,
    place_of,
    place_text,
)
from sync_worker.manifest.record_reader import read_record, read_remote_id
from sync_worker.remotes.external.calls import ExternalCalls

Matters = Callable[[Any], bool]  # of a row that cannot be read, whether that is an error

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Records of one answer, how many rows were unreadable, and where the listing goes on.

    ``why``: the first of those was.
    """

    records: list[Record]
    unreadable: int
    following: Place | None
    why: str = ""


class Listing:
    """What a system can list. Errors as for ``Remote``."""

    def __init__(self, manifest: Manifest, calls: ExternalCalls) -> None:
        self._manifest, self._calls = manifest, calls

    def page(self, cursor: str | None) -> Page:
        """One call for each page.

        A row that cannot be read is left out and counted: a look by id tells more.
        """
        return self._page(cursor, {})

    def changed_page(self, since: datetime | None, cursor: str | None) -> Page:
        """The same of what changed since a time; of everything where that cannot be asked."""
        poll = self._manifest.operations.poll
        incremental = poll.incremental if poll is not None else None
        if incremental is None:
            return self._page(cursor, {})
        more = {} if since is None else since_query(incremental, since)
        page = self._page(cursor, more)
        now = datetime.now(UTC)
        return replace(page, newest=newest_of(self._manifest, incremental, page.records, now))

    def children(self, parent_id: str) -> Iterator[Record]:
        """Every record of one parent (a product), whatever its state.

        Raises Misconfigured where records have none.
        """
        if not self._manifest.lists_by_parent:
            raise Misconfigured(f"connector {self._manifest.id} lists no records by parent")
        return self.records("list", self._of_parent(parent_id), _never)

    def records(self, name: str, context: Mapping[str, Any], matters: Matters) -> Iterator[Record]:
        """All records that an operation lists, page after page."""
        place: Place | None = Place()
        while place is not None:
            rows = self._rows(name, context, place, matters=matters)
            yield from rows.records
            place = rows.following

    def _page(self, cursor: str | None, more: Mapping[str, str]) -> Page:
        """``more``: query parameters besides the declared ones."""
        if self._manifest.operations.list is None:
            raise Misconfigured(
                f"connector {self._manifest.id} declares no operation `list`: nothing can be listed"
            )
        if self._manifest.lists_by_parent:
            return self._page_by_parent(cursor, more)
        place = Place() if cursor is None else place_of(cursor)
        rows = self._rows("list", self._calls.context(), place, more)
        text = None if rows.following is None else place_text(rows.following)
        return Page(rows.records, text, rows.unreadable, why_unreadable=rows.why)

    def _page_by_parent(self, cursor: str | None, more: Mapping[str, str]) -> Page:
        """The next page of the first parent left; with none left, the next page of parents."""
        place = ParentPlace() if cursor is None else parent_place_of(cursor)
        if not place.left:
            # A page of parents brings no records. So each step stays one call.
            parents = Place() if cursor is None else place.parents
            following = ParentPlace() if parents is None else self._parents(parents)
            return Page((), _cursor_of(following))
        context = self._of_parent(place.left[0])
        rows = self._rows("list", context, place.child or Place(), more)
        # The last page of a parent takes it off the list.
        left = place.left if rows.following else place.left[1:]
        following = replace(place, child=rows.following, left=left)
        cursor = _cursor_of(following)
        return Page(rows.records, cursor, rows.unreadable, why_unreadable=rows.why)

    def _parents(self, place: Place) -> ParentPlace:
        spec = self._manifest.operations.parents
        if spec is None:
            raise Misconfigured(
                f"connector {self._manifest.id} lists records of one product only; declare"
                " operations.parents"
            )
        page = self._calls.page(
            "parents", self._calls.context(), place, lambda item: _text(search(spec.id_path, item))
        )
        chosen = [item for item in page.items if spec.when is None or search(spec.when, item)]
        ids = [search(spec.id_path, item) for item in chosen]
        left = tuple(str(parent_id) for parent_id in ids if parent_id is not None)
        return ParentPlace(left, None, page.place)

    def _of_parent(self, parent_id: str) -> dict[str, Any]:
        return self._calls.context(entity={"external_id": parent_id, "group": ""})

    def _rows(
        self,
        name: str,
        context: Mapping[str, Any],
        place: Place,
        more: Mapping[str, str] | None = None,
        *,
        matters: Matters = lambda item: False,
    ) -> _Rows:
        try:
            page = self._calls.page(
                name,
                context,
                place,
                lambda item: read_remote_id(self._manifest, item, context),
                more,
            )
        except Gone:
            return _Rows([], 0, None)  # a parent that is gone has no records
        except GoneUnsaid:
            # Of the records that are missing then each is looked at by its id. A search decides
            # whether we create.
            if name == "find":
                raise
            return _Rows([], 0, None)
        records, unreadable, why = [], 0, ""
        for item in page.items:
            try:
                records.append(read_record(self._manifest, item, context))
            except Permanent as error:
                # The row may be what is looked for: leaving it out would look like its absence.
                if matters(item):
                    raise
                unreadable += 1
                why = why or error.message
                log.warning("record_unreadable", remote=self._manifest.id, reason=error.message)
        return _Rows(records, unreadable, page.place, why)


def _text(found: Any) -> str | None:
    return None if found is None else str(found)


def _never(item: Any) -> bool:
    return False


def _cursor_of(place: ParentPlace) -> str | None:
    """Where the next page begins; ``None`` when no parent is left, now or on a further page."""
    return place_text(place) if place.left or place.parents else None
