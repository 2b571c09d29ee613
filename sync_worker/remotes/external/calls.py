"""The declared calls of a manifest over HTTP: trees filled, answers and errors by its rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import urljoin

from sync_worker.core.errors import (
    Conflict,
    Duplicate,
    Facts,
    Misconfigured,
    Permanent,
    RateLimited,
    SyncError,
    Transient,
    Unauthorized,
    UnknownOutcome,
)
from sync_worker.manifest.conditions import holds
from sync_worker.manifest.field_values import search
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.paging.pagination import (
    ListingAnswer,
    next_place,
    page_context,
    page_query,
)
from sync_worker.manifest.paging.places import Place
from sync_worker.manifest.record_reader import read_remote_id
from sync_worker.manifest.record_writer import filled, query_of, url_path
from sync_worker.manifest.schema.calls import Condition, ErrorRule, Hook, OperationSpec
from sync_worker.manifest.source.stands import at_path, kind_of
from sync_worker.remotes.external.auth import without_credentials
from sync_worker.remotes.external.envelopes import is_error_envelope, tells_error
from sync_worker.remotes.external.gone import gone_said
from sync_worker.remotes.http.answers import NOT_DONE, PASSING
from sync_worker.remotes.http.calls import UNSET, Answer, Call, Content
from sync_worker.remotes.http.client import RemoteHttp

NO_CONTENT = 204
NOTHING: Any = object()  # an empty answer; JSON's null is another
Context = Mapping[str, Any]
# The id of a row; ``None`` where it has none.
IdOf = Callable[[Any], str | None]
# A named hook: the context in, what the call returns out.
Handler = Callable[[RemoteHttp, Manifest, Context], Any]


@dataclass(frozen=True, slots=True)
class RawPage:
    """Rows of a listing as the system gave them, and where it goes on."""

    items: Sequence[Any]
    place: Place | None


@dataclass(slots=True)
class Options:
    """What one call adds to its declaration."""

    query: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None
    body: Any = UNSET
    address: str | None = None
    is_write: bool = False
    is_idempotent: bool = True


class ExternalCalls:
    """Carries out the operations of one manifest."""

    def __init__(
        self, manifest: Manifest, http: RemoteHttp, handlers: Mapping[str, Handler] | None = None
    ) -> None:
        self._manifest, self._http, self._handlers = manifest, http, handlers or {}

    def reserve_request(self) -> None:
        self._http.reserve_request()

    def context(self, **parts: Any) -> dict[str, Any]:
        """What a call is filled from: these parts, and what tells the account from another."""
        return {"conn": self._manifest.conn, **parts}

    def spec(self, name: str) -> OperationSpec | Hook:
        """The declaration of an operation. Raises Permanent (``unsupported``) if there is none."""
        spec: OperationSpec | Hook | None = getattr(self._manifest.operations, name)
        if spec is None:
            raise Permanent(
                f"connector {self._manifest.id} declares no operation {name}: the system does not"
                " offer it",
                reason="unsupported",
            )
        return spec

    def resource(self, name: str, context: Context, options: Options | None = None) -> Any:
        """The record that an operation returns, as JSON; ``NOTHING`` if it answers with nothing."""
        spec = self.spec(name)
        if isinstance(spec, Hook):
            found = self._hooked(spec, context)
            return NOTHING if found is None else found
        answer = self._http.call(_call_of(spec, name, context, options or Options()))
        if answer.content is Content.EMPTY or spec.answer == "any":
            return NOTHING
        if name == "get" and spec.items_path:
            return search(spec.items_path, answer.body)
        if spec.result_path is None:
            return answer.body
        try:
            found = search(spec.result_path, answer.body)
        except Permanent as error:
            if not (options and options.is_write):
                raise _outage_if_told(name, answer.body, error) from None
            message = f"the write was accepted, but its answer holds no record: {error.message}"
            raise UnknownOutcome(message) from None
        # Details of an error may stand where the record is due.
        is_told = name == "get" and tells_error(answer.body)
        if is_told and read_remote_id(self._manifest, found) is None:
            raise _outage(name)
        return found

    def page(
        self,
        name: str,
        context: Context,
        place: Place,
        id_of: IdOf,
        more: Mapping[str, str] | None = None,
    ) -> RawPage:
        """One page of a listing. ``more``: query parameters besides the declared ones.

        ``id_of``: the id of a row, by which a page is known again.
        """
        spec = self.spec(name)
        if isinstance(spec, Hook):
            # A hook gives all rows at once.
            return RawPage(
                _rows(self._hooked(spec, context) or [], lambda: "the hook returns none"), None
            )
        return self.page_of(spec, f"operations.{name}", name, context, place, id_of, more)

    def page_of(
        self,
        spec: OperationSpec,
        where: str,
        name: str,
        context: Context,
        place: Place,
        id_of: IdOf,
        more: Mapping[str, str] | None = None,
    ) -> RawPage:
        """One page of a listing that is declared at ``where``."""
        paging = spec.pagination
        if paging.kind == "next_link" and place.at:
            # A link has all that it needs.
            options = Options(query={}, address=self._address(spec, context, place.at))
        else:
            options = Options(query={**page_query(paging, place), **(more or {})})
        filled_from = {**context, "page": page_context(paging, place)}
        answer = self.send(spec, name, filled_from, options)
        items: Sequence[Any] = []
        # Some systems answer an empty page with 204 and no body.
        if answer.status != NO_CONTENT:
            found = search(spec.items_path, answer.body) if spec.items_path else answer.body
            if not isinstance(found, list) and tells_error(answer.body):
                raise _outage(name)
            items = _rows(found, partial(_no_list, spec, where, answer))
        section = f"{where}.pagination"
        ids = [id_of(item) for item in items]
        listed = ListingAnswer(items, answer.body, answer.headers, ids, section)
        try:
            following = next_place(paging, place, listed)
        except Permanent as broken:
            broken.facts = Facts(self._manifest.id, name)
            raise
        # The ledger keeps this place, so it must hold no secret.
        if following is not None and paging.kind == "next_link":
            following = replace(following, at=without_credentials(self._manifest, following.at))
        return RawPage(items, following)

    def _address(self, spec: OperationSpec, context: Context, link: str) -> str:
        """A next link as a whole address; whether it may be called is for RemoteHttp to say."""
        here = self._manifest.base_url.rstrip("/") + url_path(spec.path, context)
        try:
            return urljoin(here, link)
        except ValueError:
            raise Permanent("the next link is no address", reason="host_not_allowed") from None

    def send(self, spec: OperationSpec, name: str, context: Context, options: Options) -> Answer:
        """One declared call. Raises what its rules and RemoteHttp say."""
        return self._http.call(_call_of(spec, name, context, options))

    def _hooked(self, hook: Hook, context: Context) -> Any:
        handler = self._handlers.get(hook.handler)
        if handler is None:
            raise Misconfigured(
                f"connector {self._manifest.id} names the hook {hook.handler!r}, which is not"
                " installed"
            )
        return handler(self._http, self._manifest, context)


def _outage_if_told(name: str, body: Any, error: Permanent) -> SyncError:
    """The error of a read that found no record: an outage where the system tells an error."""
    if not is_error_envelope(body):
        return error
    return _outage(name)


def _outage(name: str) -> Transient:
    return Transient(f"operations.{name} was answered with an error, and with success")


def _call_of(spec: OperationSpec, name: str, context: Context, options: Options) -> Call:
    """What goes out for an operation, its templates filled from the context."""
    headers = {key: str(value) for key, value in filled(spec.headers, context).items()}
    # A next link comes with its own query.
    query = {} if options.address else query_of(spec.query, context)
    body = options.body
    if body is UNSET and spec.body is not None:
        body = filled(spec.body, context)
    form = None
    if spec.encoding == "form" and body is not UNSET:
        form, body = query_of(body, {}), UNSET
    return Call(
        spec.method,
        options.address or url_path(spec.path, context),
        name,
        query={**query, **(options.query or {})},
        headers={**headers, **(options.headers or {})},
        json=body,
        form=form,
        is_write=options.is_write,
        is_idempotent=options.is_idempotent,
        successes=frozenset(spec.success),
        expects_json=spec.answer == "json",
        outcomes=_Outcomes(spec, name, is_write=options.is_write),
    )


def _rows(found: Any, words: Callable[[], str]) -> Sequence[Any]:
    """The rows of a page; ``words``: what stands there instead.

    A page in maintenance must not look like an empty listing: only a list is one.
    """
    if not isinstance(found, list):
        message = f"the listing holds no list where items_path says: {words()}"
        raise Permanent(message, reason="malformed_listing")
    return found


def _no_list(spec: OperationSpec, where: str, answer: Answer) -> str:
    """What an answer holds where the manifest looks for rows."""
    if answer.content is Content.EMPTY:
        return f"{where}: the answer is empty"
    if spec.items_path is None:
        return f"{where} names no items_path, and the answer is {kind_of(answer.body)}"
    return f"{where}.items_path: {at_path(spec.items_path, answer.body, 'the answer')}"


# They lead to a look or a wait only: a proxy may say them in whatever form.
OUTCOMES_OF_ANY_FORM = frozenset({"conflict", "duplicate", "retry", "rate_limited"})


@dataclass(frozen=True, slots=True)
class _Outcomes:
    """What the rules of one operation make of an answer; the first that fits decides."""

    spec: OperationSpec
    name: str
    is_write: bool

    def __call__(self, answer: Answer) -> SyncError | bool | None:
        for number, rule in enumerate(self.spec.errors):
            if answer.status not in rule.status or not _applies(rule, answer):
                continue
            if rule.outcome == "retry" and self.is_write and _may_have_landed(answer):
                return UnknownOutcome("the system asks to try again; the write may have landed")
            if rule.outcome != "gone":
                return _meaning(rule, answer)
            gone = gone_said(rule, answer, f"operations.{self.name}.errors[{number}]")
            if gone is not None:
                return gone
        condition = self.spec.success_if
        return None if condition is None else self._undeclared_success(condition, answer)

    def _undeclared_success(self, condition: Condition, answer: Answer) -> SyncError | None:
        """A success that does not say what the manifest asks of one."""
        is_success = answer.status in self.spec.success if self.spec.success else answer.is_success
        if not is_success or holds(condition, answer.body, answer.headers):
            return None
        message = "the answer does not say that it was done, as success_if asks"
        return UnknownOutcome(message) if self.is_write else Transient(message)


def _applies(rule: ErrorRule, answer: Answer) -> bool:
    """Whether a rule for this status speaks of such an answer."""
    # What is no JSON is not the system's: its rules say nothing of that.
    if answer.content is Content.OTHER and rule.outcome not in OUTCOMES_OF_ANY_FORM:
        return False
    # Without a condition the status alone decides.
    condition = rule.condition
    return condition is None or holds(condition, answer.body, answer.headers)


def _may_have_landed(answer: Answer) -> bool:
    """Whether a write may have been carried out before its system answered so."""
    is_lost = answer.status in PASSING - NOT_DONE or answer.status >= 500
    return is_lost or answer.is_success


def _meaning(rule: ErrorRule, answer: Answer) -> SyncError | bool | None:
    match rule.outcome:
        case "ok":
            return True
        case "conflict":
            return Conflict()
        case "duplicate":
            return Duplicate(remote_id=_existing_id(answer.body))
        case "rate_limited":
            return RateLimited()
        case "retry":
            return Transient("the system asks to try again")
        case "auth":
            return Unauthorized("the system does not accept our credentials")
        case "skip":
            return Permanent(
                "the system does not take this one, says the manifest", reason="skipped"
            )
        case "reject":
            return Permanent("the system refuses this rating", reason="refused")
        case _:
            # "gone": that takes more than a rule
            return None


def _existing_id(body: Any) -> str | None:
    """The record that is there, where the answer names it (own-service: ``existing_id``)."""
    found = body.get("existing_id") if isinstance(body, Mapping) else None
    return str(found) if isinstance(found, str | int) else None
