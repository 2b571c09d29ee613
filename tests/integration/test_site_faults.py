"""One site's fault stays its own: sweeps, polls and hook checks, on both databases.

What fails is a scripted run in place of the real one; due times, leases and pauses are those of
the real ledger.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Engine, update

from sync_worker.core.errors import Misconfigured, Permanent, Transient, Unauthorized
from sync_worker.core.outcome import Outcome, OutcomeKind
from sync_worker.core.sweep_values import RunKind, Sweep
from sync_worker.core.values import Site, SiteState
from sync_worker.ledger.administration.admin import ledger_admin
from sync_worker.ledger.administration.retention import LedgerRetention, Retention
from sync_worker.ledger.administration.site_faults import SiteFault, SqlSiteFaults
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.process_tables import site_fault
from sync_worker.ledger.sql_ledger import sql_ledger
from sync_worker.ledger.sweeps import SqlSweeps
from sync_worker.ledger.tables import run, site
from sync_worker.reconcile.pace import Pace
from sync_worker.runtime.celery.schedule import NightlySweeps
from sync_worker.runtime.celery.site_faults import HOOKS, SiteFaults, each_for_itself

pytestmark = pytest.mark.full

CONNECTORS = ("first", "second", "third")
Work = Callable[[Pace], bool]


def is_done(pace: Pace) -> bool:
    return True


def divides_by_zero(pace: Pace) -> bool:
    raise ZeroDivisionError("nobody foresaw this")


def never_ends(pace: Pace) -> bool:
    while not pace.is_over():
        time.sleep(0.01)
    return False


@dataclass
class ScriptedRun:
    """In place of a Reconcile: ``work`` does what the script of its site says."""

    sweep: Sweep
    pace: Pace
    ground: Ground
    site: Site

    def work(self) -> bool:
        self.ground.worked.append(self.site.connector)
        is_finished = self.ground.scripts[self.site.connector](self.pace)
        if is_finished:
            self.ground.runs.end(self.sweep)
        return is_finished


@dataclass
class Ground:
    """Three sites with a baseline of yesterday; what each one's sweep does is its script."""

    engine: Engine
    runs: SqlSweeps
    kept: SqlSiteFaults
    scripts: dict[str, Work] = field(default_factory=lambda: dict.fromkeys(CONNECTORS, is_done))
    worked: list[str] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    at_once: int | None = None
    reconcile_at: str = "00:00"
    is_refused: bool = True  # the account, where a run is refused

    def night(self, seconds: float = 20.0, turn_seconds: float = 10.0) -> bool:
        """A slice of what is due now."""
        return NightlySweeps(
            manifests={},
            runs=self.runs,
            faults=SiteFaults(self.kept),
            reconcile=self._reconcile,
            note_refusal=lambda error, site: self.is_refused,
            reconcile_at=self.reconcile_at,
            at_once=self.at_once,
            threads=2,
            slice_seconds=seconds,
            turn_seconds=turn_seconds,
        ).work()

    def _reconcile(self, site: Site, sweep: Sweep, pace: Pace, note: Any) -> Any:
        if site.connector in self.missing:
            raise Misconfigured(f"there is no connector {site.connector!r}")
        return ScriptedRun(sweep, pace, self, site)

    def swept(self) -> set[str]:
        """The connectors of sites whose newest sweep is done."""
        with self.engine.connect() as connection:
            done = run.select().where(run.c.kind == "sweep", run.c.state == "done")
            return {CONNECTORS[row.site_id - 1] for row in connection.execute(done)}

    def faults(self) -> list[SiteFault]:
        return self.kept.standing()

    def forward(self, seconds: float) -> None:
        """The faults of this ledger happened so much earlier."""
        earlier = {
            "failed_at": site_fault.c.failed_at - seconds,
            "next_try_at": site_fault.c.next_try_at - seconds,
        }
        with self.engine.begin() as connection:
            connection.execute(update(site_fault).values(earlier))

    def due_again(self) -> None:
        """All runs began two days ago."""
        with self.engine.begin() as connection:
            connection.execute(update(run).values(started_at=run.c.started_at - 48 * 3600))


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    engine = open_engine(request.getfixturevalue(request.param))
    upgrade(engine)
    ledger = sql_ledger(engine)
    runs = SqlSweeps(ledger.transactions, ledger.site_cache)
    made = Ground(engine, runs, SqlSiteFaults(ledger.transactions))
    for name in CONNECTORS:
        site, _ = ledger_admin(engine).sites.add(f"instance-{name}", name, [])
        baseline = runs.begin(site.id, RunKind.SWEEP)
        assert baseline is not None
        runs.end(baseline)
    made.due_again()
    yield made
    engine.dispose()


def test_site_that_comes_back_is_swept_where_nothing_is_scheduled(ground: Ground) -> None:
    """The app was removed from one and installed again; once, and no other site."""
    ground.reconcile_at = ""
    ground.night()
    assert ground.worked == []
    admin = ledger_admin(ground.engine)
    for state in (SiteState.REMOVED, SiteState.ACTIVE):
        admin.sites.set_state(admin.sites.find("second").id, state)
    for _ in range(2):
        ground.night()
    assert (ground.worked, ground.swept()) == (["second"], {"second"})


def test_unforeseen_error_in_one_sites_sweep_stops_no_other_site(ground: Ground) -> None:
    ground.scripts["first"] = divides_by_zero
    assert not ground.night()
    assert ground.swept() == {"second", "third"}
    (fault,) = ground.faults()
    assert (fault.work, fault.source, fault.failures) == ("sweep", "first", 1)
    assert fault.error == "ZeroDivisionError", "its words may hold somebody's address"


def test_site_whose_connector_is_gone_stops_no_other_site(ground: Ground) -> None:
    ground.missing = {"first"}
    assert not ground.night()
    assert ground.swept() == {"second", "third"}
    assert ground.faults()[0].error == "Misconfigured: there is no connector 'first'"


@pytest.mark.parametrize(
    ("error", "longest"),
    [(ValueError("?"), 3600.0), (Permanent("no"), 3600.0), (Transient(), 300.0)],
)
def test_failing_site_is_tried_again_after_a_growing_pause(
    ground: Ground, error: Exception, longest: float
) -> None:
    def fails(pace: Pace) -> bool:
        raise error

    ground.scripts["first"] = fails
    pauses = []
    for _ in range(9):
        ground.due_again()
        ground.night()
        ground.night()  # it is not due again before its pause is over
        (fault,) = ground.faults()
        pauses.append(round(fault.again_in_seconds, -1))
        ground.forward(fault.again_in_seconds + 1)
    assert pauses == [min(60.0 * 2**number, longest) for number in range(9)]
    assert ground.worked.count("first") == 9


def test_site_that_works_again_has_no_fault_any_more(ground: Ground) -> None:
    ground.scripts["first"] = divides_by_zero
    ground.night()
    ground.forward(61)
    ground.scripts["first"] = is_done
    assert not ground.night()
    assert ground.swept() == set(CONNECTORS)
    assert ground.faults() == []


def test_sweep_that_nobody_can_end_gives_way_to_polls_after_three_tries(ground: Ground) -> None:
    """After three hopeless tries the run is given up: polls cannot begin beside an open one."""
    ground.scripts["first"] = divides_by_zero
    for _ in range(3):
        ground.night()
        ground.forward(3600)
    with ground.engine.connect() as connection:
        states = [row.state for row in connection.execute(run.select().where(run.c.site_id == 1))]
    assert states == ["done", "abandoned"]


@pytest.mark.parametrize(("is_refused", "state"), [(True, "running"), (False, "abandoned")])
def test_refused_sweep_is_given_up_where_the_account_is_accepted(
    ground: Ground, is_refused: bool, state: str
) -> None:
    def is_forbidden(pace: Pace) -> bool:
        raise Unauthorized("403")

    ground.scripts["first"], ground.is_refused = is_forbidden, is_refused
    for _ in range(3):
        ground.night()
        ground.forward(3600)
    with ground.engine.connect() as connection:
        states = [row.state for row in connection.execute(run.select().where(run.c.site_id == 1))]
    assert states == ["done", state]


def test_site_that_takes_for_ever_leaves_the_others_their_time(ground: Ground) -> None:
    """Each site has its turn of the slice, and what is not done goes on when all had theirs."""
    ground.scripts["first"] = never_ends
    assert ground.night(seconds=3.0, turn_seconds=0.2)
    assert ground.swept() == {"second", "third"}
    assert ground.worked.count("first") >= 2
    assert ground.faults() == [], "slow is no fault"


def test_fleet_is_at_no_more_sites_at_once_than_the_setting_says(ground: Ground) -> None:
    """A slice that finds no room leaves the work to those who are at it, and nothing has failed."""
    ground.at_once = 1
    beside: list[bool] = []

    def while_another_slice_comes(pace: Pace) -> bool:
        if not beside:
            beside.append(ground.night())
            assert len(ground.worked) == 1, "no second site at once"
        return True

    ground.scripts = dict.fromkeys(CONNECTORS, while_another_slice_comes)
    assert not ground.night()
    assert beside == [False]
    assert ground.swept() == set(CONNECTORS)
    assert ground.faults() == []


def test_unforeseen_error_of_one_rating_does_not_end_the_sweep(ground: Ground) -> None:
    def job() -> Outcome:
        raise ZeroDivisionError

    outcomes: list[Outcome] = []

    def works(pace: Pace) -> bool:
        outcomes.extend(pace.together([job, lambda: Outcome(OutcomeKind.SYNCED)]))
        return True

    ground.scripts["first"] = works
    assert not ground.night()
    assert [str(outcome.kind) for outcome in outcomes] == ["failed", "synced"]
    assert ground.swept() == set(CONNECTORS)


def test_error_of_one_connectors_hook_check_stops_no_other_one(ground: Ground) -> None:
    checked: list[str] = []

    def check(connector: str) -> None:
        checked.append(connector)
        if connector == "first":
            raise KeyError("nobody foresaw this")

    for _ in range(2):
        each_for_itself(SiteFaults(ground.kept), HOOKS, CONNECTORS, check, seconds=10.0)
    assert checked == ["first", "second", "third", "second", "third"]
    assert [(one.work, one.source, one.error) for one in ground.faults()] == [
        ("hooks", "first", "KeyError")
    ]


def test_hook_checks_end_when_their_time_is_over(ground: Ground) -> None:
    checked: list[str] = []

    def check(connector: str) -> None:
        checked.append(connector)
        time.sleep(0.3)

    each_for_itself(SiteFaults(ground.kept), HOOKS, CONNECTORS, check, seconds=0.2)
    assert len(checked) == 1


def test_fault_of_a_site_that_is_gone_is_forgotten(ground: Ground) -> None:
    """Nobody has tried its work for a day after its pause: neither shown nor kept any more."""
    ground.kept.note("poll", "gone", "Misconfigured", 3600.0)
    ground.kept.note("poll", "first", "Transient", 300.0)
    with ground.engine.begin() as connection:
        old = site_fault.c.source == "gone"
        connection.execute(
            update(site_fault).where(old).values(next_try_at=site_fault.c.next_try_at - 90_000)
        )
    assert [fault.source for fault in ground.faults()] == ["first"]
    pruned = dict(LedgerRetention(ground.engine).prune(Retention()))
    assert pruned == {"site_faults": 1}
    assert [fault.source for fault in ground.faults()] == ["first"]


def test_policy_of_a_newer_version_on_one_site_stops_no_other_site(ground: Ground) -> None:
    """After a step back to this version a site may carry decisions that it does not know."""
    with ground.engine.begin() as connection:
        newer = {"decision_of_tomorrow": "yes", "direction": "to_wix"}
        connection.execute(update(site).where(site.c.id == 1).values(policy=newer))
    assert not ground.night()
    assert ground.swept() == set(CONNECTORS)
    first, *others = ledger_admin(ground.engine).sites.all()
    assert (str(first.policy.direction), len(others)) == ("to_wix", 2)
