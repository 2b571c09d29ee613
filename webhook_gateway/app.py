"""The door: verify, commit to the inbox, ring, answer. No business code, no reads of mappings.

    bytes ── size limit ── signature ── inbox row committed ── doorbell (bounded) ── 200
              413, 400    401, 422       503 + Retry-After       may fail: the sweeper rings

Wix gives a webhook 1,250 ms and takes anything but 200 for a failure.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import structlog
from flask import Flask, Response, g, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST
from werkzeug.exceptions import HTTPException

from sync_worker.core.errors import Transient
from sync_worker.core.values import NewDelivery
from sync_worker.manifest.schema.webhook import Webhook
from sync_worker.telemetry import metrics
from webhook_gateway import external, wix
from webhook_gateway.external import Greeted, Reading, Unreadable
from webhook_gateway.group_commit import GroupCommit
from webhook_gateway.rate_limit import ForgeryLimit
from webhook_gateway.settings import GatewayConfig, gateway_config
from webhook_gateway.wix import Ignored, Rejected

RETRY_AFTER_SECONDS = 30
OK = 200
UNREADABLE = "verified, but not in the form that the connector's manifest describes"

log = structlog.get_logger(__name__)


def create_app(config: GatewayConfig | None = None) -> Flask:
    """The Flask application; without a config it is made from the environment."""
    if config is None:
        config = gateway_config()
    app = Flask("webhook_gateway")
    door = Door(config)

    @app.before_request
    def begin() -> None:
        g.started, g.source, g.request_id = time.monotonic(), None, uuid.uuid4().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        if g.source is not None:
            metrics.gateway_answer_seconds.labels(g.source).observe(time.monotonic() - g.started)
        return response

    @app.post("/webhooks/wix")
    def receive_wix() -> Response:
        body = door.body("wix")
        if isinstance(body, Response):
            return body
        return door.answer("wix", wix.read_delivery(body, config.wix_keys, config.wix_app_id))

    @app.post("/webhooks/external/<connector>")
    def receive_external(connector: str) -> Response:
        manifest = config.manifests.get(connector)
        if manifest is None or manifest.webhook is None:
            return _answer(404, error="there is no connector of this name")
        body = door.body(connector, may_be_empty=external.greets_empty(manifest))
        if isinstance(body, Response):
            return body
        headers, query = dict(request.headers), request.args.to_dict()
        reading = external.read_deliveries(manifest, body, headers, query, config.clock())
        return door.answer(connector, reading, manifest.webhook)

    @app.get("/healthz")
    def healthz() -> Response:
        return _answer(200, gateway="up")

    @app.get("/readyz")
    def readyz() -> Response:
        ledger, broker = door.is_ledger_up(), config.is_broker_up()
        return _answer(200 if ledger else 503, ledger=_state(ledger), redis=_state(broker))

    @app.get("/metrics")
    def expose() -> Response:
        token = config.metrics_token
        if token is None or not metrics.may_read(request.headers.get("Authorization"), token):
            return _answer(404, error="Not Found")
        return Response(metrics.exposition(), content_type=CONTENT_TYPE_LATEST)

    @app.errorhandler(Exception)
    def last_net(error: Exception) -> Response:
        if isinstance(error, HTTPException):
            return _answer(error.code or 400, error=error.name)
        log.error("gateway_error", error=type(error).__name__, exc_info=error)
        return _unavailable()

    return app


class Door:
    """Reads bodies within the limit, stores deliveries within the time, and answers."""

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config
        self._group = GroupCommit(config.store)
        self._forgeries = ForgeryLimit(config.bad_signatures_per_minute)
        self._probe_thread, self._probe_turn = (
            ThreadPoolExecutor(1, thread_name_prefix="probe"),
            threading.Lock(),
        )
        self._probe: Future[bool] | None = None

    def is_ledger_up(self) -> bool:
        """Within the time that a delivery gets.

        All who ask meanwhile share one probe, so that none pile up.
        """
        with self._probe_turn:
            if self._probe is None or self._probe.done():
                self._probe = self._probe_thread.submit(self._config.is_ledger_up)
            probe = self._probe
        try:
            return probe.result(self._store_seconds)
        except TimeoutError:
            return False

    @property
    def _store_seconds(self) -> float:
        return self._config.answer_seconds * 0.7

    def body(self, source: str, *, may_be_empty: bool = False) -> bytes | Response:
        """The request's body; the limit holds on the stream, whatever Content-Length says."""
        g.source = source
        limit = self._config.max_body_bytes
        if request.content_length is not None and request.content_length > limit:
            return _end(source, "too_large", 413, error="the body is too large")
        request.max_content_length = None
        try:
            body = request.stream.read(limit + 1)
        except Exception:  # each server has its own errors for what a client sends wrongly
            return _end(source, "malformed", 400, error="the body could not be read")
        if len(body) > limit:
            return _end(source, "too_large", 413, error="the body is too large")
        if len(body) < (request.content_length or 0):
            return _end(source, "malformed", 400, error="the body is not whole")
        return (
            body
            if body or may_be_empty
            else _end(source, "malformed", 400, error="the body is empty")
        )

    def answer(
        self, source: str, reading: NewDelivery | Reading, webhook: Webhook | None = None
    ) -> Response:
        """``webhook``: how the sender wants to be answered."""
        match reading:
            case Rejected(reason):
                return self._reject(source, reason)
            case Ignored(reason):
                log.info("delivery_ignored", source=source, reason=reason)
                return _acknowledged(source, webhook, "ignored")
            case Unreadable(reason, readable):
                return self._refuse(source, reason, readable)
            case Greeted():
                log.info("delivery_handshake", source=source)
                return _acknowledged(source, webhook, "handshake")
            case NewDelivery():
                return self._store(source, [reading], webhook)
            case _:
                return self._store(source, reading, webhook)

    def _reject(self, source: str, reason: str) -> Response:
        metrics.gateway_rejections.labels(source, reason).inc()
        if self._is_worth_a_line(source):
            log.info("delivery_rejected", source=source, reason=reason)
        return _end(source, "rejected", 401, error="not verified")

    def _refuse(self, source: str, reason: str, readable: Sequence[NewDelivery]) -> Response:
        """The sender is who he should be, and says what the manifest does not know.

        What could be read is stored.
        """
        metrics.gateway_rejections.labels(source, reason).inc()
        if self._is_worth_a_line(source):
            log.warning("delivery_unreadable", source=source, reason=reason, stored=len(readable))
        if readable and (stored := self._store(source, readable, None)).status_code != OK:
            return stored
        return _end(
            source, "unreadable", 422, error=UNREADABLE, reason=reason, stored=len(readable)
        )

    def _is_worth_a_line(self, source: str) -> bool:
        """Not for a sender who comes too often with what is refused: the log would be his
        to write.
        """
        beyond = self._forgeries.count(request.remote_addr) - self._forgeries.per_minute
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
            stored = self._group.commit(deliveries, self._store_seconds)
        except (Transient, TimeoutError) as error:
            log.warning("ledger_unavailable", source=source, error=type(error).__name__)
            metrics.gateway_requests.labels(source, "ledger_down").inc()
            return _unavailable()
        new = [one.inbox_id for one in stored if not one.is_duplicate]
        if new:
            metrics.gateway_last_delivery.labels(source).set_to_current_time()
            self._config.bell.ring(new)
        for delivery, one in zip(deliveries, stored, strict=True):
            word = "duplicate" if one.is_duplicate else "stored"
            log.info(
                "delivery_" + word, source=source, side=str(delivery.side), inbox_id=one.inbox_id
            )
        metrics.gateway_body_bytes.labels(source).inc(request.content_length or 0)
        return _acknowledged(source, webhook, "stored" if new else "duplicate")


def _acknowledged(source: str, webhook: Webhook | None, result: str) -> Response:
    """The answer that the sender wants."""
    if webhook is None:
        return _end(source, result, 200, result=result)
    return _end(source, result, webhook.ack_status, **(webhook.ack_body or {"result": result}))


def _end(source: str, how: str, status: int, /, **body: Any) -> Response:
    """The answer, counted."""
    metrics.gateway_requests.labels(source, how).inc()
    return _answer(status, **body)


def _answer(status: int, /, **body: Any) -> Response:
    response = jsonify(body)
    response.status_code = status
    return response


def _unavailable() -> Response:
    response = _answer(503, error="try again later")
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _state(is_up: bool) -> str:
    return "up" if is_up else "down"
