"""The real sweeps and polls, as workers of a world."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sync_worker.core.errors import Held, SyncError
from sync_worker.core.sweep_values import RunKind, Sweep
from sync_worker.core.values import Side, Site
from sync_worker.intake.intake import Intake
from sync_worker.reconcile.pace import Pace
from sync_worker.reconcile.planned_writes import PlannedWrite
from sync_worker.reconcile.reconcile import Reconcile
from sync_worker.reconcile.sweep_run import SweepRun
from tests.simulation.world.stepping import Crash, Stepping


class Sweeper:
    """``step``: told of each place where the world may step in. ``sleep``: lets time pass.

    ``site``: as it is now.
    """

    def __init__(
        self,
        runs: Any,
        site: Callable[[], Site],
        intake: Intake,
        step: Callable[[str], None],
        sleep: Callable[[float], None],
    ) -> None:
        self._site, self._intake = site, intake
        self._step, self._sleep = step, sleep
        self.runs = runs
        self.planned_writes: list[PlannedWrite] = []
        # Sides whose last listing showed too little to be believed.
        self.disbelieved: set[Side] = set()

    def work(self, kind: RunKind) -> None:
        """From its beginning, or from where one was interrupted, to its end or a crash."""
        runs: Any = Stepping(self.runs, self._step, "runs")
        try:
            site = self._site()
            if not site.is_at_work:
                return
            sweep = runs.begin(site.id, kind)
            if sweep is None:
                return
            try:
                run = self.reconcile(sweep, runs)
            except Held:  # its account has come to an end
                runs.release_run(sweep)
                return
            try:
                run.work()
            except SyncError:
                runs.release_run(sweep)
            if kind is RunKind.SWEEP:
                self.disbelieved = {
                    side for side in Side if run.sweep.counts.get(f"refused_{side}")
                }
        except Crash:
            return

    def reconcile(self, sweep: Sweep, runs: Any) -> Reconcile:
        run = SweepRun(sweep, runs, Pace(self._sleep), self._intake.clock)
        return Reconcile(run, self._site(), self._intake, self.planned_writes.append)
