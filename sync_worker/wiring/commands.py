"""The parts of a command, of ``doctor``, and of the tests: each made when it is first needed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache, partial

from sync_worker.config import Settings, environment, load_settings
from sync_worker.core.ports.doorbell import Bell
from sync_worker.core.values import Site
from sync_worker.intake.intake import Intake
from sync_worker.ledger.accounts.store import SqlAccountStore
from sync_worker.ledger.administration.admin import LedgerAdmin, ledger_admin
from sync_worker.ledger.administration.retention import LedgerRetention
from sync_worker.ledger.deciding.decisions import SqlDecisions
from sync_worker.ledger.imports.files import SqlImportFiles
from sync_worker.ledger.imports.work import SqlImportWork
from sync_worker.ledger.ratings.activity_lines import ActivityLines
from sync_worker.ledger.ratings.rating_search import RatingSearch
from sync_worker.ledger.ratings.rating_story import RatingStories
from sync_worker.ledger.site_cache import SiteCache
from sync_worker.ledger.sql_ledger import SqlLedger, sql_ledger
from sync_worker.ledger.transactions import Transactions
from sync_worker.manifest.manifest import Manifest
from sync_worker.services.accounts.accounts import Accounts
from sync_worker.services.deciding.decisions import Decisions
from sync_worker.services.imports.imports import Imports
from sync_worker.services.imports.slices import ImportSlices
from sync_worker.services.ratings.activity import Activity
from sync_worker.services.ratings.rating import Ratings
from sync_worker.services.ratings.search import Search
from sync_worker.wiring.accounts.opening import account_book
from sync_worker.wiring.connectors import Connectors
from sync_worker.wiring.databases import Databases
from sync_worker.wiring.held import HeldParts
from sync_worker.wiring.imports import ImportSides
from sync_worker.wiring.redis_parts import RedisParts
from sync_worker.wiring.remotes import Remotes
from sync_worker.wiring.secret_keys import sealer
from sync_worker.wiring.site_opening import SiteOpening
from sync_worker.wiring.sweeps import Monotonic, NoBell, SweepParts, new_id


class Wiring:
    """Most commands need few parts, and some work where others are missing. Not for a fork.

    ``budget_clock``: of the request budgets, where there is no Redis to keep them.
    ``makes_ledger``: as ``Databases`` has it.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        budget_clock: Callable[[], float] = time.monotonic,
        *,
        makes_ledger: bool = True,
    ) -> None:
        self.settings, self.environ = settings, environ
        self.databases = Databases(settings, makes_ledger=makes_ledger)
        self.redis = RedisParts(settings, budget_clock)
        self.connectors = Connectors(settings, environ)
        self.book = account_book(
            settings, self.connectors, lambda: Transactions(self.databases.aside)
        )
        self.remotes = Remotes(
            settings, self.connectors, self.redis, self.book, lambda: self.admin.sites
        )
        self.sweeps = SweepParts(
            settings, self.databases, self.redis, self.connectors, self.remotes
        )
        self.sites = SiteOpening(lambda: self.admin, self.connectors, settings, self.remotes)

    @property
    def manifests(self) -> dict[str, Manifest]:
        """By connector. Raises Misconfigured."""
        return self.connectors.manifests

    @cached_property
    def admin(self) -> LedgerAdmin:
        return ledger_admin(self.databases.aside)

    @cached_property
    def accounts(self) -> Accounts:
        """What people do with accounts; the key is asked for when something is to be sealed."""
        return Accounts(
            SqlAccountStore(self.admin.transactions),
            self.admin,
            self.connectors.code_of,
            partial(sealer, self.settings),
            lambda: self.redis.account_news.tell(),
        )

    @cached_property
    def decisions(self) -> Decisions:
        """What people decide about single ratings."""
        return Decisions(SqlDecisions(self.admin.transactions, SiteCache()), NoBell())

    @cached_property
    def imports(self) -> Imports:
        """Files of ratings that people send, for the workers."""
        return Imports(self.admin, SqlImportFiles(self.admin.transactions), NoBell())

    @cached_property
    def search(self) -> Search:
        """Ratings, and deliveries that have come to none, by what a person has at hand."""
        return Search(RatingSearch(self.admin.transactions))

    @cached_property
    def ratings(self) -> Ratings:
        """Single ratings, and all that happened to them."""
        return Ratings(RatingStories(self.admin.transactions), self.settings.flower_url)

    @cached_property
    def activity(self) -> Activity:
        """What happened, in words."""
        return Activity(ActivityLines(self.admin.transactions))

    @cached_property
    def ledger(self) -> SqlLedger:
        return sql_ledger(self.databases.open(self.settings.slots + 2))

    @cached_property
    def retention(self) -> LedgerRetention:
        return LedgerRetention(self.databases.aside)

    def intake(self, bell: Bell) -> Intake:
        """An intake as a worker has it, without a worker's metrics."""
        return Intake(
            self.ledger,
            self.redis.guard,
            bell,
            self.remotes.connect,
            Monotonic(),
            new_id,
            self.sites,
            self.settings.delivery_cpu_seconds,
        )

    @property
    def import_sides(self) -> ImportSides:
        """What takes ratings of a file in, for a command and for a worker."""
        return ImportSides(
            lambda: self.ledger,
            lambda: self.intake(NoBell()),
            self.remotes.connect_patiently,
            lambda: self.sweeps.runs.peek,
        )

    def import_slices(self) -> ImportSlices | None:
        """What goes on with files that people have sent; ``None``: none waits. Raises Transient."""
        work = SqlImportWork(self.admin.transactions)
        if not work.are_due():
            return None
        return ImportSlices(work, self._site_of, self.import_sides, time.monotonic)

    def _site_of(self, site_id: int) -> Site:
        return self.admin.sites.find(str(site_id))

    @cached_property
    def held_parts(self) -> HeldParts:
        return HeldParts(self.settings, self.connectors, self.admin)

    def may_begin_ledger(self) -> None:
        """This command begins one where there is none."""
        self.databases.makes_ledger = True

    def close(self) -> None:
        """Let go of the databases; what was made here is of no use afterwards."""
        self.databases.close()


def wiring() -> Wiring:
    """The parts of this process, from its environment. Raises Misconfigured.

    No command begins a ledger but by ``may_begin_ledger``.
    """
    return _wiring_of(os.getpid())


@lru_cache(maxsize=1)
def _wiring_of(pid: int) -> Wiring:
    environ = environment()
    return Wiring(load_settings(environ), environ, makes_ledger=False)
