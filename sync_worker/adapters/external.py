"""An external system behind its manifest; implements ports.Remote."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sync_worker.adapters.http import Answer, Call, RemoteHttp
from sync_worker.connector.manifest import ErrorRule, Manifest, OperationSpec
from sync_worker.connector.reading import MAIN_FIELD, key_of, read_record
from sync_worker.connector.writing import filled, merged_over, query_of, url_path
from sync_worker.errors import (
    Conflict,
    Duplicate,
    Gone,
    Misconfigured,
    Permanent,
    RateLimited,
    SyncError,
    Transient,
)
from sync_worker.model import Draft, EntityRef, Person, Record, RecordState, Side
from sync_worker.ports import Capabilities, Page


class ExternalRemote:
    """One account of one external system."""

    side = Side.EXTERNAL

    def __init__(self, manifest: Manifest, http: RemoteHttp) -> None:
        self._manifest, self._http = manifest, http
        self._capabilities = manifest.capabilities

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def prepay(self) -> None:
        self._http.prepay()

    def record_in(self, payload: Mapping[str, Any]) -> Record | None:
        webhook = self._manifest.webhook
        if not webhook.trusts_payload or webhook.record_path is None:
            return None
        resource = webhook.record_path.search(payload)
        return read_record(self._manifest, resource) if resource is not None else None

    def probe(self) -> None:
        """One harmless call, to see whether address and credentials work."""
        if self._manifest.operations.probe is not None:
            self._call("probe", {})

    def get(self, remote_id: str) -> Record | None:
        try:
            answer = self._call("get", {"key": key_of(self._manifest, remote_id)})
        except Gone:
            return None
        record = self._record(self._spec("get"), answer)
        return None if record.state is RecordState.DELETED else record

    def find(self, entity: EntityRef, person: Person) -> Sequence[Record]:
        """Filters that a system does not know would return everything: every row is compared again."""
        context = {"entity": _entity_context(entity), "contact": _contact_context(person)}
        return [
            record
            for record in self._pages("find", context)
            if record.entity is not None
            and (record.entity.entity_id, record.person.email) == (entity.entity_id, person.email)
            and record.state is not RecordState.DELETED
        ]

    def list_page(self, cursor: str | None = None) -> Page:
        if self._manifest.operations.list is None:
            raise Misconfigured(f"connector {self._manifest.id} declares no operation `list`: nothing can be listed")
        return self._page("list", {}, cursor)

    def create(self, draft: Draft, idempotency_key: str) -> Record:
        spec = self._spec("create")
        headers = {spec.idempotency_header: idempotency_key} if spec.idempotency_header else {}
        context = self._context(draft, idempotency_key=idempotency_key)
        body = filled(spec.body, context)
        answer = self._call(
            "create",
            context,
            json=body,
            headers=headers,
            is_write=True,
            is_idempotent=spec.idempotency_header is not None,
        )
        return self._record(spec, answer)

    def update(self, remote_id: str, draft: Draft, revision: int | None) -> Record:
        spec = self._spec("update")
        context = self._context(draft, key=key_of(self._manifest, remote_id), revision=revision)
        body = filled(spec.body, context)
        if self._manifest.operations.update_mode == "full":
            body = merged_over(draft.last, body)
        tries: list[int] = []
        try:
            answer = self._call("update", context, json=body, is_write=True, tries=tries)
        except Conflict:
            if max(tries, default=1) > 1 and (ours := self._landed(remote_id, draft, revision)) is not None:
                return ours
            raise
        return self._record(spec, answer)

    def _landed(self, remote_id: str, draft: Draft, revision: int | None) -> Record | None:
        """After our own retry, a conflict with exactly our change is our first try's success."""
        record = self.get(remote_id)
        if record is None or revision is None or record.revision != revision + 1:
            return None
        return record if all(record.values.get(name) == value for name, value in draft.values.items()) else None

    def delete(self, remote_id: str, revision: int | None) -> None:
        context = {"key": key_of(self._manifest, remote_id), "rating": {"revision": revision}}
        try:
            self._call("delete", context, is_write=True)
        except Gone:
            return  # already gone is the outcome we wanted

    # -- calls

    def _spec(self, name: str) -> OperationSpec:
        spec: OperationSpec = getattr(self._manifest.operations, name)
        return spec

    def _call(
        self,
        name: str,
        context: Mapping[str, Any],
        *,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        is_write: bool = False,
        is_idempotent: bool = True,
        tries: list[int] | None = None,
    ) -> Answer:
        spec = self._spec(name)
        own_headers = {key: str(value) for key, value in filled(spec.headers, context).items()}
        options: dict[str, Any] = {} if json is None else {"json": json}
        return self._http.call(
            Call(
                spec.method,
                url_path(spec.path, context),
                name,
                query={**query_of(spec.query, context), **(query or {})},
                headers={**own_headers, **(headers or {})},
                is_write=is_write,
                is_idempotent=is_idempotent,
                outcomes=_outcomes(spec.errors, tries if tries is not None else []),
                **options,
            )
        )

    def _record(self, spec: OperationSpec, answer: Answer) -> Record:
        resource = spec.result_path.search(answer.body) if spec.result_path else answer.body
        return read_record(self._manifest, resource)

    def _pages(self, name: str, context: Mapping[str, Any]) -> Iterator[Record]:
        cursor: str | None = None
        for _ in range(self._spec(name).pagination.max_pages):
            page = self._page(name, context, cursor)
            yield from page.records
            cursor = page.cursor
            if cursor is None:
                return
        raise Permanent(f"{name} has more pages than allowed", reason="paging_too_long")

    def _page(self, name: str, context: Mapping[str, Any], cursor: str | None) -> Page:
        spec = self._spec(name)
        paging = spec.pagination
        query = {paging.size_param: str(paging.size)} if paging.size_param else {}
        answer = self._call(name, context, query=query if cursor is None else query | {paging.param: cursor})
        items = spec.items_path.search(answer.body) if spec.items_path else answer.body
        records = [read_record(self._manifest, item) for item in items] if isinstance(items, list) else []
        found = paging.next_path.search(answer.body) if paging.kind == "cursor" and paging.next_path else None
        next_cursor = None if found in (None, "") else str(found)
        if cursor is not None and next_cursor == cursor:
            raise Permanent(f"{name} repeats a cursor", reason="paging_repeats")
        return Page(records, next_cursor)

    # -- what writes are filled from

    def _context(
        self,
        draft: Draft,
        *,
        key: Mapping[str, str] | None = None,
        revision: int | None = None,
        idempotency_key: str = "",
    ) -> dict[str, Any]:
        """A field that Wix does not own comes from the record as last returned, so that it is never lost."""
        fields, last = self._manifest.fields, draft.last
        write = self._manifest.states.write
        kept = {
            name: path.path.search(last) if path and last else None
            for name, path in (("title", fields.title), ("body", fields.body), ("author", fields.author))
        }
        rating = {
            "value": draft.values.get(MAIN_FIELD),
            "attributes": self._attributes(draft),
            "state": write.get(RecordState.PUBLISHED, "published"),
            "revision": revision,
            "title": kept["title"],
            "body": kept["body"],
        }
        contact = _contact_context(draft.person)
        return {
            "rating": rating,
            "entity": _entity_context(draft.entity),
            "contact": contact | {"name": kept["author"] or contact["name"]},
            "key": key or {},
            "sync": {"wix_id": draft.source_id, "idempotency_key": idempotency_key},
        }

    def _attributes(self, draft: Draft) -> list[dict[str, Any]]:
        """Our sub-ratings, and those of the last record that are not mapped."""
        ours = [{"name": name, "value": value} for name, value in draft.values.items() if name != MAIN_FIELD]
        before = read_record(self._manifest, draft.last).values if draft.last else {}
        theirs = {name: value for name, value in before.items() if name not in draft.mapped | {MAIN_FIELD}}
        return ours + [{"name": name, "value": value} for name, value in theirs.items()]


def _entity_context(entity: EntityRef) -> dict[str, Any]:
    return {"external_id": entity.entity_id, "group": entity.group}


def _contact_context(person: Person) -> dict[str, Any]:
    return {"email": person.email, "name": person.name}


def _outcomes(rules: Sequence[ErrorRule], tries: list[int]) -> Callable[[Answer], SyncError | None]:
    def outcome(answer: Answer) -> SyncError | None:
        tries.append(answer.attempts)
        return next((_error_for(rule, answer) for rule in rules if _applies(rule, answer)), None)

    return outcome


def _applies(rule: ErrorRule, answer: Answer) -> bool:
    if answer.status not in rule.status:
        return False
    return rule.path is None or rule.path.search(answer.body) == rule.equals


def _error_for(rule: ErrorRule, answer: Answer) -> SyncError | None:
    match rule.outcome:
        case "gone":
            return Gone()
        case "conflict":
            return Conflict()
        case "duplicate":
            return Duplicate(remote_id=_existing_id(answer.body))
        case "rate_limited":
            return RateLimited()
        case "retry":
            return Transient("the system asks to try again")
        case "auth":
            return Permanent("the system does not accept our credentials", reason="unauthorized")
        case "reject" | "ok":
            return Permanent("the system refuses this rating", reason="refused")


def _existing_id(body: Any) -> str | None:
    """A duplicate answer may name the record that is there (the published contract: ``existing_id``)."""
    found = body.get("existing_id") if isinstance(body, Mapping) else None
    return str(found) if isinstance(found, str | int) else None
