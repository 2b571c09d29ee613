"""The door's work on one request: read the body within its limit, store within the time, answer."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import structlog
from flask import Response, g, jsonify, request

from sync_worker.core.errors import Permanent, SyncError, Transient
from sync_worker.core.ports.doorbell import Bell
from sync_worker.core.ports.inbox import Stored
from sync_worker.core.unpacking import CODINGS, PLAIN, NotUnpackable, unpacked
from sync_worker.core.values import NewDelivery, connector_of
from sync_worker.manifest.schema.webhook import Webhook
from sync_worker.telemetry import metrics
from sync_worker.telemetry.door_book import UNKNOWN_SOURCE
from webhook_gateway.external import Greeted, Reading, Unreadable
from webhook_gateway.group_commit import GroupCommit, Store
from webhook_gateway.heard import Heard
from webhook_gateway.rate_limit import RejectionLimit
from webhook_gateway.ring_shares import RingShares, Turn
from webhook_gateway.wix import Ignored, Rejected

RETRY_AFTER_SECONDS = 30
STORE_SHARE = 0.7  # of the time for an answer; the rest is for the signature and the doorbell
OK = 200
MAX_SHOWN_PATH = 80
MAX_SHOWN_NAME = 80
UNREADABLE = "verified, but not in the form that the connector's manifest describes"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Body:
    """What a request says. ``packed``: as it came, where it came compressed."""

    content: bytes
    packed: bytes | None = None


class Door:
    """Shared by the threads of a process.

    ``store`` commits all that it is given, or raises Transient when SQL is away.
    ``ring_after_others``: for what one source sends beyond its share, and whose it is. ``note`` is
    told how each request ended (source, result, reason), and only remembers it. A source is
    ``wix``, a connector, or an account of one; metrics have its connector.
    """

    def __init__(
        self,
        *,
        store: Store,
        bell: Bell,
        ring_after_others: Callable[[Sequence[int], str], None] | None,
        is_ledger_up: Callable[[], bool],
        note_ledger_failure: Callable[[Exception], None],
        heard: Heard,
        note: Callable[[str, str, str], None],
        max_body_bytes: int,
        answer_seconds: float,
        rejections_per_minute: int,
    ) -> None:
        self._group, self._shares = GroupCommit(store), RingShares()
        self._ring_first = bell.ring
        self._ring_after_others = ring_after_others or (
            lambda inbox_ids, source: bell.ring(inbox_ids)
        )
        self._max_body_bytes = max_body_bytes
        self._store_seconds = answer_seconds * STORE_SHARE
        self._rejections = RejectionLimit(rejections_per_minute)
        self._ask_ledger, self._note_ledger_failure = is_ledger_up, note_ledger_failure
        self._heard, self._note = heard, note
        self._probe_thread = ThreadPoolExecutor(1, thread_name_prefix="probe")
        self._probe_turn = threading.Lock()
        self._probe: Future[bool] | None = None

    def is_ledger_up(self) -> bool:
        """Whether the ledger answers within the time that a delivery gets.

        All who ask meanwhile share one probe, so that none pile up.
        """
        with self._probe_turn:
            if self._probe is None or self._probe.done():
                self._probe = self._probe_thread.submit(self._ask_ledger)
            probe = self._probe
        try:
            return probe.result(self._store_seconds)
        except TimeoutError:
            return False

    def body(self, source: str, *, may_be_empty: bool = False) -> Body | Response:
        """The request's body; the limit holds on the stream, whatever Content-Length says.

        It holds on what a compressed body unpacks to, too.
        """
        g.source = source
        limit, length = self._max_body_bytes, request.content_length or 0
        if length > limit:
            return self._end(source, "too_large", 413, error="the body is too large")
        coding = request.headers.get("Content-Encoding", "").strip().lower()
        if coding not in PLAIN and coding not in CODINGS:
            return self._refuse_coding(source, coding)
        request.max_content_length = None
        try:
            body = request.stream.read(limit + 1)
        except Exception:  # each server has its own errors for what a client sends wrongly
            return self._end(source, "malformed", 400, error="the body could not be read")
        if len(body) > limit:
            return self._end(source, "too_large", 413, error="the body is too large")
        if len(body) < length:
            return self._end(source, "malformed", 400, error="the body is not whole")
        if coding in CODINGS and body:
            return self._unpacked(source, body, coding)
        if not body and not may_be_empty:
            return self._end(source, "malformed", 400, error="the body is empty")
        return Body(body)

    def _unpacked(self, source: str, packed: bytes, coding: str) -> Body | Response:
        limit = self._max_body_bytes
        try:
            content = unpacked(packed, coding, limit + 1)
        except NotUnpackable:
            told = f"the body is not whole {coding}, as its Content-Encoding says"
            return self._end(source, "malformed", 400, error=told)
        if len(content) > limit:
            return self._end(source, "too_large", 413, error="the body, unpacked, is too large")
        if not content:
            return self._end(source, "malformed", 400, error="the body is empty")
        return Body(content, packed)

    def _refuse_coding(self, source: str, coding: str) -> Response:
        """We unpack few codings, and none inside another."""
        told = f"the body is compressed ({coding[:40]}): send it as gzip, deflate or as it is"
        response = self._end(source, "malformed", 415, "compressed", error=told)
        # https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3
        response.headers["Accept-Encoding"] = "gzip, deflate, identity"
        return response

    def answer(
        self, source: str, reading: NewDelivery | Reading, webhook: Webhook | None = None
    ) -> Response:
        """Do what the reading asks for. ``webhook``: how the sender wants to be answered."""
        match reading:
            case Rejected(reason):
                return self._reject(source, reason)
            case Ignored(reason, name):
                event = {} if name is None else {"event_name": name[:MAX_SHOWN_NAME]}
                log.info("delivery_ignored", source=source, reason=reason, **event)
                return self._acknowledged(source, webhook, "ignored")
            case Unreadable():
                return self._refuse(source, reading)
            case Greeted():
                log.info("delivery_handshake", source=source)
                self._heard.greeting(source)
                return self._acknowledged(source, webhook, "handshake")
            case NewDelivery():
                return self._store(source, [reading], webhook)
            case _:
                return self._store(source, reading, webhook)

    def _reject(self, source: str, reason: str) -> Response:
        """The sender could be anybody: nothing is stored."""
        metrics.gateway_rejections.labels(connector_of(source), reason).inc()
        if self._is_worth_a_line(source):
            log.info("delivery_rejected", source=source, reason=reason)
        return self._end(source, "rejected", 401, reason, error="not verified")

    def _refuse(self, source: str, unreadable: Unreadable) -> Response:
        """The sender is verified, and says what the manifest does not know.

        What could be read is stored.
        """
        reason, readable, why = unreadable.reason, unreadable.deliveries, unreadable.words
        metrics.gateway_rejections.labels(connector_of(source), reason).inc()
        if self._is_worth_a_line(source):
            stored_count = len(readable)
            log.warning(
                "delivery_unreadable", source=source, reason=reason, why=why, stored=stored_count
            )
        if readable:
            stored = self._store(source, readable, None)
            if stored.status_code != OK:
                return stored
        return self._unreadable(source, reason, why=why, stored=len(readable))

    def _unreadable(self, source: str, reason: str, **body: Any) -> Response:
        return self._end(source, "unreadable", 422, reason, error=UNREADABLE, reason=reason, **body)

    def _is_worth_a_line(self, source: str) -> bool:
        """Not for a sender who is refused too often: the log would be theirs to write."""
        number = self._rejections.count(request.remote_addr, source)
        beyond = number - self._rejections.per_minute
        if beyond == 1:
            log.warning("rejections_limited", source=source, sender=request.remote_addr)
        return beyond <= 0

    def _store(
        self, source: str, deliveries: Sequence[NewDelivery], webhook: Webhook | None
    ) -> Response:
        """Commit, then ring.

        A store that hangs is left behind; if it commits after all, the retry is a duplicate.
        """
        try:
            rows = self._group.commit(deliveries, self._store_seconds)
        except (Transient, TimeoutError) as error:
            # What the database refused, and not what only took too long.
            if isinstance(error, Transient) and error.facts.remote == "ledger":
                self._note_ledger_failure(error)
            log.warning("ledger_unavailable", source=source, error=type(error).__name__)
            self._count(source, "ledger_down")
            return unavailable()
        except Permanent as error:
            # Nothing that a sender says should come to this; to try it again would not help.
            log.error("delivery_unstorable", source=source, facts=str(error.facts))
            return self._unreadable(source, error.reason)
        new = [row.inbox_id for row in rows if not row.is_duplicate]
        if new:
            metrics.gateway_last_delivery.labels(connector_of(source)).set_to_current_time()
            self._heard.delivery(source)
            self._ring(deliveries[0].source, new)
        _log_stored(source, deliveries, rows)
        metrics.gateway_body_bytes.labels(connector_of(source)).inc(request.content_length or 0)
        return self._acknowledged(source, webhook, "stored" if new else "duplicate")

    def _ring(self, source: str, inbox_ids: Sequence[int]) -> None:
        """``source``: by site; all of Wix comes over one path."""
        match self._shares.turn_of(source, len(inbox_ids)):
            case Turn.FIRST:
                self._ring_first(inbox_ids)
            case Turn.AFTER_OTHERS:
                self._ring_after_others(inbox_ids, source)
            case Turn.LEFT:
                metrics.doorbell_rings.labels("left").inc(len(inbox_ids))

    def _acknowledged(self, source: str, webhook: Webhook | None, result: str) -> Response:
        """The answer that the sender wants."""
        if webhook is None:
            return self._end(source, result, OK, result=result)
        body = webhook.ack_body or {"result": result}
        return self._end(source, result, webhook.ack_status, **body)

    def _end(
        self, source: str, result: str, status: int, why: str = "", /, **body: Any
    ) -> Response:
        """The answer, counted under its result."""
        self._count(source, result, why)
        return json_answer(status, **body)

    def _count(self, source: str, result: str, reason: str = "") -> None:
        metrics.gateway_requests.labels(connector_of(source), result).inc()
        self._note(source, result, reason)

    def cannot_know(self, connector: str, error: SyncError) -> Response:
        """Whether the sender is who he says cannot be told now: he is to try again later."""
        g.source = connector
        log.warning("account_not_known", source=connector, why=error.message)
        self._count(connector, "ledger_down" if isinstance(error, Transient) else "account_shut")
        return unavailable()

    def not_found(self, why: str, path: str) -> None:
        """Nobody is at this path: a webhook that is set up wrongly, or a stranger's guess."""
        self._count(UNKNOWN_SOURCE, why)
        if self._is_worth_a_line(UNKNOWN_SOURCE):
            log.warning("webhook_unknown", why=why, path=_shown(path))


def _log_stored(source: str, deliveries: Sequence[NewDelivery], rows: Sequence[Stored]) -> None:
    for delivery, row in zip(deliveries, rows, strict=True):
        event = "delivery_duplicate" if row.is_duplicate else "delivery_stored"
        log.info(event, source=source, side=str(delivery.side), inbox_id=row.inbox_id)


def _shown(path: str) -> str:
    """A stranger's path for a log: short, and of harmless characters."""
    return re.sub(r"[^A-Za-z0-9/._-]", "?", path[:MAX_SHOWN_PATH])


def json_answer(status: int, /, **body: Any) -> Response:
    """An answer whose body is a small JSON object."""
    response = jsonify(body)
    response.status_code = status
    return response


def unavailable() -> Response:
    """The answer that lets the sender try again later."""
    response = json_answer(503, error="try again later")
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response
