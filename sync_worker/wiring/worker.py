"""The parts of a worker: made once for each process, the ledger before the first task comes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache

from sync_worker.config import Settings, environment, load_settings
from sync_worker.core.ports.doorbell import Bell
from sync_worker.intake.intake import Intake
from sync_worker.ledger.accounts.old_shops import SqlOldShops
from sync_worker.ledger.accounts.own_hooks import SqlOwnHooks
from sync_worker.ledger.accounts.store import SqlAccountStore
from sync_worker.ledger.accounts.upkeep import SqlAccountUpkeep
from sync_worker.ledger.administration.admin import LedgerAdmin, ledger_admin
from sync_worker.ledger.administration.heartbeats import SqlHeartbeats
from sync_worker.ledger.administration.hook_states import SqlHookStates
from sync_worker.ledger.administration.retention import LedgerRetention
from sync_worker.ledger.console.pauses import SqlPauses
from sync_worker.ledger.inbox import InboxObserver
from sync_worker.ledger.sql_ledger import SqlLedger, sql_ledger
from sync_worker.ledger.transactions import Transactions
from sync_worker.manifest.manifest import Manifest
from sync_worker.remotes.external.hooks import HookCheck
from sync_worker.remotes.http.outage import SlotShares
from sync_worker.runtime.celery.bell import WorkerBell
from sync_worker.runtime.celery.schedule import NightlySweeps
from sync_worker.runtime.celery.site_faults import SiteFaults
from sync_worker.services.leaving import Farewells
from sync_worker.services.old_shops import OldShops
from sync_worker.services.onboarding.products import Products
from sync_worker.services.own_hooks import OwnHooks
from sync_worker.telemetry.metrics import deliveries_taken_over, first_look_delay_seconds
from sync_worker.wiring.accounts.opening import account_book
from sync_worker.wiring.accounts.own_shops import warn_of_own_shops
from sync_worker.wiring.accounts.upkeep import AccountUpkeep
from sync_worker.wiring.connectors import Connectors
from sync_worker.wiring.databases import Databases
from sync_worker.wiring.redis_parts import RedisParts
from sync_worker.wiring.remotes import Remotes
from sync_worker.wiring.secret_keys import warn_of_locked
from sync_worker.wiring.site_opening import SiteOpening
from sync_worker.wiring.sweeps import Monotonic, SweepParts, new_id


class WorkerWiring:
    """What the tasks work with. ``bell`` rings for deliveries that can go on."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], bell: Bell) -> None:
        self.settings, self._bell = settings, bell
        self.databases = Databases(settings)
        self.redis = RedisParts(settings)
        self._connectors = Connectors(settings, environ)
        self._book = account_book(settings, self._connectors, self._transactions, self._listen)
        self._remotes = Remotes(
            settings, self._connectors, self.redis, self._book, lambda: self.admin.sites
        )
        self._sweeps = SweepParts(
            settings, self.databases, self.redis, self._connectors, self._remotes
        )

    def prepare(self) -> None:
        """Open the ledger before the first task comes, and say what will stand still."""
        _ = self.intake
        warn_of_locked(self.settings, self.ledger.transactions)
        warn_of_own_shops(self._connectors, self.ledger.transactions)

    @cached_property
    def ledger(self) -> SqlLedger:
        observer = InboxObserver(first_look_delay_seconds.observe, deliveries_taken_over.inc)
        return sql_ledger(self.databases.open(self.settings.threads + 2), observer=observer)

    @cached_property
    def intake(self) -> Intake:
        return Intake(
            self.ledger,
            self.redis.guard,
            self._bell,
            self._remotes.connect,
            Monotonic(),
            new_id,
            SiteOpening(lambda: self.admin, self._connectors, self.settings, self._remotes),
            self.settings.delivery_cpu_seconds,
            SlotShares(
                self.settings.slots,
                has_others=lambda: self.admin.sites.are_several(),
                threads=self.settings.threads,
            ),
        )

    @cached_property
    def admin(self) -> LedgerAdmin:
        return ledger_admin(self.databases.aside)

    @cached_property
    def retention(self) -> LedgerRetention:
        return LedgerRetention(self.databases.aside)

    @cached_property
    def products(self) -> Products:
        """What looks for new products of the sites."""
        return Products(self.admin, self._remotes.catalogues, self._bell)

    @property
    def connectors(self) -> Connectors:
        return self._connectors

    @property
    def manifests(self) -> dict[str, Manifest]:
        """By connector. Raises Misconfigured."""
        return self._connectors.manifests

    @property
    def managed_hooks(self) -> list[str]:
        """The connectors of the environment whose webhooks we look after. Raises Transient."""
        left = self.admin.sites.left_of_environment() if self._remotes.managed_hooks else ()
        return [name for name in self._remotes.managed_hooks if name not in left]

    def check_hooks(self, source: str) -> HookCheck:
        """Look at our webhooks of a source. Raises what remotes raise."""
        if source in self._connectors.manifests:
            return self._remotes.hooks(source).check()
        return self.accounts.check_hooks(source)

    @cached_property
    def accounts(self) -> AccountUpkeep:
        """What workers look after for accounts."""
        return AccountUpkeep(
            self.settings,
            self._connectors,
            self._book,
            self._remotes,
            lambda: SqlAccountUpkeep(self._transactions()),
            self.redis.tokens.claim,
        )

    @property
    def farewells(self) -> Farewells:
        """What becomes of accounts whose site has left."""
        return Farewells(SqlAccountStore(self._transactions()), self._remotes.leaving_hooks)

    @property
    def old_shops(self) -> OldShops:
        """Shops that accounts have left for another address."""
        return OldShops(SqlOldShops(self._transactions()), self._remotes.old_hooks)

    @property
    def own_hooks(self) -> OwnHooks:
        """Our webhooks at the shop of the environment, as its site goes and comes back."""
        return OwnHooks(
            SqlOwnHooks(self._transactions()),
            self._remotes.managed_hooks,
            self._remotes.hooks,
            self.redis.tokens.claim,
        )

    @property
    def pauses(self) -> SqlPauses:
        """Sites that a person has paused."""
        return SqlPauses(self._transactions())

    def _listen(self, heard: Callable[[], None]) -> None:
        self.redis.account_news.listen(heard)

    def _transactions(self) -> Transactions:
        return Transactions(self.databases.aside)

    @property
    def hook_states(self) -> SqlHookStates:
        """What is known of the webhooks of each connector."""
        return self.admin.hook_states

    @property
    def heartbeats(self) -> SqlHeartbeats:
        """Where processes show that they live."""
        return self.admin.heartbeats

    @property
    def remote_names(self) -> list[str]:
        """Of Wix and of every external system, as metrics name them."""
        return ["wix", *self._connectors.known]

    def site_faults(self) -> SiteFaults:
        """What fails on which site now. Raises Transient."""
        return self._sweeps.faults()

    def nightly_sweeps(self, slice_seconds: float) -> NightlySweeps:
        """One slice of the sweeps and polls that are due. Raises Transient."""
        return self._sweeps.nightly(slice_seconds)


def worker_wiring(bell: WorkerBell) -> WorkerWiring:
    """The parts of this process, from its environment. Raises Misconfigured."""
    return _wiring_of(os.getpid(), bell)


@lru_cache(maxsize=1)
def _wiring_of(pid: int, bell: WorkerBell) -> WorkerWiring:
    environ = environment()
    return WorkerWiring(load_settings(environ), environ, bell)
