"""The parts of the console: services, each made when a page first asks for it.

Nothing here opens a sealed secret or calls a remote.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial

from sync_worker.config import Settings, environment, load_settings
from sync_worker.core.ports.catalogue import Catalogue
from sync_worker.core.values import Side, Site
from sync_worker.doctor.evidence import local_evidence, redis_reason
from sync_worker.ledger.accounts.store import SqlAccountStore
from sync_worker.ledger.administration.admin import LedgerAdmin, ledger_admin
from sync_worker.ledger.administration.door_counts import UNKNOWN_SOURCE
from sync_worker.ledger.deciding.decisions import SqlDecisions
from sync_worker.ledger.imports.files import SqlImportFiles
from sync_worker.ledger.ratings.activity_lines import ActivityLines
from sync_worker.ledger.ratings.rating_search import RatingSearch
from sync_worker.ledger.ratings.rating_story import RatingStories
from sync_worker.ledger.site_cache import SiteCache
from sync_worker.ledger.sweeps import SqlSweeps
from sync_worker.ledger.transactions import Transactions
from sync_worker.manifest.manifest import Manifest
from sync_worker.redis.request_limits import RedisLimits
from sync_worker.runtime.celery.asking import WorkersAsked
from sync_worker.services.access.access import Access, access_over
from sync_worker.services.access.owners import OwnerRules
from sync_worker.services.accounts.accounts import Accounts
from sync_worker.services.accounts.desk import AccountDesk
from sync_worker.services.comparing import Comparing
from sync_worker.services.deciding.decisions import Decisions
from sync_worker.services.evidence import Bounds, Evidence
from sync_worker.services.imports.imports import Imports
from sync_worker.services.machines import MachineRoom, MachineSources
from sync_worker.services.onboarding.guide import FOR_WORKERS, Guide
from sync_worker.services.onboarding.onboarding import Onboarding
from sync_worker.services.onboarding.products import Products, Wait
from sync_worker.services.overview import OverviewService
from sync_worker.services.ratings.activity import Activity
from sync_worker.services.ratings.rating import Ratings
from sync_worker.services.ratings.search import Search
from sync_worker.services.sites.mapping import Maps
from sync_worker.services.sites.pausing import Pausing
from sync_worker.services.sites.policies import Policies
from sync_worker.services.sites.sites import Sites
from sync_worker.telemetry.broker_figures import BrokerFigures
from sync_worker.telemetry.logs import set_up_logs
from sync_worker.wiring.connectors import Connectors
from sync_worker.wiring.console_entry import public_url
from sync_worker.wiring.databases import Databases
from sync_worker.wiring.held import HeldParts
from sync_worker.wiring.redis_parts import RedisParts
from sync_worker.wiring.secret_keys import sealer
from sync_worker.wiring.sweeps import NoBell

SQL_SECONDS = 5.0


class ConsoleParts:
    """Not for use across a fork."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self.settings, self.environ = settings, environ
        self.databases = Databases(settings, makes_ledger=False)

    @cached_property
    def transactions(self) -> Transactions:
        return Transactions(self.databases.open(self.settings.console_threads + 1, SQL_SECONDS))

    @cached_property
    def access(self) -> Access:
        return access_over(self.transactions, owner_rules(self.settings))

    @cached_property
    def admin(self) -> LedgerAdmin:
        return ledger_admin(self.transactions.engine)

    @cached_property
    def redis(self) -> RedisParts:
        return RedisParts(self.settings)

    def seconds_until_free(self, name: str) -> int | None:
        """As RedisLimits says it for all processes of the console; ``name``: of a program."""
        return self._limits.seconds_until_free(name)

    @cached_property
    def _limits(self) -> RedisLimits:
        return self.redis.request_limits(self.settings.console_api_per_minute)

    @cached_property
    def connectors(self) -> Connectors:
        return Connectors(self.settings, self.environ)

    @property
    def manifests(self) -> dict[str, Manifest]:
        """By connector. Raises Misconfigured."""
        return self.connectors.manifests

    @cached_property
    def overview(self) -> OverviewService:
        return OverviewService(self.admin, self._evidence)

    @cached_property
    def machines(self) -> MachineRoom:
        settings = self.settings
        return MachineRoom(
            MachineSources(
                self.admin.heartbeats.all,
                self._broker,
                self.databases.up_check.reason,
                "SQLite" if settings.is_sqlite else "PostgreSQL",
                settings.flower_url,
                settings.grafana_url,
            )
        )

    @cached_property
    def held_parts(self) -> HeldParts:
        return HeldParts(self.settings, self.connectors, self.admin)

    @cached_property
    def search(self) -> Search:
        return Search(RatingSearch(self.transactions))

    @cached_property
    def ratings(self) -> Ratings:
        return Ratings(RatingStories(self.transactions), self.settings.flower_url)

    @cached_property
    def activity(self) -> Activity:
        return Activity(ActivityLines(self.transactions))

    @cached_property
    def sites(self) -> Sites:
        return Sites(self.admin)

    @cached_property
    def pausing(self) -> Pausing:
        return Pausing(self.admin)

    @cached_property
    def policies(self) -> Policies:
        return Policies(self.admin)

    @cached_property
    def accounts(self) -> Accounts:
        """Seals what is given; opens nothing."""
        return Accounts(
            SqlAccountStore(self.transactions),
            self.admin,
            self.connectors.code_of,
            partial(sealer, self.settings),
            lambda: self.redis.account_news.tell(),
        )

    @cached_property
    def asking(self) -> WorkersAsked:
        """What lets workers do what a page is asked for."""
        return WorkersAsked(lambda: self.settings.broker, self.settings.redis_key_prefix)

    @cached_property
    def account_desk(self) -> AccountDesk:
        return AccountDesk(
            self.accounts,
            lambda: sorted(self.connectors.names),
            self.settings.gateway_public_url,
            self.asking,
        )

    @cached_property
    def guide(self) -> Guide:
        """The first steps of sites."""
        products = Products(self.admin, _reads_nothing, NoBell())
        steps = Onboarding(self.admin, products, FOR_WORKERS, self.accounts.store)
        return Guide(self.admin, steps, self.maps, self.asking)

    @cached_property
    def comparing(self) -> Comparing:
        sweeps = SqlSweeps(self.transactions, SiteCache())
        return Comparing(self.admin, sweeps, self.asking)

    @cached_property
    def imports(self) -> Imports:
        """Files of ratings that people send."""
        return Imports(self.admin, SqlImportFiles(self.transactions), self.asking)

    @cached_property
    def maps(self) -> Maps:
        """The catalogues of both sides are for workers to read."""
        return Maps(self.admin, Products(self.admin, _reads_nothing, NoBell()))

    def _evidence(self, bounds: Bounds) -> Evidence:
        """What the secrets and settings of shops are worth is for workers to say, not for us."""
        found = replace(local_evidence(self, bounds), locked_accounts=0, keys_reason="")
        if not found.connectors_reason:
            return found
        heard = frozenset(one.source for one in found.door) - {UNKNOWN_SOURCE}
        return replace(found, connectors_reason="", sources=found.sources | heard)

    def _broker(self) -> tuple[BrokerFigures | None, str]:
        why = redis_reason(self)
        if why is None:
            return None, "REDIS_URL is not set for the console"
        return (None, why) if why else (self.redis.broker_figures(), "")

    @cached_property
    def decisions(self) -> Decisions:
        """What people decide about single ratings; a worker is told at once."""
        return Decisions(SqlDecisions(self.transactions, SiteCache()), self.asking)

    @property
    def public_url(self) -> str:
        """Where browsers reach the console. Raises Misconfigured."""
        return public_url(self.settings)

    @property
    def form_key(self) -> str:
        """The same in each process of the console; a form's token is secret without it, too."""
        known = self.settings.token_seal or self.settings.database
        return hmac.new(known.encode(), b"forms of the console", hashlib.sha256).hexdigest()

    def close(self) -> None:
        self.databases.close()


def _reads_nothing(site: Site, wait: Wait) -> dict[Side, Catalogue]:
    return {}


def console_parts() -> ConsoleParts:
    """The parts of this process, from its environment. Raises Misconfigured."""
    environ = environment()
    settings = load_settings(environ)
    set_up_logs(settings.log_format, settings.log_level)
    return ConsoleParts(settings, environ)


def owner_rules(settings: Settings) -> OwnerRules:
    """How owners are let in."""
    return OwnerRules(
        settings.wix_app_secret.get_secret_value(),
        settings.wix_app_id,
        settings.console_instance_minutes * 60,
    )
