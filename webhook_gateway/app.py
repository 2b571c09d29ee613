"""The door: verify, commit to the inbox, ring, answer. No business code, no reads of mappings.

    bytes ── size limit ── signature ── inbox row committed ── doorbell (bounded) ── 200
              413, 400    401, 422       503 + Retry-After       may fail: the sweeper rings

Wix gives a webhook 1,250 ms and takes anything but 200 for a failure.
"""

from __future__ import annotations

import time
import uuid

import structlog
from flask import Flask, Response, g, request
from prometheus_client import CONTENT_TYPE_LATEST
from werkzeug.exceptions import HTTPException

from sync_worker.core.errors import Held, Misconfigured, Transient
from sync_worker.core.values import connector_of
from sync_worker.manifest.manifest import Manifest
from sync_worker.telemetry import metrics
from sync_worker.telemetry.exposition import exposition, may_read
from webhook_gateway import external, wix
from webhook_gateway.door import OK, Door, json_answer, unavailable
from webhook_gateway.heard import Heard
from webhook_gateway.settings import GatewayConfig, gateway_config

log = structlog.get_logger(__name__)


def create_app(config: GatewayConfig | None = None) -> Flask:
    """The Flask application; without a config it is made from the environment.

    Raises Misconfigured.
    """
    if config is None:
        config = gateway_config()
    app = Flask("webhook_gateway")
    door = Door(
        store=config.store,
        bell=config.bell,
        ring_after_others=config.ring_after_others,
        is_ledger_up=config.is_ledger_up,
        note_ledger_failure=config.note_ledger_failure,
        heard=Heard(config.note_heard),
        note=config.note_door,
        max_body_bytes=config.max_body_bytes,
        answer_seconds=config.answer_seconds,
        rejections_per_minute=config.bad_signatures_per_minute,
    )
    app.before_request(_begin)
    app.after_request(_end)
    _add_last_net(app, door)
    _add_webhooks(app, door, config)
    _add_checks(app, door, config)
    metrics.start_door_at_zero(["wix", *hooked(config)])
    config.start()
    return app


def hooked(config: GatewayConfig) -> list[str]:
    """The connectors whose webhooks we take, for the shop of the environment or for accounts."""
    here = [name for name, manifest in config.manifests.items() if manifest.webhook is not None]
    return list(dict.fromkeys([*here, *config.connectors_of_accounts]))


def _add_webhooks(app: Flask, door: Door, config: GatewayConfig) -> None:
    @app.post("/webhooks/wix")
    def receive_wix() -> Response:
        body = door.body("wix")
        if isinstance(body, Response):
            return body
        delivery = wix.read_delivery(body.content, config.wix_keys, config.wix_app_id)
        return door.answer("wix", delivery)

    @app.post("/webhooks/external/<connector>")
    def receive_external(connector: str) -> Response:
        manifest = config.manifests.get(connector)
        if manifest is None and (refused := _lost(door, config, connector)) is not None:
            return refused
        if manifest is None or manifest.webhook is None:
            door.not_found("unknown_connector", request.path)
            return json_answer(404, error="there is no connector of this name")
        # As where an account was revoked, whoever asks.
        if config.has_left(connector):
            door.not_found("unknown_account", request.path)
            return json_answer(404, error="there is nobody at this address")
        return _received(door, manifest, config.clock())

    @app.post("/webhooks/external/<connector>/<address>")
    def receive_of_account(connector: str, address: str) -> Response:
        try:
            manifest = config.account_at(connector, address)
        except (Transient, Held, Misconfigured) as error:
            return door.cannot_know(connector, error)
        # Never given, revoked, of another connector: nobody learns which.
        if manifest is None or manifest.webhook is None:
            door.not_found("unknown_account", f"/webhooks/external/{connector}/")
            return json_answer(404, error="there is nobody at this address")
        return _received(door, manifest, config.clock())


def _lost(door: Door, config: GatewayConfig, connector: str) -> Response | None:
    """What a shop is answered whose site is there, while the environment lacks its settings.

    Senders take 404 for the end; they are to try again until the settings are back.
    """
    try:
        if not config.is_lost(connector):
            return None
    except Transient as error:
        return door.cannot_know(connector, error)
    missing = Misconfigured("its settings are not set in the environment")
    return door.cannot_know(connector, missing)


def _received(door: Door, manifest: Manifest, now: float) -> Response:
    """The answer to a webhook of a manifest's source."""
    body = door.body(manifest.source, may_be_empty=external.greets_empty(manifest))
    if isinstance(body, Response):
        return body
    headers, query = dict(request.headers), request.args.to_dict()
    reading = external.read_deliveries(manifest, body.content, headers, query, now, body.packed)
    return door.answer(manifest.source, reading, manifest.webhook)


def _add_checks(app: Flask, door: Door, config: GatewayConfig) -> None:
    @app.get("/healthz")
    def healthz() -> Response:
        return json_answer(OK, gateway="up")

    @app.get("/readyz")
    def readyz() -> Response:
        # Without Redis deliveries are safe all the same: it is only reported.
        is_ledger_up, is_broker_up = door.is_ledger_up(), config.is_broker_up()
        status = OK if is_ledger_up else 503
        return json_answer(status, ledger=_state(is_ledger_up), redis=_state(is_broker_up))

    @app.get("/metrics")
    def expose() -> Response:
        token = config.metrics_token
        if token is None or not may_read(request.headers.get("Authorization"), token):
            return json_answer(404, error="Not Found")
        return Response(exposition(), content_type=CONTENT_TYPE_LATEST)


def _begin() -> None:
    g.started, g.source, g.request_id = time.monotonic(), None, uuid.uuid4().hex
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _end(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.request_id
    if g.source is not None:
        metrics.gateway_answer_seconds.labels(connector_of(g.source)).observe(
            time.monotonic() - g.started
        )
    return response


def _add_last_net(app: Flask, door: Door) -> None:
    @app.errorhandler(Exception)
    def last_net(error: Exception) -> Response:
        """No byte string from outside may cause a 500: what we did not expect is tried again."""
        if isinstance(error, HTTPException):
            # Also a known path that is asked in another way than by POST.
            if error.code in (404, 405):
                door.not_found("unknown_path", request.path)
            return json_answer(error.code or 400, error=error.name)
        log.error("gateway_error", error=type(error).__name__, exc_info=error)
        return unavailable()


def _state(is_up: bool) -> str:
    return "up" if is_up else "down"
