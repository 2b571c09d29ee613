"""Both sides of a site compared whole, and what a run would do; nothing is written."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

from sync_worker.core.errors import SyncError
from sync_worker.core.said import joined, said
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import Site
from sync_worker.reconcile.pace import Pace
from sync_worker.reconcile.reconcile import Reconcile
from sync_worker.services.counted import outcome_words, write_words
from sync_worker.services.onboarding.steps import Result, StepState
from sync_worker.wiring import Wiring

BUSY = said("the site is being compared by another process; try again when it is done")


def dry_run(wiring: Wiring, site: Site) -> Result:
    """Say what the start would do; the run keeps its numbers. Raises SyncError."""
    runs = wiring.sweeps.runs
    sweep = runs.begin(site.id, RunKind.DRY_RUN)
    if sweep is None:
        return Result(StepState.FAILED, BUSY)
    if not sweep.is_dry:
        runs.release_run(sweep)
        return Result(StepState.DONE, said("the comparison is under way already"))
    try:
        run = wiring.sweeps.reconcile(site, sweep, Pace(time.sleep), lambda write: None)
        outcomes, writes = _planned(run)
    except SyncError:
        runs.end(sweep, "abandoned", "the dry run did not come to its end")
        raise
    counts = {f"outcome_{what}": many for what, many in outcomes.items()}
    counts |= {f"write_{what}": many for what, many in writes.items()}
    runs.end(replace(run.sweep, counts={**run.sweep.counts, **counts}))
    return Result(StepState.DONE, _words(outcomes, writes))


def _planned(run: Reconcile) -> tuple[Counter[str], Counter[str]]:
    """What findings would lead to: how many by outcome, and the writes by kind."""
    run.list_both()
    run.confirm_absences()
    outcomes, writes = Counter[str](), Counter[str]()
    for _, forecast in run.forecasts():
        outcomes[forecast.outcome] += 1
        writes.update(planned.what for planned in forecast.planned_writes)
    return outcomes, writes


def _words(outcomes: Counter[str], writes: Counter[str]) -> str:
    found = [joined(" ", [str(many), outcome_words(what)]) for what, many in outcomes.most_common()]
    planned = [joined(" × ", [str(many), write_words(what)]) for what, many in writes.most_common()]
    return said(
        "%(found)s; writes: %(writes)s",
        found=joined(", ", found) or said("nothing to do"),
        writes=joined(", ", planned) or said("none"),
    )
