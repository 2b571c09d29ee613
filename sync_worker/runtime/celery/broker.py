"""Redis as the broker, so that no message can stop the fleet, and no message costs more than it
must.

kombu takes a message off its queue before it reads it. What it cannot read ends the worker, which
puts the message back for the next worker to end by (celery/kombu 5.7, measured). Here such a
message is dropped and counted: it was a doorbell at most, and the sweeper rings again.
"""

from __future__ import annotations

import base64
import json
from queue import Empty
from typing import Any

import structlog
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport.redis import Channel, Transport

from sync_worker.telemetry import metrics
from sync_worker.telemetry.figures import QUEUES

log = structlog.get_logger(__name__)


def is_readable(message: object) -> bool:
    """Whether a message has the form of a task of ours: Celery's protocol 2, its arguments as JSON
    in base64.
    """
    match message:
        case {
            "headers": {"task": str(), "id": str()},
            "properties": {
                "delivery_tag": str(),
                "delivery_info": {"exchange": str(), "routing_key": str()},
                "body_encoding": "base64",
            },
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "body": str(body),
        }:
            return _holds_arguments(body)
        case _:
            return False


def _holds_arguments(body: str) -> bool:
    try:
        content = json.loads(base64.b64decode(body, validate=True))
    except (ValueError, RecursionError):
        return False
    match content:
        case [list(), dict(), dict()]:
            return True
        case _:
            return False


class SafeChannel(Channel):
    """Drops what is no JSON, and keeps its client.

    kombu makes a client for every command, and making one costs a worker more than the command
    (kombu 5.7, redis 8.1).
    """

    _kept_client: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[no-untyped-call]  # kombu ships no types
        if (
            self._kept_client is None or self._kept_client.connection_pool is not self.pool
        ):  # a new pool after a loss
            self._kept_client = super()._create_client()  # type: ignore[no-untyped-call]  # nor here
        return self._kept_client

    def _brpop_read(self, **options: Any) -> bool:
        try:
            return bool(super()._brpop_read(**options))  # type: ignore[no-untyped-call]  # kombu ships no types
        except (ValueError, RecursionError) as error:
            _drop("no_json", error=type(error).__name__)
            raise Empty from error


class SafeTransport(Transport):
    """Drops what is JSON, but no task of ours."""

    Channel = SafeChannel

    def _deliver(self, message: Any, queue: str) -> None:
        if queue in QUEUES and not is_readable(
            message
        ):  # events and remote control have forms of their own
            _drop("no_task", queue=queue)
            return
        super()._deliver(message, queue)  # type: ignore[no-untyped-call]  # nor here


def _drop(why: str, **facts: str) -> None:
    metrics.broker_messages_dropped.labels(why).inc()
    log.error("broker_message_dropped", why=why, **facts)


def install_safe_transport() -> None:
    """From now on connections of this process to a Redis broker are of this kind."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:{SafeTransport.__name__}"
