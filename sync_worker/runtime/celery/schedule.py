"""Sweeps and polls that nobody asks for, in slices short enough for a worker's task.

Each site is swept whole once a day, and its external side is looked at as often as its connector's
manifest says.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog

from sync_worker.core.errors import LeaseLost, Misconfigured, Permanent, SyncError, Transient
from sync_worker.core.outcome import Outcome
from sync_worker.core.sweep_values import RunKind, Sweep
from sync_worker.core.values import Site
from sync_worker.manifest.schema.calls import Poll
from sync_worker.reconcile.reconcile import Job, Pace
from sync_worker.wiring import SWEEP_THREADS, Wiring

SLICE_SECONDS = 45.0
# For what is in hand; with the slice below the broker's visibility timeout: none starts twice
GRACE_SECONDS = 60.0

log = structlog.get_logger(__name__)


def seconds_since(daily: str, now: datetime) -> float:
    """Since the last time that clocks (UTC) showed ``HH:MM``."""
    hour, minute = map(int, daily.split(":"))
    slot = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return (now - (slot if slot <= now else slot - timedelta(days=1))).total_seconds()


class NightlySweeps:
    """The sweeps and polls that are due.

    One process at a time works on a site; any may go on with it.
    """

    def __init__(self, parts: Wiring, slice_seconds: float = SLICE_SECONDS) -> None:
        self._parts, self._until = parts, time.monotonic() + slice_seconds

    def work(self) -> bool:
        """Whether something is left for the next slice."""
        for site in self._parts.admin.sites():
            kind = self._due(site) if site.state == "active" else None
            if kind is not None and (self._is_over() or not self._run(site, kind)):
                return True
        return False

    def _due(self, site: Site) -> RunKind | None:
        """A sweep goes first: it shows all that a poll would."""
        manifest = self._parts.manifests.get(site.connector)
        poll = manifest.operations.poll if manifest is not None else None
        paces = {
            RunKind.SWEEP: self._sweep_seconds(poll),
            RunKind.POLL: float(poll.every_s) if poll is not None else None,
        }
        is_due = self._parts.runs.is_due
        return next(
            (
                kind
                for kind, every in paces.items()
                if every is not None and is_due(site.id, kind, every)
            ),
            None,
        )

    def _sweep_seconds(self, poll: Poll | None) -> float | None:
        """How old the last sweep may be now; ``None``: there is none by itself."""
        daily = self._parts.settings.reconcile_at
        ages = (
            [float(poll.full_scan_every_s)]
            if poll is not None and poll.full_scan_every_s is not None
            else []
        )
        if daily:
            ages.append(seconds_since(daily, datetime.now(UTC)))
        return min(ages, default=None)

    def _is_over(self) -> bool:
        return time.monotonic() > self._until

    def _wait(self, seconds: float) -> None:
        """Raises Transient where the budget would make a slice wait for ever."""
        if time.monotonic() > self._until + GRACE_SECONDS:
            raise Transient("the slice is over")
        time.sleep(seconds)

    def _run(self, site: Site, kind: RunKind) -> bool:
        """Work on a site; whether that needs no further slice (a failure waits for the next
        tick).
        """
        runs = self._parts.runs
        sweep = runs.begin(site.id, kind)
        if sweep is None:
            return True  # somebody else is at it
        with ThreadPoolExecutor(SWEEP_THREADS) as pool:

            def together(jobs: Sequence[Job]) -> list[Outcome]:
                return list(pool.map(lambda job: job(), jobs))

            run = self._parts.reconcile(
                site, sweep, Pace(self._wait, together, self._is_over), lambda planned_write: None
            )
            try:
                is_finished = run.work()
            except SyncError as error:
                log.warning(
                    f"{kind}_interrupted", site=site.id, run=sweep.id, error=type(error).__name__
                )
                self._let_go(run.sweep, error)
                return True
        if not is_finished:
            runs.release_run(run.sweep)
            return False
        log.info(f"{kind}_done", site=site.id, run=sweep.id, **run.sweep.counts)
        return True

    def _let_go(self, sweep: Sweep, error: SyncError) -> None:
        """What will pass goes on with the next tick.

        A poll that cannot succeed is over; the next one has its time.
        """
        is_over = sweep.kind is RunKind.POLL and isinstance(error, Permanent | Misconfigured)
        with suppress(LeaseLost):
            (
                self._parts.runs.end(sweep, "abandoned")
                if is_over
                else self._parts.runs.release_run(sweep)
            )
