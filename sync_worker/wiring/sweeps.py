"""Sweeps of one process: runs over a site, for the command and for the nightly schedule."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from functools import cached_property

from sync_worker.config import Settings
from sync_worker.core.sweep_values import Sweep
from sync_worker.core.values import Site, connector_of
from sync_worker.engine.holds.accounts import AccountWatch
from sync_worker.intake.intake import Intake
from sync_worker.ledger.administration.hook_states import SqlHookStates
from sync_worker.ledger.administration.site_faults import SqlSiteFaults
from sync_worker.ledger.sql_ledger import SqlLedger, sql_ledger
from sync_worker.ledger.sweeps import SqlSweeps
from sync_worker.reconcile.pace import Pace
from sync_worker.reconcile.planned_writes import PlannedWrite
from sync_worker.reconcile.reconcile import Reconcile
from sync_worker.reconcile.sweep_run import SweepRun
from sync_worker.runtime.celery.schedule import SLICE_SECONDS, NightlySweeps
from sync_worker.runtime.celery.site_faults import SiteFaults
from sync_worker.wiring.connectors import Connectors
from sync_worker.wiring.databases import Databases
from sync_worker.wiring.redis_parts import RedisParts
from sync_worker.wiring.remotes import Remotes

# Jobs of a sweep at a time: enough for any remote's budget, and webhooks keep their slots.
SWEEP_THREADS = 4


class Monotonic:
    """The clock of this process; implements ports.Clock."""

    monotonic = staticmethod(time.monotonic)
    cpu_seconds = staticmethod(time.thread_time)


class NoBell:
    """Implements ports.Bell where the sweeper of the workers is soon enough."""

    def ring(self, inbox_ids: Sequence[int]) -> None:
        return

    def import_files(self) -> None:
        """The workers' own schedule finds the files that wait."""


def new_id() -> str:
    """The id of an intent."""
    return str(uuid.uuid4())


class SweepParts:
    """What a run over a site needs: a ledger of its own, and remotes that let webhooks go first."""

    def __init__(
        self,
        settings: Settings,
        databases: Databases,
        redis: RedisParts,
        connectors: Connectors,
        remotes: Remotes,
    ) -> None:
        self._settings, self._databases, self._redis = settings, databases, redis
        self._connectors, self._remotes = connectors, remotes

    @cached_property
    def ledger(self) -> SqlLedger:
        """For what runs hand over: webhooks keep their connections."""
        return sql_ledger(self._databases.open(SWEEP_THREADS + 2))

    @cached_property
    def runs(self) -> SqlSweeps:
        """The runs themselves."""
        ledger = self.ledger
        return SqlSweeps(ledger.transactions, ledger.site_cache)

    def reconcile(
        self, site: Site, sweep: Sweep, pace: Pace, note: Callable[[PlannedWrite], None]
    ) -> Reconcile:
        """A run over a site; what it rings for is left to the workers' sweeper.

        Raises Misconfigured.
        """
        run = SweepRun(sweep, self.runs, pace, Monotonic())
        connection = self._remotes.connect_patiently(site, run.wait)
        intake = Intake(
            self.ledger,
            self._redis.guard,
            NoBell(),
            lambda site: connection,
            Monotonic(),
            new_id,
            cpu_seconds=self._settings.delivery_cpu_seconds,
        )
        return Reconcile(run, site, intake, note)

    def faults(self) -> SiteFaults:
        """What fails on which site now. Raises Transient."""
        return SiteFaults(SqlSiteFaults(self.ledger.transactions))

    def _enabled_again(self) -> dict[str, float]:
        """Seconds since webhooks were enabled again, of sources that can be listed."""
        known = self._connectors.known
        return {
            state.source: state.enabled_again_ago
            for state in SqlHookStates(self.ledger.transactions).enabled_again()
            if state.enabled_again_ago is not None
            and (manifest := known.get(connector_of(state.source))) is not None
            and manifest.operations.list is not None
        }

    def _wix_polls(self) -> dict[str, float]:
        """How often Wix is looked at, where only its owner's key opens a site."""
        settings = self._settings
        if not settings.wix_site_id:
            return {}
        found = self.runs.site_of_instance(settings.wix_site_id)
        return {found.external_source: settings.wix_poll_seconds} if found is not None else {}

    def nightly(self, slice_seconds: float = SLICE_SECONDS) -> NightlySweeps:
        """One slice of the sweeps and polls that are due, from now on. Raises Transient."""
        return NightlySweeps(
            manifests=self._connectors.known,
            runs=self.runs,
            faults=self.faults(),
            reconcile=self.reconcile,
            note_refusal=AccountWatch(self.ledger.site_sides, NoBell(), self._remotes.connect).note,
            reconcile_at=self._settings.reconcile_at,
            window_minutes=self._settings.reconcile_window_minutes,
            at_once=self._settings.sweeps_at_once,
            threads=SWEEP_THREADS,
            enabled_again=self._enabled_again(),
            wix_polls=self._wix_polls(),
            slice_seconds=slice_seconds,
        )
