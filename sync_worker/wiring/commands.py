"""Puts the parts together; the only module that knows every adapter."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from redis.exceptions import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from sync_worker.config import Settings, cache_url, environment, load_settings
from sync_worker.core.errors import Misconfigured
from sync_worker.core.ports.doorbell import Bell
from sync_worker.core.ports.remote import Connection, Remote
from sync_worker.core.sweep_values import Sweep
from sync_worker.core.values import Side, Site
from sync_worker.intake.intake import Intake
from sync_worker.ledger.admin import LedgerAdmin
from sync_worker.ledger.base import InboxObserver
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.figures import FigureLedger, LedgerFigures
from sync_worker.ledger.findings import SqlRuns
from sync_worker.ledger.migrations.upgrade import downgrade, upgrade
from sync_worker.ledger.retention import LedgerRetention, Retention
from sync_worker.ledger.sql_ledger import SqlLedger
from sync_worker.manifest.default_field import default_field
from sync_worker.manifest.loader import load_manifests, shipped_manifest
from sync_worker.manifest.manifest import Manifest
from sync_worker.reconcile.dry_run import PlannedWrite
from sync_worker.reconcile.reconcile import Pace, Reconcile
from sync_worker.redis.circuit_breaker import Breaker
from sync_worker.redis.client import (
    Asking,
    Nobody,
    RedisBudget,
    RedisGuard,
    RedisTokens,
    open_redis,
)
from sync_worker.redis.encryption import Seal
from sync_worker.remotes.external.hooks import ExternalHooks
from sync_worker.remotes.external.http import http_of
from sync_worker.remotes.external.plugins import remote_of
from sync_worker.remotes.http.client import Budget, FixedHeaders, NoBudget, RemoteHttp
from sync_worker.remotes.http.outage import Outage
from sync_worker.remotes.wix.auth import WixAuthorization
from sync_worker.remotes.wix.ratings import ENDPOINTS, WixApi, WixPeople, WixRatings, error_code
from sync_worker.runtime.local.embedded_redis import running_url
from sync_worker.telemetry.broker_figures import BrokerFigures, broker_figures
from sync_worker.telemetry.figures import QUEUES
from sync_worker.telemetry.metrics import (
    count_call,
    deliveries_taken_over,
    first_look_delay_seconds,
    observe_wait,
    watch_breaker,
)

if TYPE_CHECKING:
    from webhook_gateway.app import GatewayConfig

REDIS_SECONDS = 0.5
READY_SECONDS = 0.25
WORKER_SQL_SECONDS = 5.0
GATEWAY_SQL_SECONDS = 0.6
SWEEP_THREADS = (
    4  # jobs of a sweep at a time: enough for any remote's budget, and webhooks keep their slots
)


class Monotonic:
    """The clock of this process; implements ports.Clock."""

    def monotonic(self) -> float:
        return time.monotonic()


class NoBell:
    """Implements ports.Bell where the sweeper of the workers is soon enough."""

    def ring(self, inbox_ids: Sequence[int]) -> None:
        return


class Wiring:
    """All parts of one process, made when first needed. Not to be shared across a fork."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self.settings, self.environ = settings, environ
        self._connections: dict[tuple[int, bool], Connection] = {}
        self._outages: dict[str, Outage] = {}
        self._turn = threading.Lock()
        self._closing = ExitStack()
        if settings.is_sqlite:
            settings.ratings_sync_home.mkdir(parents=True, exist_ok=True)

    # -- ledger

    def open_database(self, busy_seconds: float, threads: int) -> Engine:
        """The ledger's database with the newest schema.

        ``busy_seconds``: how long a statement may wait.
        """
        try:
            self._upgrade(max(busy_seconds, WORKER_SQL_SECONDS))
            engine = open_engine(
                self.settings.database, busy_seconds=busy_seconds, pool_size=threads
            )
        except (SQLAlchemyError, ImportError) as error:
            reason = str(error).splitlines()[0]
            raise Misconfigured(
                f"DATABASE_URL: the ledger's database cannot be opened: {reason}"
            ) from error
        self._closing.callback(engine.dispose)
        return engine

    def _upgrade(self, busy_seconds: float) -> None:
        """Who starts while another process makes the tables waits for it longer than a delivery
        could.
        """
        engine = open_engine(self.settings.database, busy_seconds=busy_seconds)
        try:
            upgrade(engine)
        finally:
            engine.dispose()

    def step_back(self, revision: str) -> None:
        """Bring the schema back to an earlier one. Raises Misconfigured."""
        engine = open_engine(self.settings.database, busy_seconds=WORKER_SQL_SECONDS)
        try:
            downgrade(engine, revision)
        except (SQLAlchemyError, LookupError) as error:
            raise Misconfigured(
                f"cannot go back to {revision!r}: {str(error).splitlines()[0]}"
            ) from error
        finally:
            engine.dispose()

    @cached_property
    def ledger(self) -> SqlLedger:
        engine = self.open_database(WORKER_SQL_SECONDS, self.settings.slots + 2)
        return SqlLedger(
            engine,
            observer=InboxObserver(first_look_delay_seconds.observe, deliveries_taken_over.inc),
        )

    @cached_property
    def _aside(self) -> Engine:
        """For what is not a delivery: it must not take a connection from those that are."""
        return self.open_database(WORKER_SQL_SECONDS, 2)

    @cached_property
    def admin(self) -> LedgerAdmin:
        return LedgerAdmin(self._aside)

    @cached_property
    def retention(self) -> LedgerRetention:
        return LedgerRetention(self._aside)

    @property
    def kept(self) -> Retention:
        settings = self.settings
        return Retention(
            settings.retention_payload_days,
            settings.retention_inbox_days,
            settings.retention_history_days,
            settings.retention_run_days,
        )

    def ledger_figures(self) -> LedgerFigures:
        """Raises Transient."""
        return FigureLedger(self._aside).figures()

    # -- redis

    @cached_property
    def cache(self) -> Asking:
        """One for all uses of Redis here: what fails for one fails for all."""
        breaker = Nobody() if self._is_alone else Breaker(observe=watch_breaker("redis"))
        return Asking(open_redis(self._cache_url, REDIS_SECONDS), breaker)

    @property
    def _cache_url(self) -> str:
        """REDIS_URL's; without it that of `ratings-sync up` in this folder, else an address where
        nobody answers.

        A command that runs beside neither works without Redis: with a budget of its own, and
        without the guard.
        """
        if self.settings.redis_url is not None:
            return self.settings.cache
        url = self._own_redis
        nobody = (self.settings.ratings_sync_home / "redis" / "nobody").absolute()
        return cache_url(url) if url is not None else f"unix://{nobody}"

    @cached_property
    def _own_redis(self) -> str | None:
        """That of `ratings-sync up` in this folder, if it runs."""
        return running_url(self.settings.ratings_sync_home / "redis")

    @property
    def _is_alone(self) -> bool:
        """No Redis is meant to be there, so no webhook is being worked on either."""
        return self.settings.redis_url is None and self._own_redis is None

    def broker_figures(self) -> BrokerFigures:
        """Of REDIS_URL's broker, without it of `ratings-sync up` in this folder.

        Raises RedisError, Misconfigured.
        """
        url = self._own_redis if self.settings.redis_url is None else None
        with open_redis(url or self.settings.broker, REDIS_SECONDS) as redis:
            return broker_figures(redis, QUEUES, self.settings.redis_key_prefix)

    @cached_property
    def guard(self) -> RedisGuard:
        return RedisGuard(self.cache)

    def _budget(self, name: str, capacity: float, per_minute: float, *, is_patient: bool) -> Budget:
        """``is_patient``: for sweeps and files, which leave a quarter of the bucket to webhooks if
        there are any.
        """
        return RedisBudget(
            self.cache,
            f"budget:{name}",
            capacity=capacity,
            per_minute=per_minute,
            processes=self.settings.budget_processes,
            reserve=capacity / 4 if is_patient and not self._is_alone else 0.0,
        )

    # -- remotes

    @cached_property
    def manifests(self) -> dict[str, Manifest]:
        return manifests_of(self.settings, self.environ)

    def connect(self, site: Site) -> Connection:
        """The live remotes of a site, made once. Raises Misconfigured."""
        return self._connect(site, is_patient=False)

    def connect_patiently(self, site: Site) -> Connection:
        """The same for sweeps and files: webhooks go first. Raises Misconfigured."""
        return self._connect(site, is_patient=True)

    def _connect(self, site: Site, *, is_patient: bool) -> Connection:
        with self._turn:
            if (site.id, is_patient) not in self._connections:
                self._connections[site.id, is_patient] = self._connection(
                    site, is_patient=is_patient
                )
            return self._connections[site.id, is_patient]

    def _connection(self, site: Site, *, is_patient: bool) -> Connection:
        api = self.wix_api(site.instance_id, is_patient=is_patient)
        external = self.external(site.connector, is_patient=is_patient)
        remotes: dict[Side, Remote] = {Side.WIX: WixRatings(api), Side.EXTERNAL: external}
        # A plugin has them or has not: only parent_changed events ask for children, and polls can
        # list the whole.
        children, changed = (getattr(external, name, None) for name in ("children", "changed_page"))
        return Connection(remotes, WixPeople(api), children, changed)

    def wix_api(self, instance_id: str, *, is_patient: bool = False) -> WixApi:
        settings = self.settings
        url = settings.wix_api_base_url
        is_local = url.startswith("http://")
        token_http = RemoteHttp(
            url,
            remote="wix",
            authorization=FixedHeaders({}),
            budget=NoBudget(),
            allow_private_hosts=is_local,
            observe=count_call,
            observe_wait=observe_wait,
            outage=self._outage("wix"),
        )
        authorization = WixAuthorization(
            token_http,
            self._tokens,
            app_id=settings.wix_app_id,
            app_secret=settings.wix_app_secret.get_secret_value(),
            instance_id=instance_id,
            token_path=ENDPOINTS["create_token"][1],
        )
        budget = self._budget(
            f"wix:{instance_id}",
            settings.wix_budget_capacity,
            settings.wix_budget_per_minute,
            is_patient=is_patient,
        )
        http = RemoteHttp(
            url,
            remote="wix",
            authorization=authorization,
            budget=budget,
            allow_private_hosts=is_local,
            code_of=error_code,
            pool_size=settings.slots,
            observe=count_call,
            observe_wait=observe_wait,
            outage=self._outage("wix"),
        )
        return WixApi(http)

    def _outage(self, remote: str) -> Outage:
        """One for each remote, not for each site: it leaves a quarter of the slots to the
        others.
        """
        if remote not in self._outages:
            self._outages[remote] = Outage(
                self.settings.slots * 3 // 4, observe=watch_breaker(remote)
            )
        return self._outages[remote]

    @cached_property
    def hooks(self) -> dict[str, ExternalHooks]:
        """Our webhooks at external systems that let us manage them, by connector."""
        managed = [
            one
            for one in self.manifests.values()
            if one.webhook is not None and one.webhook.manage is not None
        ]
        return {one.id: ExternalHooks(one, self._external_http(one)) for one in managed}

    def _external_http(self, manifest: Manifest, *, is_patient: bool = False) -> RemoteHttp:
        budget = manifest.http.budget
        name, capacity = f"external:{manifest.id}", float(budget.requests)
        shared = self._budget(name, capacity, budget.per_minute, is_patient=is_patient)
        outage = self._outage(f"external:{manifest.id}")
        return http_of(
            manifest,
            shared,
            self._tokens,
            observe=count_call,
            observe_wait=observe_wait,
            outage=outage,
        )

    def external(self, connector: str, *, is_patient: bool = False) -> Remote:
        manifest = self.manifests.get(connector)
        if manifest is None:
            raise Misconfigured(
                f"there is no connector {connector!r}; name its manifest in CONNECTORS"
            )
        return remote_of(manifest, self._external_http(manifest, is_patient=is_patient))

    @property
    def _tokens(self) -> RedisTokens:
        return RedisTokens(self.cache, Seal(self.settings.wix_app_secret.get_secret_value()))

    def close(self) -> None:
        """Let go of the database; what was made here is of no use afterwards."""
        self._closing.close()

    # -- the whole

    @cached_property
    def runs(self) -> SqlRuns:
        """For sweeps; the whole ledger too."""
        return SqlRuns(self.open_database(WORKER_SQL_SECONDS, SWEEP_THREADS + 2))

    def reconcile(
        self, site: Site, sweep: Sweep, pace: Pace, note: Callable[[PlannedWrite], None]
    ) -> Reconcile:
        """A run over a site; what it rings for is left to the workers' sweeper.

        Raises Misconfigured.
        """
        self.connect_patiently(site)
        parts = (
            self.runs,
            self.guard,
            NoBell(),
            self.connect_patiently,
            Monotonic(),
            lambda: str(uuid.uuid4()),
        )
        return Reconcile(sweep, site, self.runs, Intake(*parts), pace, note)

    def intake(self, bell: Bell) -> Intake:
        return Intake(
            self.ledger,
            self.guard,
            bell,
            self.connect,
            Monotonic(),
            lambda: str(uuid.uuid4()),
            self,
        )

    def open(self, instance_id: str) -> tuple[Site, Sequence[int]] | None:
        """Implements ports.Sites."""
        taken = {one.connector for one in self.admin.sites()}
        free = [manifest for name, manifest in self.manifests.items() if name not in taken]
        if len(free) != 1:
            return None
        try:
            fields, policies = [default_field(free[0])], free[0].first_policies
            return self.admin.add_site(instance_id, free[0].id, fields, policies)
        except Misconfigured:
            return (
                None  # somebody else was quicker, or its scale needs a person: `site add` says so
            )


def manifests_of(settings: Settings, environ: Mapping[str, str]) -> dict[str, Manifest]:
    """The manifests that CONNECTORS names: shipped ones by name, others as files or folders.

    Raises Misconfigured.
    """
    return load_manifests(manifest_paths(settings), environ)


def manifest_paths(settings: Settings) -> list[Path]:
    """The files and folders that CONNECTORS names. Raises Misconfigured if one does not exist."""
    names = [name.strip() for name in settings.connectors.split(",") if name.strip()]
    paths = [
        Path(name) if "/" in name or name.endswith((".yaml", ".yml")) else shipped_manifest(name)
        for name in names
    ]
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise Misconfigured(f"CONNECTORS names {', '.join(missing)}, which does not exist")
    return paths


@lru_cache(maxsize=1)
def _wiring_of(pid: int) -> Wiring:
    environ = environment()
    return Wiring(load_settings(environ), environ)


def wiring() -> Wiring:
    """The wiring of this process, from its environment."""
    return _wiring_of(os.getpid())


def gateway_config() -> GatewayConfig:
    """What the gateway needs, from the environment. Raises Misconfigured."""
    from sync_worker.telemetry.logs import set_up_logs
    from webhook_gateway.app import GatewayConfig
    from webhook_gateway.doorbell import CeleryBell
    from webhook_gateway.group_commit import COMMITTERS
    from webhook_gateway.wix import load_public_keys

    parts = wiring()
    settings = parts.settings
    set_up_logs(settings)
    ledger = SqlLedger(parts.open_database(GATEWAY_SQL_SECONDS, COMMITTERS + 1))
    transport: dict[str, object] = {"global_keyprefix": settings.redis_key_prefix}
    return GatewayConfig(
        wix_keys=load_public_keys(settings.wix_public_key),
        wix_app_id=settings.wix_app_id,
        manifests=parts.manifests,
        store=ledger.inbox.store_all,
        bell=CeleryBell(
            settings.broker, transport=transport, breaker=Breaker(observe=watch_breaker("doorbell"))
        ),
        is_ledger_up=lambda: is_ledger_up(ledger),
        is_broker_up=lambda: is_redis_up(settings.broker),
        max_body_bytes=settings.gateway_max_body_bytes,
        answer_seconds=settings.gateway_answer_seconds,
        metrics_token=settings.metrics_token.get_secret_value() if settings.metrics_token else None,
        bad_signatures_per_minute=settings.bad_signatures_per_minute,
    )


def is_ledger_up(ledger: SqlLedger) -> bool:
    """Whether the ledger can be written."""
    try:
        ledger.inbox.touch()
    except Exception:  # whatever is wrong, the answer is no
        return False
    return True


def is_redis_up(url: str) -> bool:
    try:
        with open_redis(url, READY_SECONDS) as redis:
            return bool(redis.ping())
    except RedisError:
        return False
