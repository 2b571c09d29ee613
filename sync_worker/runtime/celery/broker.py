"""Redis as the broker, such that an unreadable message ends no worker, and a command costs less.

Two workarounds that reach into kombu, each on probation by itself (docs/architecture.md;
``python -m benchmarks probation`` measures them, tests/integration/test_library_contracts.py fails
when kombu changes under them). Made for kombu 5.7.0 and redis 8.1.0.

* **Unreadable messages are dropped and counted.** kombu takes a message off its queue before it
  reads it. One that it cannot read ends the worker with status 1, in some forms after the message
  is back in the queue for the next worker (measured; reported in
  https://github.com/celery/celery/issues/7975 and https://github.com/celery/kombu/issues/2421).
  Nothing is lost with it: it was a doorbell at most, and the sweeper rings again.
* **A channel keeps its client.** kombu makes a Redis client for every command. One for each pool
  saves 8 to 22 % of a worker's processor time for a rating on PostgreSQL, 5 to 12 % on SQLite
  (medians of five runs of 9 to 25 rounds, on busy cores).
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
    """Whether a message is a task as ours are: Celery's protocol 2, arguments as JSON in base64."""
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
    """Drops a message that is no JSON, and keeps one client for each pool of connections."""

    _kept_client: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[no-untyped-call]  # kombu ships no types
        # After a loss of the broker kombu makes a new pool.
        if self._kept_client is None or self._kept_client.connection_pool is not self.pool:
            self._kept_client = super()._create_client()  # type: ignore[no-untyped-call]  # nor here
        return self._kept_client

    def _brpop_read(self, **options: Any) -> bool:
        try:
            return bool(super()._brpop_read(**options))  # type: ignore[no-untyped-call]  # kombu ships no types
        except (ValueError, RecursionError) as error:
            _drop("no_json", error=type(error).__name__)
            raise Empty from error


class SafeTransport(Transport):
    """Drops a message that is JSON, but no task of ours."""

    Channel = SafeChannel

    def _deliver(self, message: Any, queue: str) -> None:
        # Events and remote control have forms and queues of their own.
        if queue in QUEUES and not is_readable(message):
            _drop("no_task", queue=queue)
            return
        super()._deliver(message, queue)  # type: ignore[no-untyped-call]  # nor here


def _drop(why: str, **facts: str) -> None:
    metrics.broker_messages_dropped.labels(why).inc()
    log.error("broker_message_dropped", why=why, **facts)


def install_safe_transport() -> None:
    """Let this process connect to a Redis broker by this transport from now on."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:{SafeTransport.__name__}"
