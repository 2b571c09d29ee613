"""Sweeps that nobody asks for: each site once a day, in slices short enough for a worker's task."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import structlog

from sync_worker.errors import SyncError
from sync_worker.model import Site
from sync_worker.reconcile import Job, Pace
from sync_worker.runs import RunKind
from sync_worker.wiring import SWEEP_THREADS, Wiring

SLICE_SECONDS = 45.0  # below the broker's visibility timeout, so that no slice is started twice

log = structlog.get_logger(__name__)


def seconds_since(daily: str, now: datetime) -> float:
    """Since the last time that clocks (UTC) showed ``HH:MM``."""
    hour, minute = map(int, daily.split(":"))
    slot = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return (now - (slot if slot <= now else slot - timedelta(days=1))).total_seconds()


class NightlySweeps:
    """The sweeps that are due. One process at a time works on a site; any may go on with it."""

    def __init__(self, parts: Wiring, slice_seconds: float = SLICE_SECONDS) -> None:
        self._parts, self._until = parts, time.monotonic() + slice_seconds

    def work(self) -> bool:
        """Whether something is left for the next slice."""
        for site in self._parts.admin.sites():
            every = self._every_seconds(site)
            if site.state != "active" or every is None or not self._parts.runs.is_due(site.id, every):
                continue
            if self._is_over() or not self._sweep(site):
                return True
        return False

    def _every_seconds(self, site: Site) -> float | None:
        """How old the last sweep of a site may be now; ``None``: it is never swept by itself."""
        manifest = self._parts.manifests.get(site.connector)
        poll = manifest.operations.poll if manifest is not None else None
        daily = self._parts.settings.reconcile_at
        ages = [float(poll.full_scan_every_s)] if poll is not None and poll.full_scan_every_s is not None else []
        if daily:
            ages.append(seconds_since(daily, datetime.now(UTC)))
        return min(ages, default=None)

    def _is_over(self) -> bool:
        return time.monotonic() > self._until

    def _sweep(self, site: Site) -> bool:
        """Work on a site's sweep; whether it needs no further slice (a failure waits for the next tick)."""
        runs = self._parts.runs
        sweep = runs.begin(site.id, RunKind.SWEEP)
        if sweep is None:
            return True  # somebody else is at it
        with ThreadPoolExecutor(SWEEP_THREADS) as pool:

            def together(jobs: Sequence[Job]) -> list[str]:
                return list(pool.map(lambda job: job(), jobs))

            run = self._parts.reconcile(site, sweep, Pace(time.sleep, together, self._is_over), lambda deed: None)
            try:
                is_finished = run.work()
            except SyncError as error:
                log.warning("sweep_interrupted", site=site.id, run=sweep.id, error=type(error).__name__)
                runs.release_run(run.sweep)
                return True
        if not is_finished:
            runs.release_run(run.sweep)
            return False
        log.info("sweep_done", site=site.id, run=sweep.id, **run.sweep.counts)
        return True
