"""Sweeps and polls that nobody asks for, in slices short enough for a worker's task.

Each site is swept whole once a day, and its external side is looked at as often as its connector's
manifest says. Each site has its turn of a slice, and its fault stays its own.
"""

from __future__ import annotations

import math
import random
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Protocol
from zlib import crc32

import structlog

from sync_worker.core.errors import LeaseLost, NoRoom, SyncError, Transient, Unauthorized
from sync_worker.core.outcome import Outcome, OutcomeKind
from sync_worker.core.ports.sweeps import Sweeps
from sync_worker.core.sweep_values import RunKind, Sweep
from sync_worker.core.values import Site, connector_of
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.polling import Poll
from sync_worker.reconcile.pace import Job, Pace
from sync_worker.reconcile.planned_writes import PlannedWrite
from sync_worker.reconcile.reconcile import Reconcile
from sync_worker.runtime.celery.site_faults import SiteFaults, failure_words

SLICE_SECONDS = 45.0
TURN_SECONDS = 10.0  # of one site, then the next one that is due has its turn
# For what is in hand; with the slice below the broker's visibility timeout: none starts twice
GRACE_SECONDS = 60.0
# An open run shuts out polls: one that fails each time is given up after so many tries.
MAX_HOPELESS_TRIES = 3

log = structlog.get_logger(__name__)


class MakeRun(Protocol):
    """Makes a run over a site. Raises Misconfigured."""

    def __call__(
        self, site: Site, sweep: Sweep, pace: Pace, note: Callable[[PlannedWrite], None]
    ) -> Reconcile: ...


class DueRuns(Protocol):
    """What is due on which site."""

    def was_due(self, site_id: int, kind: RunKind, every_seconds: float) -> bool:
        """Whether a run of a site was open and free, or none had begun for so long."""


class SiteRuns(Sweeps, Protocol):
    """The runs of sweeps, and which sites have them."""

    def active_sites(self) -> Sequence[tuple[int, str]]:
        """The number and the external source of each site that is at work."""

    def site(self, site_id: int) -> Site:
        """Raises LookupError."""

    def begin(self, site_id: int, kind: RunKind, *, most: int | None = None) -> Sweep | None:
        """As Sweeps.begin, where fewer than ``most`` are under way in the fleet. Raises NoRoom."""

    def is_due(self, site_id: int, kind: RunKind, every_seconds: float) -> bool:
        """Whether a run of a site is open and free, or none has begun for so long."""

    def due_runs(self) -> DueRuns:
        """What is due on every site at work: one question for all of them."""


@dataclass(frozen=True, slots=True)
class DueRun:
    """A sweep or poll of one site whose time has come."""

    site_id: int
    source: str
    kind: RunKind
    every_seconds: float


@dataclass(frozen=True, slots=True)
class Night:
    """When the daily sweeps are.

    ``at``: HH:MM (UTC), or nothing: never. Many sites are spread over the time from then on, a
    minute for each up to ``window_minutes``; each site has the same time every night, until there
    are twice as many.
    """

    at: str
    window_minutes: float

    def offset_seconds(self, source: str, sites: int) -> float:
        """How long after the first one a site has its turn, of so many."""
        # A site that is added moves nobody: who was just swept would be swept again this night.
        places = 1 << max(0, sites - 1).bit_length()
        window = min(self.window_minutes, places - 1) * 60.0
        return window * crc32(source.encode()) / 2**32


def seconds_since(daily: str, now: datetime, offset_seconds: float = 0.0) -> float:
    """Since the last time that clocks (UTC) showed ``HH:MM``, and so many seconds more."""
    hour, minute = map(int, daily.split(":"))
    slot = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    slot += timedelta(seconds=offset_seconds)
    while slot > now:
        slot -= timedelta(days=1)
    return (now - slot).total_seconds()


class NightlySweeps:
    """One slice of the sweeps and polls that are due.

    One process at a time works on a site; any may go on with it. ``reconcile_at``: HH:MM (UTC) of
    the daily sweeps, or nothing; ``window_minutes``: those of many sites are spread over them;
    ``at_once``: so many sites in the fleet; ``threads``: jobs of a run at a time; ``turn_seconds``:
    for one site, before the next one that is due; ``enabled_again``: how many seconds ago a webhook
    of an external source was enabled again, which a sweep has to follow; ``wix_polls``: how often
    Wix is looked at for a source whose site no webhook of Wix tells of; ``note_refusal``: told of
    what a remote refuses to us on a site; whether the account is refused, and not that alone.
    """

    def __init__(
        self,
        *,
        manifests: Mapping[str, Manifest],
        runs: SiteRuns,
        faults: SiteFaults,
        reconcile: MakeRun,
        note_refusal: Callable[[Unauthorized, Site], bool],
        reconcile_at: str,
        threads: int,
        window_minutes: float = 0.0,
        at_once: int | None = None,
        enabled_again: Mapping[str, float] = MappingProxyType({}),
        wix_polls: Mapping[str, float] = MappingProxyType({}),
        slice_seconds: float = SLICE_SECONDS,
        turn_seconds: float = TURN_SECONDS,
    ) -> None:
        self._manifests, self._runs, self._faults = manifests, runs, faults
        self._reconcile, self._night = reconcile, Night(reconcile_at, window_minutes)
        self._at_once = at_once
        self._threads, self._turn_seconds = threads, turn_seconds
        self._note_refusal, self._enabled_again = note_refusal, enabled_again
        self._wix_polls = wix_polls
        self._until = time.monotonic() + slice_seconds
        self._turn_until = self._until
        self.turns: list[str] = []  # what was worked on, in words

    def work(self) -> bool:
        """Whether something is left for the next slice. Raises Transient."""
        waiting = deque(self._due_runs())
        # By chance: where a slice is too short for all, no site is always the last.
        random.shuffle(waiting)
        while waiting:
            if self._is_over():
                return True
            due = waiting.popleft()
            try:
                is_ended = self._take_turn(due)
            except NoRoom:
                # Those who are at it go on by themselves.
                return False
            if not is_ended:
                waiting.append(due)
        return False

    def _due_runs(self) -> list[DueRun]:
        due_runs, sites = self._runs.due_runs(), self._runs.active_sites()
        found = (self._due(site_id, source, due_runs, len(sites)) for site_id, source in sites)
        return [due for due in found if due is not None]

    def _due(self, site_id: int, source: str, due_runs: DueRuns, sites: int) -> DueRun | None:
        """What was due on a site. A sweep goes first: it shows all that a poll would."""
        manifest = self._manifests.get(connector_of(source))
        poll = manifest.operations.poll if manifest is not None else None
        polls = [float(poll.every_s)] if poll is not None else []
        if source in self._wix_polls:
            polls.append(self._wix_polls[source])
        ages = {
            RunKind.SWEEP: self._sweep_seconds(source, poll, sites),
            RunKind.POLL: min(polls, default=None),
        }
        for kind, age in ages.items():
            # A sweep is due without a schedule, too, where nobody told what happened for a while.
            if age is None and kind is RunKind.SWEEP:
                age = math.inf
            if age is None or self._faults.is_paused(kind, source):
                continue
            if due_runs.was_due(site_id, kind, age):
                return DueRun(site_id, source, kind, age)
        return None

    def _sweep_seconds(self, source: str, poll: Poll | None, sites: int) -> float | None:
        """How old the last sweep may be now; ``None``: there is none by itself."""
        ages = []
        # A hook was disabled: nobody told what happened meanwhile.
        if source in self._enabled_again:
            ages.append(self._enabled_again[source])
        if poll is not None and poll.full_scan_every_s is not None:
            ages.append(float(poll.full_scan_every_s))
        if self._night.at:
            offset = self._night.offset_seconds(source, sites)
            ages.append(seconds_since(self._night.at, datetime.now(UTC), offset))
        return min(ages, default=None)

    def _is_over(self) -> bool:
        return time.monotonic() > self._until

    def _is_turn_over(self) -> bool:
        return time.monotonic() > self._turn_until

    def _wait(self, seconds: float) -> None:
        """Raises Transient where the budget would make a turn wait for ever."""
        if time.monotonic() > self._turn_until + GRACE_SECONDS:
            raise Transient("the turn of the site is over")
        time.sleep(seconds)

    def _take_turn(self, due: DueRun) -> bool:
        """Work on a site; whether it needs no further turn. What fails has its pause first."""
        self._turn_until = min(self._until, time.monotonic() + self._turn_seconds)
        try:
            # Another process may have swept the site since all were asked.
            if not self._runs.is_due(due.site_id, due.kind, due.every_seconds):
                return True
            sweep = self._runs.begin(due.site_id, due.kind, most=self._at_once)
            # Somebody else is at it.
            if sweep is None:
                return True
            self.turns.append(f"{due.kind} of {due.source}, site {due.site_id}")
            return self._work_on(due, sweep)
        except LeaseLost:
            return True  # another process goes on with the run
        except NoRoom:
            raise
        except Exception as error:
            self._faults.failed(due.kind, due.source, error)
            return True

    def _work_on(self, due: DueRun, sweep: Sweep) -> bool:
        """Whether the run has come to its end."""
        run: Reconcile | None = None
        try:
            with ThreadPoolExecutor(self._threads) as pool:

                def together(jobs: Sequence[Job]) -> list[Outcome]:
                    return list(pool.map(_outcome_of, jobs))

                pace = Pace(self._wait, together, self._is_turn_over)
                site = self._runs.site(due.site_id)
                run = self._reconcile(site, sweep, pace, lambda planned_write: None)
                is_finished = run.work()
        except LeaseLost:
            raise
        except Exception as error:
            self._give_up(due, sweep if run is None else run.sweep, error)
            return True
        if not is_finished:
            self._runs.release_run(run.sweep)
            return False
        self._faults.succeeded(due.kind, due.source)
        log.info(f"{due.kind}_done", site=due.site_id, run=sweep.id, **run.sweep.counts)
        return True

    def _give_up(self, due: DueRun, sweep: Sweep, error: Exception) -> None:
        """What will pass goes on after a pause.

        A run that cannot succeed is over: a poll at once, and a sweep after some tries.
        """
        failures = self._faults.failed(due.kind, due.source, error)
        # A refused account is asked by its probe; it may be accepted again in a minute.
        is_refused = isinstance(error, Unauthorized) and self._note_refusal(
            error, self._runs.site(due.site_id)
        )
        is_hopeless = not (isinstance(error, Transient) or is_refused)
        is_poll = sweep.kind is RunKind.POLL
        with suppress(LeaseLost):
            if is_hopeless and (is_poll or failures >= MAX_HOPELESS_TRIES):
                self._runs.end(sweep, "abandoned", failure_words(error))
            else:
                self._runs.release_run(sweep)


def _outcome_of(job: Job) -> Outcome:
    """The outcome of one job: what nobody foresaw is left to the workers, who count it."""
    try:
        return job()
    except SyncError:
        raise
    except Exception as error:
        log.error("rating_of_sweep_failed", error=type(error).__name__, exc_info=error)
        return Outcome(OutcomeKind.FAILED)
