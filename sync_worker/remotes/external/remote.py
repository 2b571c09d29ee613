"""An external system behind its manifest; implements ports.Remote."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog

from sync_worker.core.errors import (
    Conflict,
    Gone,
    Misconfigured,
    Permanent,
    Unconfirmed,
    UnknownOutcome,
)
from sync_worker.core.ports.remote import Capabilities, Page
from sync_worker.core.values import Draft, EntityRef, Person, Record, RecordState, Side
from sync_worker.manifest.drafts import keep_items, write_context
from sync_worker.manifest.incremental import newest_of, since_query
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.pagination import (
    ParentPlace,
    Place,
    parent_place_of,
    place_of,
    place_text,
)
from sync_worker.manifest.record_reader import (
    context_of,
    created_at,
    read_record,
    read_remote_id,
    read_subject,
    search,
)
from sync_worker.manifest.record_writer import filled, merged_over
from sync_worker.manifest.schema.calls import OperationSpec
from sync_worker.remotes.external.calls import ExternalCalls, Handler, Options
from sync_worker.remotes.http.client import RemoteHttp

LAST = datetime.max.replace(tzinfo=UTC)

log = structlog.get_logger(__name__)


class ExternalRemote:
    """One account of one external system."""

    side = Side.EXTERNAL

    def __init__(
        self,
        manifest: Manifest,
        http: RemoteHttp,
        handlers: Mapping[str, Handler] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._manifest, self._now = manifest, now
        self._calls = ExternalCalls(manifest, http, handlers)
        self._capabilities = manifest.capabilities

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def reserve_request(self) -> None:
        self._calls.reserve_request()

    def record_in(self, payload: Mapping[str, Any]) -> Record | None:
        webhook = self._manifest.webhook
        if webhook is None or not webhook.trusts_payload or webhook.record_path is None:
            return None
        resource = search(webhook.record_path, payload)
        return read_record(self._manifest, resource) if resource is not None else None

    def probe(self) -> bool:
        """One harmless call, to see whether address and credentials work; false if none is
        declared.
        """
        for name in ("probe", "list"):
            spec = getattr(self._manifest.operations, name)
            if spec is None or (name == "list" and self._manifest.lists_by_parent):
                continue
            self._calls.resource(name, self._with_conn({})) if name == "probe" else self.list_page()
            return True
        return False

    # -- reading

    def get(self, remote_id: str) -> Record | None:
        context = self._with_conn(context_of(self._manifest, remote_id))
        if self._manifest.operations.get is None:
            return self._listed(remote_id, context)
        try:
            resource = self._calls.resource("get", context)
        except Gone:
            return None
        if resource is None and not isinstance(self._manifest.operations.get, OperationSpec):
            return None  # a named hook found nothing
        return _alive(read_record(self._manifest, resource, context))

    def _listed(self, remote_id: str, context: Mapping[str, Any]) -> Record | None:
        """A record of a system that gives none by id.

        If deletes are never told, a missing one may be hidden.
        """

        def is_it(item: Any) -> bool:
            return read_remote_id(self._manifest, item, context) == remote_id

        found = next(
            (one for one in self._records("list", context, is_it) if one.remote_id == remote_id),
            None,
        )
        webhook = self._manifest.webhook
        tells_deletes = webhook is not None and any(
            rule.change == "delete" for rule in webhook.events
        )
        if found is None and not tells_deletes:
            raise Permanent("the listing does not show this record", reason="not_listed")
        return _alive(found)

    def find(self, entity: EntityRef, person: Person) -> Sequence[Record]:
        """Filters that a system does not know would return everything: every row is compared again.

        A row that cannot be read is an error only if it may be this person's: else one would block
        all others.
        """
        name = "find" if self._manifest.operations.find is not None else "list"
        if name == "list" and not self._manifest.lists_by_parent:
            self._calls.spec("find")  # it is not there: this raises
        context = self._with_conn(
            {"entity": _entity_context(entity), "contact": _contact_context(person)}
        )

        def may_be_theirs(item: Any) -> bool:
            subject, email = read_subject(self._manifest, item, context)
            return email == person.email and (
                subject is None or subject.entity_id == entity.entity_id
            )

        found = [
            record
            for record in self._records(name, context, may_be_theirs)
            if record.entity is not None
            and (record.entity.entity_id, record.person.email) == (entity.entity_id, person.email)
            and record.state is not RecordState.DELETED
        ]
        return sorted(found, key=lambda record: created_at(self._manifest, record.raw) or LAST)

    def children(self, parent_id: str) -> Iterator[Record]:
        """Every record of one parent (a product), whatever its state.

        Raises Misconfigured where records have none.
        """
        if not self._manifest.lists_by_parent:
            raise Misconfigured(f"connector {self._manifest.id} lists no records by parent")
        return self._records(
            "list", self._with_conn({"entity": {"external_id": parent_id, "group": ""}}), _none
        )

    def _records(
        self, name: str, context: Mapping[str, Any], matters: Callable[[Any], bool]
    ) -> Iterator[Record]:
        """``matters``: of a row that cannot be read, whether that is an error."""
        place: Place | None = Place()
        while place is not None:
            records, _, place = self._read_page(name, context, place, matters=matters)
            yield from records

    def _read_page(
        self,
        name: str,
        context: Mapping[str, Any],
        place: Place,
        more: Mapping[str, str] | None = None,
        *,
        matters: Callable[[Any], bool],
    ) -> tuple[list[Record], int, Place | None]:
        """Records of a page, how many rows were unreadable, and where it goes on.

        A parent that is gone has none.
        """
        try:
            page = self._calls.page(name, context, place, more)
        except Gone:
            return [], 0, None
        records, unreadable = [], 0
        for item in page.items:
            try:
                records.append(read_record(self._manifest, item, context))
            except Permanent as error:
                if matters(item):
                    raise
                unreadable += 1
                log.warning("record_unreadable", remote=self._manifest.id, reason=error.message)
        return records, unreadable, page.place

    def list_page(self, cursor: str | None = None) -> Page:
        """One call for each page.

        A row that cannot be read is left out and counted: a look by id tells more.
        """
        return self._page(cursor, {})

    def changed_page(self, since: datetime | None, cursor: str | None = None) -> Page:
        """The same of what changed since a time, for Connection.changed; of everything where that
        cannot be asked.
        """
        poll = self._manifest.operations.poll
        incremental = poll.incremental if poll is not None else None
        if incremental is None:
            return self._page(cursor, {})
        page = self._page(cursor, {} if since is None else since_query(incremental, since))
        return replace(page, newest=newest_of(self._manifest, incremental, page.records))

    def _page(self, cursor: str | None, more: Mapping[str, str]) -> Page:
        if self._manifest.operations.list is None:
            raise Misconfigured(
                f"connector {self._manifest.id} declares no operation `list`: nothing can be listed"
            )
        if self._manifest.lists_by_parent:
            place = ParentPlace() if cursor is None else parent_place_of(cursor)
            return self._parent_page(place, more, is_first=cursor is None)
        return self._own_page(Place() if cursor is None else place_of(cursor), more)

    def _own_page(self, place: Place, more: Mapping[str, str]) -> Page:
        records, unreadable, following = self._read_page(
            "list", self._with_conn({}), place, more, matters=_none
        )
        return Page(records, place_text(following) if following else None, unreadable)

    def _parent_page(self, place: ParentPlace, more: Mapping[str, str], *, is_first: bool) -> Page:
        """The next page of the first parent left; with none left, the next page of parents."""
        if not place.left:
            place = self._next_parents(Place() if is_first else place.parents)
            return Page((), place_text(place) if place.left or place.parents else None)
        context = self._with_conn({"entity": {"external_id": place.left[0], "group": ""}})
        records, unreadable, child = self._read_page(
            "list", context, place.child or Place(), more, matters=_none
        )
        place = replace(place, child=child, left=place.left if child else place.left[1:])
        return Page(records, place_text(place) if place.left or place.parents else None, unreadable)

    def _next_parents(self, place: Place | None) -> ParentPlace:
        spec = self._manifest.operations.parents
        if spec is None:
            raise Misconfigured(
                f"connector {self._manifest.id} lists records of one product only; declare"
                " operations.parents"
            )
        if place is None:
            return ParentPlace()
        page = self._calls.page("parents", self._with_conn({}), place)
        chosen = [item for item in page.items if spec.when is None or search(spec.when, item)]
        ids = [search(spec.id_path, item) for item in chosen]
        return ParentPlace(tuple(str(one) for one in ids if one is not None), None, page.place)

    # -- writing

    def create(self, draft: Draft, idempotency_key: str) -> Record:
        spec = self._calls.spec("create")
        header = spec.idempotency_header if isinstance(spec, OperationSpec) else None
        context = self._write_context(draft, idempotency_key=idempotency_key)
        options = Options(
            headers={header: idempotency_key} if header else {},
            is_write=True,
            is_idempotent=header is not None,
        )
        resource = self._calls.resource("create", context, options)
        if self._capabilities.create_is_async:
            raise Unconfirmed
        return self._written(resource, context)

    def update(self, remote_id: str, draft: Draft, revision: int | None) -> Record:
        spec = self._calls.spec("update")
        known = context_of(self._manifest, remote_id)
        context = self._write_context(draft, known=known, revision=revision)
        options = Options(is_write=True, is_idempotent=self._capabilities.update_precondition)
        if isinstance(spec, OperationSpec) and spec.body is not None:
            options.body = self._update_body(spec, draft, context)
        try:
            resource = self._calls.resource("update", context, options)
        except Conflict:
            if options.tries > 1 and (ours := self._landed(remote_id, draft, revision)) is not None:
                return ours
            raise
        if resource is None:  # some systems answer an update with nothing
            return self._seen_again(remote_id)
        return self._written(resource, context)

    def _update_body(self, spec: OperationSpec, draft: Draft, context: Mapping[str, Any]) -> Any:
        """Our fields; for a full update over the record as last returned."""
        body = filled(spec.body, context)
        keep_items(self._manifest, draft, body)
        if self._manifest.operations.update_mode == "patch":
            return body
        kept = {
            key: value
            for key, value in draft.last.items()
            if key not in self._manifest.operations.read_only
        }
        return merged_over(kept, body)

    def _landed(self, remote_id: str, draft: Draft, revision: int | None) -> Record | None:
        """After our own retry, a conflict with exactly our change is our first try's success."""
        record = self.get(remote_id)
        if record is None or revision is None or record.revision != revision + 1:
            return None
        return (
            record
            if all(record.values.get(name) == value for name, value in draft.values.items())
            else None
        )

    def _seen_again(self, remote_id: str) -> Record:
        record = self.get(remote_id)
        if record is None:
            raise Gone
        return record

    def _written(self, resource: Any, context: Mapping[str, Any]) -> Record:
        """The record that a write returned.

        The write has happened, so an answer that cannot be read is no refusal.
        """
        try:
            return read_record(self._manifest, resource, context)
        except Permanent as error:
            raise UnknownOutcome(
                f"the write was accepted, but its answer is no record: {error.message}"
            ) from None

    def delete(self, remote_id: str, revision: int | None) -> None:
        context = self._with_conn(
            {**context_of(self._manifest, remote_id), "rating": {"revision": revision}}
        )
        try:
            self._calls.resource("delete", context, Options(is_write=True))
        except Gone:
            return  # already gone is the outcome we wanted

    # -- what calls are filled from

    def _with_conn(self, context: Mapping[str, Any]) -> dict[str, Any]:
        return {"conn": self._manifest.conn, **context}

    def _write_context(
        self,
        draft: Draft,
        *,
        known: Mapping[str, Any] | None = None,
        revision: int | None = None,
        idempotency_key: str = "",
    ) -> dict[str, Any]:
        return self._with_conn(
            {
                **write_context(self._manifest, draft, revision=revision, now=self._now()),
                "entity": _entity_context(draft.entity),
                "key": (known or {}).get("key", {}),
                "sync": {"wix_id": draft.source_id, "idempotency_key": idempotency_key},
            }
        )


def _none(item: Any) -> bool:
    return False


def _alive(record: Record | None) -> Record | None:
    return None if record is None or record.state is RecordState.DELETED else record


def _entity_context(entity: EntityRef) -> dict[str, Any]:
    return {"external_id": entity.entity_id, "group": entity.group}


def _contact_context(person: Person) -> dict[str, Any]:
    return {"email": person.email, "name": person.name, "wix_id": person.contact_id}
