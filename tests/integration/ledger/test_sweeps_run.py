"""The port ``Sweeps``: a run, its lease and its cursor; polls."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from sync_worker.core.errors import LeaseLost
from sync_worker.core.sweep_values import Phase, RunKind, Sweep
from sync_worker.ledger.sweeps import SqlSweeps
from sync_worker.ledger.tables import run
from tests.integration.ledger.ground import SweepGround

NEWEST = datetime(1970, 1, 5, tzinfo=UTC)


def a_done_poll(field: SweepGround, newest: datetime | None) -> Sweep:
    poll = replace(field.begin(RunKind.POLL), newest=newest)
    field.sweeps.save(poll)
    field.sweeps.end(poll)
    return poll


class TestRuns:
    def test_run_has_one_holder_at_a_time(self, field: SweepGround) -> None:
        field.begin()
        assert field.sweeps.begin(field.site.id, RunKind.SWEEP) is None

    def test_released_run_goes_on_with_its_cursor_and_counts(self, field: SweepGround) -> None:
        sweep = replace(field.begin(), phase=Phase.WIX, page="page-7", counts={"listed_wix": 300})
        field.sweeps.save(sweep)
        field.sweeps.release_run(sweep)
        again = field.begin()
        assert (again.id, again.phase, again.page, again.counts) == (
            sweep.id,
            Phase.WIX,
            "page-7",
            {"listed_wix": 300},
        )
        assert again.is_resumed

    def test_killed_run_is_taken_over_when_its_lease_ends(
        self,
        field: SweepGround,
    ) -> None:
        """A killed run is taken over when its lease ends and the old holder is refused."""
        wait, old = field.ground.jump, field.begin()
        wait(21.0)
        new = field.begin()
        assert new.id == old.id
        with pytest.raises(LeaseLost):
            field.sweeps.save(old)
        with pytest.raises(LeaseLost):
            field.sweeps.end(old)
        field.sweeps.save(new)

    def test_renewed_run_stays_with_its_holder(self, field: SweepGround) -> None:
        wait, sweep = field.ground.jump, field.begin()
        wait(15.0)
        field.sweeps.renew_run(sweep)
        wait(15.0)
        assert field.sweeps.begin(field.site.id, RunKind.SWEEP) is None

    def test_first_complete_run_is_the_baseline_and_a_dry_run_is_not(
        self, field: SweepGround
    ) -> None:
        field.sweeps.end(field.begin(RunKind.DRY_RUN))
        first = field.begin()
        field.sweeps.end(first)
        assert (first.kind, field.begin().kind) == (RunKind.BASELINE, RunKind.SWEEP)

    def test_interrupted_run_of_yesterday_is_given_up(self, field: SweepGround) -> None:
        wait, old = field.ground.jump, field.begin()
        wait(25 * 3600.0)
        assert field.begin().id != old.id

    def test_poll_begins_at_the_newest_time_that_the_last_one_saw(self, field: SweepGround) -> None:
        assert a_done_poll(field, NEWEST).since is None
        assert a_done_poll(field, None).since == NEWEST
        assert field.begin(RunKind.POLL).since == NEWEST

    def test_poll_that_was_not_done_leaves_the_next_one_where_it_began(
        self, field: SweepGround
    ) -> None:
        a_done_poll(field, NEWEST)
        poll = replace(field.begin(RunKind.POLL), newest=NEWEST + timedelta(days=1))
        field.sweeps.save(poll)
        field.sweeps.end(poll, "abandoned")
        assert field.begin(RunKind.POLL).since == NEWEST

    def test_released_poll_goes_on_with_its_times(self, field: SweepGround) -> None:
        a_done_poll(field, NEWEST)
        poll = replace(field.begin(RunKind.POLL), page="page-2", newest=NEWEST + timedelta(hours=1))
        field.sweeps.save(poll)
        field.sweeps.release_run(poll)
        again = field.begin(RunKind.POLL)
        assert (again.id, again.page, again.since, again.newest) == (
            poll.id,
            "page-2",
            NEWEST,
            poll.newest,
        )

    def test_no_poll_begins_beside_another_run(self, field: SweepGround) -> None:
        sweep = field.begin()
        assert field.sweeps.begin(field.site.id, RunKind.POLL) is None
        field.sweeps.release_run(sweep)
        assert field.sweeps.begin(field.site.id, RunKind.POLL) is None

    @pytest.mark.parametrize("kind", [RunKind.SWEEP, RunKind.DRY_RUN])
    def test_poll_under_way_gives_way_to_any_other_run(
        self, field: SweepGround, kind: RunKind
    ) -> None:
        poll = field.begin(RunKind.POLL)
        assert field.begin(kind).id != poll.id
        with pytest.raises(LeaseLost):
            field.sweeps.save(poll)

    def test_poll_is_no_baseline(self, field: SweepGround) -> None:
        field.sweeps.end(field.begin(RunKind.POLL))
        assert field.begin().kind is RunKind.BASELINE


def test_poll_of_each_minute_is_due_at_each_tick(field: SweepGround) -> None:
    """The run begins a moment after its tick, and the next tick comes a moment early."""
    if not isinstance(field.sweeps, SqlSweeps):
        pytest.skip("only the ledger answers the schedule")
    jump = field.ground.jump
    field.sweeps.end(field.begin())
    jump(3600.0)
    acted = 0
    for _ in range(10):
        if field.sweeps.is_due(field.site.id, RunKind.POLL, 60.0):
            acted += 1
            jump(0.3)
            field.sweeps.end(field.begin(RunKind.POLL))
        jump(59.6)
    assert acted == 10
    jump(30.0)
    field.sweeps.end(field.begin(RunKind.POLL))
    jump(40.0)
    assert not field.sweeps.is_due(field.site.id, RunKind.POLL, 60.0), "a third too early"


def test_run_that_is_given_up_says_why(field: SweepGround) -> None:
    if not isinstance(field.sweeps, SqlSweeps):
        pytest.skip("what it is for is read in SQL")
    field.begin(RunKind.POLL)
    sweep = field.begin()
    field.sweeps.end(sweep, "abandoned", "Permanent: the listing is cut")
    with field.sweeps._transactions.read() as connection:
        reasons = connection.execute(select(run.c.reason).order_by(run.c.id)).scalars().all()
    assert reasons == [
        "a sweep began, which lists all that it would",
        "Permanent: the listing is cut",
    ]
