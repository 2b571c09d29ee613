"""The gateway's composition: what the door needs, from the environment."""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from redis.exceptions import RedisError

from sync_worker.config import Settings, environment, load_settings, misspelt_names
from sync_worker.core.errors import Transient
from sync_worker.core.ports.doorbell import Bell
from sync_worker.core.processes import BEAT_SECONDS, ProcessKind
from sync_worker.ledger.administration.door_counts import SqlDoorCounts
from sync_worker.ledger.administration.heartbeats import SqlHeartbeats
from sync_worker.ledger.administration.hook_states import SqlHookStates
from sync_worker.ledger.sql_ledger import sql_ledger
from sync_worker.ledger.up_check import UpCheck
from sync_worker.manifest.manifest import Manifest
from sync_worker.redis.circuit_breaker import Breaker
from sync_worker.redis.client import open_redis
from sync_worker.remotes.wix.public_keys import load_public_keys
from sync_worker.telemetry.door_book import DoorBook
from sync_worker.telemetry.heartbeat import Heartbeat, ThisProcess
from sync_worker.telemetry.logs import set_up_logs, warn_of_misspelt
from sync_worker.telemetry.metrics import watch_breaker
from sync_worker.wiring.accounts.opening import account_book
from sync_worker.wiring.accounts.own_shops import OwnShops, warn_of_own_shops
from sync_worker.wiring.connectors import Connectors
from sync_worker.wiring.databases import (
    GATEWAY_SILENT_SECONDS,
    GATEWAY_SQL_SECONDS,
    Databases,
)
from sync_worker.wiring.redis_parts import RedisParts
from sync_worker.wiring.secret_keys import warn_of_locked
from webhook_gateway.doorbell import CeleryBell
from webhook_gateway.group_commit import COMMITTERS, Store

MAX_BODY_BYTES = 256 * 1024
ANSWER_SECONDS = 1.0
READY_SECONDS = 0.25
BOOK_SECONDS = 5.0
_ENDS: list[Callable[[], None]] = []


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """All that the door needs.

    ``store`` commits all that it is given, or raises Transient when SQL is away; ``account_at`` is
    the manifest of the account at a connector and an address, or ``None``, and raises what hinders
    it from telling; ``is_lost``: whether a site has the shop of that connector in the environment,
    which does not hold it any more, raises Transient; ``has_left``: whether that site has removed
    the app;
    ``note_ledger_failure`` is told of that; ``note_heard`` of a connector that has reached us;
    ``note_door`` how a request ended (source, result, reason); ``start`` begins what goes on beside
    the requests; ``is_broker_up`` is only reported.
    """

    wix_keys: Sequence[RSAPublicKey]
    wix_app_id: str
    manifests: Mapping[str, Manifest]
    store: Store
    bell: Bell
    is_ledger_up: Callable[[], bool]
    # For what one source sends beyond its share; None: it is rung for like all others.
    ring_after_others: Callable[[Sequence[int], str], None] | None = None
    account_at: Callable[[str, str], Manifest | None] = lambda connector, address: None
    connectors_of_accounts: Sequence[str] = ()
    is_lost: Callable[[str], bool] = lambda connector: False
    has_left: Callable[[str], bool] = lambda connector: False
    note_ledger_failure: Callable[[Exception], None] = lambda error: None
    note_heard: Callable[[str], None] = lambda source: None
    note_door: Callable[[str, str, str], None] = lambda source, result, reason: None
    start: Callable[[], None] = lambda: None
    is_broker_up: Callable[[], bool] = lambda: True
    max_body_bytes: int = MAX_BODY_BYTES
    answer_seconds: float = ANSWER_SECONDS
    metrics_token: str | None = None  # None: /metrics is closed
    bad_signatures_per_minute: int = 30
    clock: Callable[[], float] = field(default=time.time)


def gateway_config() -> GatewayConfig:
    """What the environment says. Raises LedgerAway, Misconfigured."""
    environ = environment()
    settings = load_settings(environ)
    set_up_logs(settings.log_format, settings.log_level)
    warn_of_misspelt(misspelt_names(environ))
    # One for signs of life and the book of the door, one for accounts.
    ledger = sql_ledger(
        Databases(settings).open(COMMITTERS + 2, GATEWAY_SQL_SECONDS, GATEWAY_SILENT_SECONDS)
    )
    warn_of_locked(settings, ledger.transactions)
    connectors = Connectors(settings, environ)
    warn_of_own_shops(connectors, ledger.transactions)
    accounts = account_book(
        settings,
        connectors,
        lambda: ledger.transactions,
        lambda heard: RedisParts(settings).account_news.listen(heard),
    )
    up_check, own_shops = UpCheck(ledger.transactions), OwnShops(connectors, ledger.transactions)
    book = DoorBook(SqlDoorCounts(ledger.transactions).add)
    token = settings.metrics_token
    bell = doorbell(settings)
    _ENDS.append(bell.close)
    return GatewayConfig(
        wix_keys=load_public_keys(settings.wix_public_key) if settings.has_app else (),
        wix_app_id=settings.wix_app_id,
        manifests=connectors.manifests,
        store=ledger.inbox.store_all,
        bell=bell,
        ring_after_others=bell.ring_after_others,
        is_ledger_up=up_check.is_up,
        account_at=accounts.manifest_at,
        connectors_of_accounts=list(connectors.names) if connectors.serve_accounts else (),
        is_lost=own_shops.is_lost,
        has_left=own_shops.has_left,
        note_ledger_failure=up_check.note_failure,
        note_heard=SqlHookStates(ledger.transactions).note_heard,
        note_door=book.note,
        start=lambda: start_signs(SqlHeartbeats(ledger.transactions), book, settings.gateway_pool),
        is_broker_up=lambda: is_redis_up(settings.broker),
        max_body_bytes=settings.gateway_max_body_bytes,
        answer_seconds=settings.gateway_answer_seconds,
        metrics_token=token.get_secret_value() if token is not None else None,
        bad_signatures_per_minute=settings.bad_signatures_per_minute,
    )


def doorbell(settings: Settings) -> CeleryBell:
    """How workers are rung for."""
    return CeleryBell(
        settings.broker,
        transport={"global_keyprefix": settings.redis_key_prefix},
        breaker=Breaker(observe=watch_breaker("doorbell")),
        threads=settings.threads,
    )


def start_signs(heartbeats: SqlHeartbeats, book: DoorBook, pool: tuple[int, int]) -> None:
    """Show signs of life of this process, and write its book down, beside the requests."""
    process = ThisProcess(ProcessKind.GATEWAY, slots=pool[1])
    signs = Heartbeat(lambda: heartbeats.note(process.now()), BEAT_SECONDS)
    pages = Heartbeat(book.flush, BOOK_SECONDS)

    def end() -> None:
        signs.stop()
        pages.stop()
        with suppress(Transient):
            book.flush()
            heartbeats.note_stop(process.now())

    signs.start()
    pages.start()
    _ENDS.append(end)


def end_signs() -> None:
    """The process ends as it was told to: write down what is left."""
    while _ENDS:
        _ENDS.pop()()


# Of gunicorn; our own children leave in a way that skips it, and call ``end_signs`` themselves.
atexit.register(end_signs)


def is_redis_up(url: str) -> bool:
    """Whether a Redis answers there within a moment."""
    try:
        with open_redis(url, READY_SECONDS) as redis:
            return bool(redis.ping())
    except RedisError:
        return False
