"""``ratings-sync reconcile``: compare both sides whole, show the plan, and bring them in step."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from sync_worker.adapters.ledger_held import HeldFilter
from sync_worker.cli_common import JSON, SITE
from sync_worker.errors import LeaseLost, Misconfigured, SyncError
from sync_worker.logs import set_up_logs
from sync_worker.model import Side, Site
from sync_worker.reconcile import LISTING, Job, Pace, Reconcile
from sync_worker.rehearsal import Deed, Forecast
from sync_worker.runs import Finding, Mark, RunKind, RunLedger, Sweep
from sync_worker.wiring import SWEEP_THREADS, wiring

EXAMPLES = 3
TAKE_OVER_SECONDS = 25.0  # a killed run's lease ends by then
BEAT_SECONDS = 5.0


class Stopped(Exception):
    """A person has stopped the run while it waited."""


@dataclass(slots=True)
class Summary:
    """What findings lead to: how many by outcome, with a few examples. ``deeds``: the remote writes, by kind."""

    outcomes: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    deeds: Counter[str] = field(default_factory=Counter)
    listing: list[dict[str, Any]] | None = None

    def add(self, finding: Finding, forecast: Forecast) -> None:
        self.outcomes[forecast.outcome] += 1
        shown = self.examples.setdefault(forecast.outcome, [])
        if len(shown) < EXAMPLES:
            shown.append(_in_words(finding, forecast))
        for deed in forecast.deeds:
            self.note(deed)

    def note(self, deed: Deed) -> None:
        self.deeds[deed.what] += 1
        if self.listing is not None:
            self.listing.append(deed_as_json(deed))


def deed_as_json(deed: Deed) -> dict[str, Any]:
    """One remote write for programs; who rated is named by address, as on the external side."""
    return {
        "operation": str(deed.operation),
        "side": str(deed.side),
        "entity": deed.entity,
        "person": deed.person,
        "values": {name: str(value) for name, value in sorted(deed.values.items())},
        "remote_id": deed.remote_id,
    }


def _in_words(finding: Finding, forecast: Forecast) -> str:
    if forecast.deeds:
        deed = forecast.deeds[0]
        values = ", ".join(f"{name} {value.normalize():f}" for name, value in deed.values.items())
        return f"{deed.remote_id or deed.entity} {values}".strip()
    return ", ".join(f"{row.side} {row.remote_id}" for row in finding.rows)


@click.command()
@SITE
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@click.option(
    "--direction",
    type=click.Choice(["both", "to_wix", "to_external"]),
    default="both",
    show_default=True,
    help="Only write to this side in this run; the rest stays for another one.",
)
@click.option("--allow-deletes", type=click.IntRange(1), metavar="N", help="So many deletes are right (for a day).")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--actions", is_flag=True, help="With --json: also every single write.")
@JSON
def reconcile(
    site_name: str | None,
    dry_run: bool,
    direction: str,
    allow_deletes: int | None,
    yes: bool,
    actions: bool,
    as_json: bool,
) -> None:
    """Compare both sides whole, show the plan, and bring them in step.

    Interrupted, it loses nothing: the same command goes on where it was. The first complete run is the baseline;
    after it, sweeps run by themselves every night.

    \b
    Example: ratings-sync reconcile --dry-run
             ratings-sync reconcile --yes --json
    """
    parts = wiring()
    set_up_logs(parts.settings)
    site = parts.admin.find_site(site_name)
    if site.state != "active":
        raise Misconfigured(f"site {site.id} is {site.state}; `ratings-sync site resume` first")
    if not (dry_run or yes or sys.stdin.isatty()):
        raise Misconfigured("nobody can be asked here: add --yes, or look first with --dry-run")
    if allow_deletes is not None and not dry_run:
        parts.runs.allow_deletes(site.id, allow_deletes)
        parts.admin.release(HeldFilter(reason="delete_brake", site=site))
    sweep = _begin(parts.runs, site, RunKind.DRY_RUN if dry_run else RunKind.SWEEP)
    show = _Show(Console(stderr=True), as_json=as_json, actions=actions)
    with show.progress, _stoppable(show):
        run = parts.reconcile(site, sweep, show.pace(), show.done.note)
        try:
            _run(run, show, dry=dry_run, direction=direction, yes=yes)
        except Stopped:
            parts.runs.release_run(run.sweep)
        except LeaseLost:
            raise Misconfigured("another process went on with this run; look again with --dry-run") from None
        except SyncError:
            parts.runs.release_run(run.sweep)
            raise
    show.close(run.sweep)
    if show.is_stopped:
        sys.exit(130)


def _begin(runs: RunLedger, site: Site, kind: RunKind) -> Sweep:
    """The run, also one whose holder was killed a moment ago. Raises Misconfigured."""
    until = time.monotonic() + TAKE_OVER_SECONDS
    while (sweep := runs.begin(site.id, kind)) is None:
        if time.monotonic() > until:
            raise Misconfigured(f"site {site.id} is being reconciled by another process; try again when it is done")
        time.sleep(0.5)
    return sweep


def _run(run: Reconcile, show: _Show, *, dry: bool, direction: str, yes: bool) -> None:
    if not (run.list_both() and run.confirm_absences()):
        run.runs.release_run(run.sweep)
        return
    show.plan = _plan(run, show, direction, dry=dry)
    if show.is_stopped:
        run.runs.release_run(run.sweep)
        return
    if dry:
        # What an interrupted run had begun is left to it.
        if run.sweep.is_dry:
            run.runs.end(run.sweep)
        else:
            run.runs.release_run(run.sweep)
        show.is_finished = True
        return
    if not (yes or _is_confirmed(run, show)):
        if show.is_stopped:
            run.runs.release_run(run.sweep)
            return
        run.runs.end(run.sweep, "abandoned")
        show.is_declined = True
        return
    show.begin_writing()
    show.is_finished = run.apply()
    if not show.is_finished:
        run.runs.release_run(run.sweep)


def _plan(run: Reconcile, show: _Show, direction: str, *, dry: bool) -> Summary:
    """Every finding rehearsed; those that would write to a side not asked for are left for another run."""
    plan = Summary(listing=[] if show.actions else None)
    marks = run.runs.count_marks(run.sweep)
    plan.outcomes["in_step"] = marks.get(Mark.IN_STEP, 0)
    show.begin_planning(marks.get(Mark.OPEN, 0))
    left: list[Finding] = []
    for finding, forecast in run.forecasts():
        if show.is_stopped:
            break
        show.step(sum(row.mark is Mark.OPEN for row in finding.rows))
        if direction != "both" and any(f"to_{deed.side}" != direction for deed in forecast.deeds):
            left.append(finding)
            forecast = replace(forecast, outcome="left (other direction)", deeds=())
        plan.add(finding, forecast)
    for start in range(0, len(left) if not dry else 0, 50):
        run.runs.leave(run.sweep, left[start : start + 50])
    return plan


def _is_confirmed(run: Reconcile, show: _Show) -> bool:
    if not show.plan.deeds and not show.plan.outcomes.total() > show.plan.outcomes["in_step"]:
        return True
    show.progress.stop()
    show.print_plan()
    with _kept(run), show.asking():
        return click.confirm("Go on?", err=True)
    return False  # Ctrl-C: neither yes nor no


@contextmanager
def _kept(run: Reconcile) -> Iterator[None]:
    """The run stays ours while a person thinks."""
    is_over = threading.Event()

    def renew() -> None:
        while not is_over.wait(BEAT_SECONDS):
            run.runs.renew_run(run.sweep)

    keeper = threading.Thread(target=renew, name="run lease", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        is_over.set()
        keeper.join()


@contextmanager
def _stoppable(show: _Show) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) ends after what is in hand; the second one at once."""

    def stop(number: int, frame: object) -> None:
        if show.is_stopped or show.is_asking:
            raise KeyboardInterrupt
        show.stop()

    before = {name: signal.signal(name, stop) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, was in before.items():
            signal.signal(name, was)


class _Show:
    """What a person sees: bars on stderr while it works; the plan and the outcome, or one JSON document, at the end."""

    def __init__(self, console: Console, *, as_json: bool, actions: bool) -> None:
        self.console, self.as_json, self.actions = console, as_json, actions
        self.plan, self.done = Summary(), Summary(listing=[] if actions else None)
        self.is_finished = self.is_declined = self.is_plan_shown = self.is_asking = False
        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
            TimeRemainingColumn(),
            console=console,
            disable=as_json or not console.is_terminal,
        )
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(SWEEP_THREADS)
        self._task: TaskID | None = None
        self._lists: dict[Side, TaskID] = {}

    def pace(self) -> Pace:
        return Pace(self._wait, self._together, lambda: self.is_stopped, self._report)

    def _wait(self, seconds: float) -> None:
        """A pause ends when a person stops the run, however long the budget would make it wait."""
        if self._stop.wait(seconds):
            raise Stopped

    def _together(self, jobs: Sequence[Job]) -> list[str]:
        def work(job: Job) -> str:
            outcome = job()
            self.step()
            return outcome

        return list(self._pool.map(work, jobs))

    def _report(self, sweep: Sweep) -> None:
        for side in (Side.EXTERNAL, Side.WIX):
            if count := sweep.counts.get(f"listed_{side}", 0):
                if side not in self._lists:
                    self._lists[side] = self.progress.add_task(f"listing {side}", total=None, pace="")
                is_over = LISTING.get(sweep.phase) is not side and not (side is Side.WIX and sweep.phase in LISTING)
                self.progress.update(self._lists[side], completed=count, total=count if is_over else None)
                self._show_pace(self._lists[side])

    @property
    def is_stopped(self) -> bool:
        return self._stop.is_set()

    def stop(self) -> None:
        self._stop.set()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While a question is open, Ctrl-C is an answer to it: stop."""
        self.is_asking = True
        try:
            yield
        except click.Abort:
            self.stop()
        finally:
            self.is_asking = False

    def begin_planning(self, total: int) -> None:
        self._task = self.progress.add_task("planning", total=total, pace="")

    def begin_writing(self) -> None:
        if not self.as_json:
            self.print_plan()
        total = self.plan.outcomes.total() - self.plan.outcomes["in_step"]
        if total:
            self.progress.start()
            self._task = self.progress.add_task("bringing in step", total=total, pace="")

    def step(self, steps: int = 1) -> None:
        if self._task is None or self.progress.disable:
            return
        self.progress.advance(self._task, steps)
        self._show_pace(self._task)

    def _show_pace(self, task: TaskID) -> None:
        speed = self.progress.tasks[task].speed
        self.progress.update(task, pace=f"{speed * 60:.0f} a minute" if speed else "")

    def print_plan(self) -> None:
        if self.is_plan_shown:
            return
        self.is_plan_shown = True
        table = Table("plan", "ratings", "for example", title_justify="left", box=None)
        for outcome, count in sorted(self.plan.outcomes.items(), key=lambda one: (one[0] != "in_step", one[0])):
            table.add_row(outcome.replace("_", " "), str(count), "; ".join(self.plan.examples.get(outcome, [])))
        (Console() if not self.as_json else self.console).print(table)

    def close(self, sweep: Sweep) -> None:
        self._pool.shutdown()
        if self.as_json:
            click.echo(json.dumps(self._document(sweep)))
            return
        self.print_plan()
        if self.is_declined:
            click.echo("nothing was written")
        elif self.is_stopped or not self.is_finished:
            click.echo("stopped; the same command goes on from here")
        elif self.done.deeds or sweep.counts.get("applied"):
            words = ", ".join(f"{count} × {what}" for what, count in sorted(self.done.deeds.items())) or "nothing"
            click.echo(f"written: {words}")
        elif not sweep.is_dry and not self.plan.deeds:
            click.echo("nothing to write on either side")
        for warning in _warnings(sweep):
            click.secho(warning, fg="yellow", err=True)

    def _document(self, sweep: Sweep) -> dict[str, Any]:
        document: dict[str, Any] = {
            "run": sweep.id,
            "kind": str(sweep.kind),
            "is_resumed": sweep.is_resumed,
            "is_finished": self.is_finished,
            "counts": dict(sweep.counts),
            "plan": {"outcomes": dict(self.plan.outcomes), "writes": dict(self.plan.deeds)},
            "examples": self.plan.examples,
            "written": dict(self.done.deeds),
            "warnings": _warnings(sweep),
        }
        if self.actions:
            document["plan"]["actions"] = self.plan.listing
            document["actions"] = self.done.listing
        return document


def _warnings(sweep: Sweep) -> list[str]:
    found = []
    for side in Side:
        if sweep.counts.get(f"refused_{side}"):
            found.append(
                f"the listing of {side} showed less than half of what is linked: nothing counts as deleted there"
            )
        if count := sweep.counts.get(f"braked_{side}"):
            found.append(
                f"{count} ratings are gone from {side}, more than max(20, 5 %): their deletes are held (delete_brake); "
                f"if that is right: ratings-sync reconcile --allow-deletes {count}"
            )
    return found
