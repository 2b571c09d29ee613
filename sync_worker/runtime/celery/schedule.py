"""Sweeps and polls that nobody asks for, in slices short enough for a worker's task.

Each site is swept whole once a day, and its external side is looked at as often as its connector's
manifest says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from sync_worker.core.errors import LeaseLost, Misconfigured, Permanent, SyncError, Transient
from sync_worker.core.outcome import Outcome
from sync_worker.core.ports.sweeps import Sweeps
from sync_worker.core.sweep_values import RunKind, Sweep
from sync_worker.core.values import Site, SiteState
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.calls import Poll
from sync_worker.reconcile.pace import Job, Pace
from sync_worker.reconcile.planned_writes import PlannedWrite
from sync_worker.reconcile.reconcile import Reconcile

SLICE_SECONDS = 45.0
# For what is in hand; with the slice below the broker's visibility timeout: none starts twice
GRACE_SECONDS = 60.0

log = structlog.get_logger(__name__)


class MakeRun(Protocol):
    """Makes a run over a site. Raises Misconfigured."""

    def __call__(
        self, site: Site, sweep: Sweep, pace: Pace, note: Callable[[PlannedWrite], None]
    ) -> Reconcile: ...


def seconds_since(daily: str, now: datetime) -> float:
    """Since the last time that clocks (UTC) showed ``HH:MM``."""
    hour, minute = map(int, daily.split(":"))
    slot = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if slot > now:
        slot -= timedelta(days=1)
    return (now - slot).total_seconds()


class NightlySweeps:
    """One slice of the sweeps and polls that are due.

    One process at a time works on a site; any may go on with it. ``reconcile_at``: HH:MM (UTC) of
    the daily sweeps, or nothing; ``threads``: jobs of a run at a time.
    """

    def __init__(
        self,
        *,
        sites: Callable[[], Sequence[Site]],
        manifests: Mapping[str, Manifest],
        runs: Sweeps,
        is_due: Callable[[int, RunKind, float], bool],
        reconcile: MakeRun,
        reconcile_at: str,
        threads: int,
        slice_seconds: float = SLICE_SECONDS,
    ) -> None:
        self._sites, self._manifests = sites, manifests
        self._runs, self._is_due, self._reconcile = runs, is_due, reconcile
        self._reconcile_at, self._threads = reconcile_at, threads
        self._until = time.monotonic() + slice_seconds

    def work(self) -> bool:
        """Whether something is left for the next slice."""
        for site in self._sites():
            kind = self._due(site) if site.state == SiteState.ACTIVE else None
            if kind is not None and (self._is_over() or not self._run(site, kind)):
                return True
        return False

    def _due(self, site: Site) -> RunKind | None:
        """What is due on a site. A sweep goes first: it shows all that a poll would."""
        manifest = self._manifests.get(site.connector)
        poll = manifest.operations.poll if manifest is not None else None
        sweep_seconds = self._sweep_seconds(poll)
        if sweep_seconds is not None and self._is_due(site.id, RunKind.SWEEP, sweep_seconds):
            return RunKind.SWEEP
        if poll is not None and self._is_due(site.id, RunKind.POLL, float(poll.every_s)):
            return RunKind.POLL
        return None

    def _sweep_seconds(self, poll: Poll | None) -> float | None:
        """How old the last sweep may be now; ``None``: there is none by itself."""
        ages = []
        if poll is not None and poll.full_scan_every_s is not None:
            ages.append(float(poll.full_scan_every_s))
        if self._reconcile_at:
            ages.append(seconds_since(self._reconcile_at, datetime.now(UTC)))
        return min(ages, default=None)

    def _is_over(self) -> bool:
        return time.monotonic() > self._until

    def _wait(self, seconds: float) -> None:
        """Raises Transient where the budget would make a slice wait for ever."""
        if time.monotonic() > self._until + GRACE_SECONDS:
            raise Transient("the slice is over")
        time.sleep(seconds)

    def _run(self, site: Site, kind: RunKind) -> bool:
        """Work on a site; whether it needs no further slice.

        A failure waits for the next tick.
        """
        sweep = self._runs.begin(site.id, kind)
        if sweep is None:
            return True  # somebody else is at it
        with ThreadPoolExecutor(self._threads) as pool:

            def together(jobs: Sequence[Job]) -> list[Outcome]:
                return list(pool.map(lambda job: job(), jobs))

            pace = Pace(self._wait, together, self._is_over)
            run = self._reconcile(site, sweep, pace, lambda planned_write: None)
            try:
                is_finished = run.work()
            except SyncError as error:
                name = type(error).__name__
                log.warning(f"{kind}_interrupted", site=site.id, run=sweep.id, error=name)
                self._let_go(run.sweep, error)
                return True
        if not is_finished:
            self._runs.release_run(run.sweep)
            return False
        log.info(f"{kind}_done", site=site.id, run=sweep.id, **run.sweep.counts)
        return True

    def _let_go(self, sweep: Sweep, error: SyncError) -> None:
        """What will pass goes on with the next tick.

        A poll that cannot succeed is over; the next one has its time.
        """
        is_hopeless = isinstance(error, Permanent | Misconfigured)
        with suppress(LeaseLost):
            if sweep.kind is RunKind.POLL and is_hopeless:
                self._runs.end(sweep, "abandoned")
            else:
                self._runs.release_run(sweep)
