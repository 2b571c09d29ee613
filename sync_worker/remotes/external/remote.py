"""An external system behind its manifest: the port ``Remote`` over declared calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from sync_worker.core.email_identity import normalise_email
from sync_worker.core.errors import (
    Gone,
    GoneUnsaid,
    Permanent,
    SyncError,
    Transient,
    Unauthorized,
    Unconfirmed,
    UnknownOutcome,
)
from sync_worker.core.ports.remote import Capabilities, Page
from sync_worker.core.values import Draft, EntityRef, Person, Record, RecordState, Side
from sync_worker.manifest.drafts import held_values, with_changes_only, write_context
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.record_changes import shows_in_part, update_body
from sync_worker.manifest.record_keys import context_of
from sync_worker.manifest.record_reader import created_at, read_record, read_subject
from sync_worker.manifest.schema.calls import Hook, OperationSpec
from sync_worker.remotes.external.authors import Authors
from sync_worker.remotes.external.by_id import RecordById
from sync_worker.remotes.external.calls import (
    NO_CONTENT,
    NOTHING,
    ExternalCalls,
    Handler,
    Options,
)
from sync_worker.remotes.external.gone import SecondLooks
from sync_worker.remotes.external.listing import Listing
from sync_worker.remotes.external.replies import ExternalReplies
from sync_worker.remotes.external.webhook_record import record_in_webhook
from sync_worker.remotes.http.client import RemoteHttp
from sync_worker.remotes.landed import look_after_write, refuse_living, update_met_by_itself

MAY_BE_GONE = frozenset({403, 404, 410})
LAST = datetime.max.replace(tzinfo=UTC)


class ExternalRemote:
    """One account of one external system; implements ``Remote``."""

    side = Side.EXTERNAL

    def __init__(
        self,
        manifest: Manifest,
        http: RemoteHttp,
        handlers: Mapping[str, Handler] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        looks: SecondLooks | None = None,
    ) -> None:
        self._manifest, self._now = manifest, now
        self._calls = ExternalCalls(manifest, http, handlers)
        self._listing = Listing(manifest, self._calls)
        self._by_id = RecordById(manifest, self._calls, self._listing, looks or SecondLooks())
        author = manifest.operations.author
        self._authors = Authors(author, self._calls) if author is not None else None
        self._replies = ExternalReplies(manifest, self._calls, self.get)
        self._capabilities = manifest.capabilities

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def reserve_request(self) -> None:
        self._calls.reserve_request()

    def record_in(self, payload: Mapping[str, Any]) -> Record | None:
        return record_in_webhook(self._manifest, payload)

    def probe(self) -> bool:
        """One harmless call, to see whether address and credentials work.

        False if none is declared.
        """
        operations = self._manifest.operations
        if operations.probe is not None:
            self._calls.resource("probe", self._calls.context())
            return True
        # One page of the listing does as well, where it needs no parent.
        if operations.list is not None and not self._manifest.lists_by_parent:
            self.list_page()
            return True
        return False

    # -- reading

    def get(self, remote_id: str) -> Record | None:
        return self._by_id.get(remote_id)

    def find(self, entity: EntityRef, person: Person) -> Sequence[Record]:
        """Filters that a system does not know would return everything: every row is compared again.

        Who has no address is not found, not even among others who have none. A row that cannot be
        read is an error only if it may be this person's: else one would block all others.
        """
        name = "find" if self._manifest.operations.find is not None else "list"
        if name == "list" and not self._manifest.lists_by_parent:
            self._calls.spec("find")  # it is not there: this raises
        if not person.email:
            return []
        whose = {"entity": _entity_context(entity), "contact": _contact_context(person)}
        context, wanted = self._calls.context(**whose), normalise_email(person.email)

        def may_be_theirs(item: Any) -> bool:
            subject, email = read_subject(self._manifest, item, context)
            is_of_entity = subject is None or subject.entity_id == entity.entity_id
            return email == wanted and is_of_entity

        found = [
            record
            for record in self._listing.records(name, context, may_be_theirs)
            if record.entity is not None
            and record.entity.entity_id == entity.entity_id
            and record.person.email == wanted
            and record.state is not RecordState.DELETED
        ]
        # The oldest first; without a time a record comes last.
        return sorted(found, key=lambda record: created_at(self._manifest, record.raw) or LAST)

    def list_page(self, cursor: str | None = None) -> Page:
        return self._listing.page(cursor)

    def changed_page(self, since: datetime | None, cursor: str | None = None) -> Page:
        """For ``Connection.changed``."""
        return self._listing.changed_page(since, cursor)

    def children(self, parent_id: str) -> Iterator[Record]:
        """For ``Connection.children``."""
        return self._listing.children(parent_id)

    # -- writing

    def create(self, draft: Draft, idempotency_key: str) -> Record:
        spec = self._calls.spec("create")
        header = spec.idempotency_header if isinstance(spec, OperationSpec) else None
        # Of a record that was there before, and is gone.
        held = held_values(self._manifest, draft) if draft.last else {}
        context = self._write_context(draft, held, idempotency_key=idempotency_key)
        if self._authors is not None:
            person = _contact_context(draft.person)
            context["author"] = {"id": self._authors.id_of(draft.person, person)}
        # Only a create with a key may be repeated: the system carries it out once.
        options = Options(is_write=True, is_idempotent=header is not None)
        if header is not None:
            options.headers = {header: idempotency_key}
        resource = self._calls.resource("create", context, options)
        # The system has only taken the request: the record shows later.
        if self._capabilities.create_is_async:
            raise Unconfirmed
        return _written(self._manifest, resource, context)

    def update(self, remote_id: str, draft: Draft, revision: int | None) -> Record:
        spec = self._calls.spec("update")
        if self._manifest.operations.update_mode == "full":
            draft = self._with_whole_record(draft, remote_id)
        known = context_of(self._manifest, remote_id)
        held = held_values(self._manifest, draft)
        draft = with_changes_only(draft, held)
        context = self._write_context(draft, held, known=known, revision=revision)
        # Under a precondition a second try cannot overwrite a change that came between.
        options = Options(is_write=True, is_idempotent=self._capabilities.update_precondition)
        if isinstance(spec, OperationSpec) and spec.body is not None:
            options.body = update_body(self._manifest, spec, draft, held, context)
        try:
            resource = self._calls.resource("update", context, options)
        except GoneUnsaid:
            # Refused in any case; the look that follows decides whether it is gone.
            raise Gone from None
        except UnknownOutcome as unknown:
            look = partial(self.get, remote_id)
            return update_met_by_itself(unknown, look, draft, revision)
        except (Unauthorized, Transient) as refusal:
            if self._is_gone(remote_id, refusal):
                raise Gone from None
            raise
        # Some systems answer an update with nothing at all.
        if resource is NOTHING:
            return self._seen_again(remote_id)
        return _written(self._manifest, resource, context)

    def reply(self, remote_id: str, text: str) -> Record:
        """For ``Replies``."""
        return self._replies.set(remote_id, text)

    def _is_gone(self, remote_id: str, refusal: SyncError) -> bool:
        """Whether what cannot be written is gone, where its refusal may say that, and more.

        Directus says 403 to what is gone and to what may not be touched, Strapi 404 to what is gone
        and to a route that is missing.
        """
        if refusal.facts.status not in MAY_BE_GONE or self._manifest.operations.get is None:
            return False
        try:
            return self.get(remote_id) is None
        except SyncError:
            return False

    def _with_whole_record(self, draft: Draft, remote_id: str) -> Draft:
        """A draft over the whole record, which goes back with a full update. Raises Gone.

        It is read where none is on file, or one that shows less than the update says: an answer, a
        webhook, or a row of a listing.
        """
        if draft.last and not shows_in_part(self._manifest, draft.last):
            return draft
        record = self.get(remote_id)
        if record is None:
            raise Gone
        return replace(draft, last=record.raw)

    def _seen_again(self, remote_id: str) -> Record:
        """The record after an update that was answered with nothing."""
        record = look_after_write(partial(self.get, remote_id))
        if record is None:
            raise UnknownOutcome("the update was accepted, and its record is gone")
        return record

    def delete(self, remote_id: str, revision: int | None) -> None:
        context = self._calls.context(
            **context_of(self._manifest, remote_id), rating={"revision": revision}
        )
        try:
            self._calls.resource("delete", context, Options(is_write=True))
        except Gone:
            return  # already gone is the outcome we wanted
        except GoneUnsaid as unsaid:
            # So says a status alone: a look decides.
            if self.get(remote_id) is not None:
                raise Transient("the delete is refused, and the record is there") from unsaid
            return
        except UnknownOutcome as unknown:
            # The try after a lost one says that it is gone.
            if not isinstance(unknown.later, Gone):
                raise
            return
        except (Unauthorized, Transient) as refusal:
            if not self._is_gone(remote_id, refusal):
                raise
            return
        if self._is_trusted("delete"):
            return
        self._refuse_living(remote_id)

    def _is_trusted(self, name: str) -> bool:
        """Whether the manifest says by what an answer shows that the delete was carried out."""
        spec, operations = self._calls.spec(name), self._manifest.operations
        if operations.get is None and operations.list is None:
            return True  # there is no way to look
        if isinstance(spec, Hook):
            return True
        # No page of a proxy comes as a 204.
        return spec.success_if is not None or set(spec.success) == {NO_CONTENT}

    def _refuse_living(self, remote_id: str) -> None:
        """Look whether a delete was carried out. Raises UnknownOutcome."""
        try:
            refuse_living(partial(self.get, remote_id))
        except UnknownOutcome as unknown:
            # A listing that leaves out what is hidden has left it out.
            cause = unknown.__cause__
            if isinstance(cause, Permanent) and cause.reason == "not_listed":
                return
            raise

    def _write_context(
        self,
        draft: Draft,
        held: Mapping[str, Decimal],
        *,
        known: Mapping[str, Any] | None = None,
        revision: int | None = None,
        idempotency_key: str = "",
    ) -> dict[str, Any]:
        """What a write is filled from. ``known``: the context of the record's id."""
        parts = write_context(self._manifest, draft, held, revision=revision, now=self._now())
        parts["entity"] = _entity_context(draft.entity)
        parts["key"] = (known or {}).get("key", {})
        parts["sync"] = {"wix_id": draft.source_id, "idempotency_key": idempotency_key}
        return self._calls.context(**parts)


def _entity_context(entity: EntityRef) -> dict[str, Any]:
    return {"external_id": entity.entity_id, "group": entity.group}


def _contact_context(person: Person) -> dict[str, Any]:
    return {"email": person.email, "name": person.name, "wix_id": person.contact_id}


def _written(manifest: Manifest, resource: Any, context: Mapping[str, Any]) -> Record:
    """The record that a write returned.

    The write has happened, so an answer that cannot be read is no refusal.
    """
    try:
        return read_record(manifest, resource, context)
    except Permanent as error:
        raise UnknownOutcome(
            f"the write was accepted, but its answer is no record: {error.message}"
        ) from None
