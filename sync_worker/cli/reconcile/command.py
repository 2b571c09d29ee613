"""``ratings-sync reconcile``: compare both sides whole, show the plan, and bring them in step."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import click
from rich.console import Console

from sync_worker.cli.interrupts import SIGNALLED, stop_signals
from sync_worker.cli.options import JSON, SITE, actor
from sync_worker.cli.output import say
from sync_worker.cli.reconcile.show import HELD_ALREADY, Show, Stopped, Summary
from sync_worker.core.errors import LeaseLost, Misconfigured, Permanent, SyncError
from sync_worker.core.outcome import OutcomeKind
from sync_worker.core.ports.sweeps import Sweeps
from sync_worker.core.sweep_values import Finding, Mark, RunKind, Sweep
from sync_worker.core.values import Site, SiteState
from sync_worker.ledger.console.compared import SqlCompared
from sync_worker.reconcile.dry_run import Forecast
from sync_worker.reconcile.listing import LISTING
from sync_worker.reconcile.reconcile import Reconcile
from sync_worker.runtime.celery.site_faults import SiteFaults
from sync_worker.runtime.waiting import wait_for
from sync_worker.services.braked import Braked
from sync_worker.telemetry.logs import set_up_logs
from sync_worker.wiring import wiring

TAKE_OVER_SECONDS = 25.0  # a killed run's lease ends by then
TAKE_OVER_PAUSE_SECONDS = 0.5
BEAT_SECONDS = 5.0
OTHERS_SECONDS = 30.0
IN_OTHER_HANDS = (OutcomeKind.BUSY, OutcomeKind.LEASE_LOST)
NAMED = 20  # deliveries in one line
LEFT_AT_ONCE = 50  # findings in one statement


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
@click.option(
    "--allow-deletes",
    type=click.IntRange(1),
    metavar="N",
    help="So many deletes are right (for a day).",
)
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

    Interrupted, it loses nothing: the same command goes on where it was. The first complete run is
    the baseline; after it, sweeps run by themselves every night.

    \b
    Example: ratings-sync reconcile --dry-run
             ratings-sync reconcile --yes --json
    """
    if actions and not as_json:
        raise click.UsageError("--actions changes nothing without --json")
    if allow_deletes is not None and dry_run:
        raise click.UsageError("--allow-deletes changes nothing with --dry-run")
    parts = wiring()
    set_up_logs(parts.settings.log_format, parts.settings.log_level)
    site = parts.admin.sites.find(site_name)
    _refuse_unready(site, dry_run=dry_run, yes=yes)
    if allow_deletes is not None and not dry_run:
        _let_deletes_go(site, allow_deletes)
    sweep = _begin(parts.sweeps.runs, site, RunKind.DRY_RUN if dry_run else RunKind.SWEEP)
    # The listing of an interrupted run keeps the people that it finds; a dry run makes its own.
    if dry_run and not sweep.is_dry and sweep.phase in LISTING:
        parts.sweeps.runs.end(sweep, "abandoned", "a dry run began anew")
        sweep = _begin(parts.sweeps.runs, site, RunKind.DRY_RUN)
    show = Show(Console(stderr=True), as_json=as_json, actions=actions)
    with show.progress, _stoppable(show):
        run = parts.sweeps.reconcile(site, sweep, show.pace(), show.done.note)
        with _released(run), _noted(parts.sweeps.faults(), site):
            _run(run, show, dry=dry_run, direction=direction, yes=yes)
    if show.is_finished and not dry_run:
        _count_all(show, site, run.sweep)
    compared = SqlCompared(parts.admin.transactions)
    show.close(run.sweep, compared.one(run.sweep.id) if as_json else None)
    if show.is_finished and not dry_run and site.state is SiteState.RECOVERY:
        _end_recovery(site)
    if show.is_stopped:
        sys.exit(SIGNALLED + show.stopped_by)


def _let_deletes_go(site: Site, count: int) -> None:
    """Those that the brake holds now, by name. Raises Misconfigured if they are more."""
    parts = wiring()
    braked = Braked(parts.admin, parts.sweeps.runs)
    held = braked.numbers(site)
    if len(held) > count:
        raise Misconfigured(
            f"the brake holds {len(held)} deletes of site {site.id}, not {count}: look at them"
            f" (`ratings-sync held --reason delete_brake --site {site.id}`), and say how many are"
            " right"
        )
    braked.let_go(site, held, count, actor())
    if held:
        named = ", ".join(f"#{number}" for number in held[:NAMED])
        more = f" and {len(held) - NAMED} more" if len(held) > NAMED else ""
        say(f"held deletes that go on: {named}{more}", err=True)


def _count_all(show: Show, site: Site, sweep: Sweep) -> None:
    """What the workers did of it counts, too: they take what they are rung for meanwhile."""
    standing = wiring().admin.standing
    if sum(sweep.counts.get(f"outcome_{kind}", 0) for kind in IN_OTHER_HANDS):
        wait_for(
            lambda: None if standing.has_fresh_work(site.id) else True,
            OTHERS_SECONDS,
            pause_seconds=TAKE_OVER_PAUSE_SECONDS,
        )
    show.note_all(standing.written_since(site.id, sweep.id))


def _end_recovery(site: Site) -> None:
    """A person has confirmed the new baseline: the site goes on, unless deletes wait for a word."""
    admin, reason = wiring().admin, "site_recovery"
    waiting = len(admin.questions.held_by_site(reason).get(site.id, ()))
    if waiting:
        say(
            f"{waiting} deletes are held ({reason}): `ratings-sync held` shows them; if they are"
            f" right, `ratings-sync site resume --site {site.id}` sends them, and the site goes on",
            err=True,
            fg="yellow",
        )
        return
    admin.sites.set_state(site.id, SiteState.ACTIVE, actor(), "the new baseline is confirmed")
    say(f"site {site.id} is active again", err=True)


def _refuse_unready(site: Site, *, dry_run: bool, yes: bool) -> None:
    """Raises Misconfigured where a run could not go to its end."""
    # A site that changed its API of Wix is compared anew; its deletes are held meanwhile.
    is_new = wiring().admin.wix_change.awaits_baseline(site.id)
    if site.state == SiteState.RECOVERY and not dry_run and not is_new:
        raise Misconfigured(
            f"site {site.id} is in recovery: look with --dry-run, then `ratings-sync site resume`"
        )
    if not site.is_at_work:
        raise Misconfigured(f"site {site.id} is {site.state}; `ratings-sync site resume` first")
    if not (dry_run or yes or sys.stdin.isatty()):
        raise Misconfigured("nobody can be asked here: add --yes, or look first with --dry-run")


@contextmanager
def _released(run: Reconcile) -> Iterator[None]:
    """A run that stops or fails is left for the next one."""
    try:
        yield
    except Stopped:
        run.runs.release_run(run.sweep)
    except LeaseLost:
        raise Misconfigured(
            "another process went on with this run; look again with --dry-run"
        ) from None
    except SyncError:
        run.runs.release_run(run.sweep)
        raise


@contextmanager
def _noted(faults: SiteFaults, site: Site) -> Iterator[None]:
    """What no later try will mend shows in `status` and `doctor`, as that of a nightly sweep."""
    try:
        yield
    except (Permanent, Misconfigured) as error:
        faults.failed(RunKind.SWEEP, site.external_source, error)
        raise
    faults.succeeded(RunKind.SWEEP, site.external_source)


def _begin(runs: Sweeps, site: Site, kind: RunKind) -> Sweep:
    """The run, also one whose holder was killed a moment ago. Raises Misconfigured."""
    sweep = wait_for(
        lambda: runs.begin(site.id, kind), TAKE_OVER_SECONDS, pause_seconds=TAKE_OVER_PAUSE_SECONDS
    )
    if sweep is None:
        raise Misconfigured(
            f"site {site.id} is being reconciled by another process; try again when it is done"
        )
    return sweep


def _run(run: Reconcile, show: Show, *, dry: bool, direction: str, yes: bool) -> None:
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
        run.runs.end(run.sweep, "abandoned", f"{actor()} looked at the plan and said no")
        show.is_declined = True
        return
    show.begin_writing()
    show.is_finished = run.apply()
    if not show.is_finished:
        run.runs.release_run(run.sweep)


def _plan(run: Reconcile, show: Show, direction: str, *, dry: bool) -> Summary:
    """Rehearse every finding; leave to another run those that write to a side not asked for."""
    plan = Summary(listing=[] if show.actions else None)
    marks = run.runs.count_marks(run.sweep)
    plan.outcomes["in_step"] = marks.get(Mark.IN_STEP, 0)
    if held := marks.get(Mark.HELD, 0):
        plan.outcomes[HELD_ALREADY] = held
        plan.examples[HELD_ALREADY] = ["`ratings-sync held` says why"]
    show.begin_planning(marks.get(Mark.OPEN, 0))
    left: list[Finding] = []
    for finding, forecast in run.forecasts():
        if show.is_stopped:
            break
        show.step(sum(row.mark is Mark.OPEN for row in finding.rows))
        if _is_elsewhere(forecast, direction):
            left.append(finding)
            forecast = replace(forecast, outcome="left (other direction)", planned_writes=())
        plan.add(finding, forecast)
    if not dry:
        for start in range(0, len(left), LEFT_AT_ONCE):
            run.runs.leave(run.sweep, left[start : start + LEFT_AT_ONCE])
    return plan


def _is_elsewhere(forecast: Forecast, direction: str) -> bool:
    """Whether it would write to a side that was not asked for."""
    if direction == "both":
        return False
    return any(f"to_{write.side}" != direction for write in forecast.planned_writes)


def _is_confirmed(run: Reconcile, show: Show) -> bool:
    if not show.plan.planned_writes and not show.plan.to_do:
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
def _stoppable(show: Show) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) ends after what is in hand; the second one at once."""

    def stop(number: int, frame: object) -> None:
        show.stopped_by = number
        if show.is_stopped or show.is_asking:
            raise KeyboardInterrupt
        show.stop()

    before = {name: signal.signal(name, stop) for name in stop_signals()}
    try:
        yield
    finally:
        for name, was in before.items():
            signal.signal(name, was)
