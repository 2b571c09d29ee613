"""A run over one site in the hands of this process: where it stands, its lease, its waiting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from sync_worker.core.errors import RateLimited
from sync_worker.core.outcome import Outcome, OutcomeKind
from sync_worker.core.ports.clock import Clock
from sync_worker.core.ports.remote import Page
from sync_worker.core.ports.sweeps import Sweeps
from sync_worker.core.sweep_values import Listed, Phase, Sweep
from sync_worker.reconcile.pace import Job, Pace

PAUSE_SECONDS = 0.25  # between two looks at a used-up budget
KEEP_SECONDS = 5.0  # the run's lease is renewed that often
PASSING = (OutcomeKind.RATE_LIMITED, OutcomeKind.LEASE_LOST)
MAX_LOST = 5  # leases of one job; then it is left to the workers

T = TypeVar("T")


@dataclass(slots=True)
class SweepRun:
    """The one writer of ``sweep``. Its calls raise LeaseLost if another goes on with the run."""

    sweep: Sweep
    runs: Sweeps
    pace: Pace
    clock: Clock
    kept_at: float = 0.0

    def move(self, phase: Phase, page: str | None, more: Mapping[str, int]) -> None:
        """The run is at this page of this phase now; ``more`` is added to its counts."""
        counts = dict(self.sweep.counts)
        for name, number in more.items():
            counts[name] = counts.get(name, 0) + number
        self.sweep = replace(self.sweep, phase=phase, page=page, counts=counts)

    def note_newest(self, page: Page) -> None:
        """Remember the latest time that a page of changes showed: the next poll begins there."""
        times = [time for time in (self.sweep.newest, page.newest) if time is not None]
        self.sweep = replace(self.sweep, newest=max(times, default=None))

    def save(self, rows: Sequence[Listed] = ()) -> None:
        """Keep where the run stands, together with what a page showed."""
        self.runs.save(self.sweep, rows)

    # -- waiting

    def patiently(self, call: Callable[[], T]) -> T:
        """The answer to a call, however long its budget makes us wait."""
        while True:
            try:
                return call()
            except RateLimited as limit:
                self.wait(limit.retry_after or PAUSE_SECONDS)

    def until_paid(self, job: Job) -> Outcome:
        """The outcome of a job, done again for as long as the budget refuses it.

        And a few times where its lease has ended while it waited: who took it is busy with it then.
        """
        outcome, lost = job(), 0
        while outcome.kind in PASSING and lost < MAX_LOST:
            lost += outcome.kind is OutcomeKind.LEASE_LOST
            self.wait(PAUSE_SECONDS)
            outcome = job()
        self._keep()
        return outcome

    def wait(self, seconds: float) -> None:
        """Wait, and keep the run meanwhile. May raise, so that a run can be stopped."""
        # A longer pause would let the run's lease end.
        while seconds > KEEP_SECONDS:
            self._wait(KEEP_SECONDS)
            seconds -= KEEP_SECONDS
        self._wait(seconds)

    def _wait(self, seconds: float) -> None:
        self.pace.wait(seconds)
        self._keep()

    def _keep(self) -> None:
        """Renew the lease of the run now and then."""
        now = self.clock.monotonic()
        if now - self.kept_at > KEEP_SECONDS:
            self.kept_at = now
            self.runs.renew_run(self.sweep)
