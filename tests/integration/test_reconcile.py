"""Baseline and sweeps over real HTTP against both stand-ins, in one process."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from sync_sandbox.server import Sandbox, SandboxOptions
from sync_sandbox.volume import GROUP, NAMESPACE, OWNER, Volume, load, silently
from sync_worker.config import load_settings
from sync_worker.core.outcome import Outcome, OutcomeKind
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import EntityRef, Site
from sync_worker.ledger.tables import run
from sync_worker.manifest.default_field import default_field
from sync_worker.reconcile.dry_run import Forecast
from sync_worker.reconcile.pace import Job, Pace
from sync_worker.reconcile.planned_writes import PlannedWrite
from sync_worker.reconcile.reconcile import Reconcile
from sync_worker.runtime.celery.schedule import seconds_since
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.wiring import Wiring

pytestmark = [pytest.mark.usefixtures("ledger_at_home"), pytest.mark.any_redis]

SMALL = Volume(each_side=60, conflicting=3, strangers=10)


@dataclass
class Ground:
    """Both stand-ins, full, and the parts that reconcile them."""

    box: Sandbox
    wiring: Wiring
    site: Site
    volume: Volume
    planned_writes: list[PlannedWrite] = field(default_factory=list)
    forecasts: list[Forecast] = field(default_factory=list)

    def run(self, kind: RunKind = RunKind.SWEEP, pace: Pace | None = None) -> Reconcile:
        """One run to its end (a dry one: to its plan)."""
        self.planned_writes, self.forecasts = [], []
        sweep = self.wiring.sweeps.runs.begin(self.site.id, kind)
        assert sweep is not None
        run = self.wiring.sweeps.reconcile(
            self.site, sweep, pace or Pace(lambda seconds: None), self.planned_writes.append
        )
        assert run.list_both()
        assert run.confirm_absences()
        if kind is RunKind.DRY_RUN:
            self.forecasts = [forecast for _, forecast in run.forecasts()]
            self.wiring.sweeps.runs.end(run.sweep)
        else:
            assert run.apply()
        return run

    def sides(self) -> tuple[dict[tuple[str, str], Decimal], dict[tuple[str, str], Decimal]]:
        """What each side shows, by product number and address, in stars."""
        emails = {one["id"]: one["primaryInfo"]["email"] for one in self.box.wix.contacts.values()}
        wix = {
            (one["entityId"].removeprefix("product-"), emails[one["owner"]["contactId"]]): Decimal(
                one["value"]
            )
            / 20
            for one in self.box.wix.ratings.values()
        }
        external = {
            (one["subject"]["id"].removeprefix("SKU-"), one["author"]["email"]): Decimal(
                one["score"]
            )
            for one in self.box.reviews.ratings.values()
            if one["visibility"] != "removed"
        }
        return wix, external

    def held(self) -> Counter[str]:
        return Counter(one.reason for one in self.wiring.admin.held.all())


RAISED = {
    "WIX_BUDGET_PER_MINUTE": "60000",
    "WIX_BUDGET_CAPACITY": "1000",
}  # at both ends: the stand-in has no limit


def make_ground(
    folder: Path,
    redis: EmbeddedRedis,
    volume: Volume,
    budget: Mapping[str, str] = RAISED,
    rate_per_minute: int | None = None,
) -> Iterator[Ground]:
    box = Sandbox(SandboxOptions(rate_per_minute=rate_per_minute))
    environ = {
        **box.settings(),
        "RATINGS_SYNC_HOME": str(folder),
        "REDIS_URL": redis.url,
        "REDIS_KEY_PREFIX": str(folder),
    }
    environ |= budget
    wiring = Wiring(load_settings(environ), environ)
    manifest = wiring.manifests["own-service"]
    site, _ = wiring.admin.sites.add(box.wix.instance_id, manifest.id, [default_field(manifest)])
    pairs = [
        (EntityRef(wix, GROUP, NAMESPACE), EntityRef(sku)) for wix, sku in volume.products.items()
    ]
    wiring.admin.mappings.import_entities(site, pairs)
    load(box, volume)
    yield Ground(box, wiring, site, volume)
    wiring.close()
    box.stop()


@pytest.fixture
def ground(tmp_path: Path, redis_server: EmbeddedRedis, redis: Any) -> Iterator[Ground]:
    yield from make_ground(tmp_path, redis_server, SMALL)


def test_baseline_ends_with_equal_sides_and_strangers_held(ground: Ground) -> None:
    """A baseline ends with both sides equal, but for strangers who are held."""
    ground.run()
    wix, external = ground.sides()
    strangers = {key for key in external if key[1].startswith("stranger")}
    assert {key: value for key, value in external.items() if key not in strangers} == wix
    assert len(wix) == 80
    assert ground.held() == {"unknown_contact": 10}


@pytest.mark.full
def test_wix_wins_the_first_difference_and_the_loser_is_in_the_history(ground: Ground) -> None:
    before, _ = ground.sides()
    ground.run()
    after, _ = ground.sides()
    assert {key: after[key] for key in before} == before
    lines = ground.wiring.admin.questions.history(limit=500)
    assert (
        sum(
            line.entry.reason == "first_difference_wix" and line.entry.loser is not None
            for line in lines
        )
        == 3
    )


def test_baseline_costs_a_call_for_a_write_and_one_for_a_page(
    ground: Ground,
) -> None:
    """A baseline costs at most a call for each rating written and one for each hundred listed."""
    ground.run()
    calls = Counter(ground.box.wix.calls)
    del calls["POST /oauth2/token"]
    writes = len(ground.planned_writes)
    assert writes == 20 + 30 + 3
    assert calls.total() <= 1.02 * writes + 60 / 100 + 1


def test_second_reconcile_writes_nothing_and_costs_two_listings(
    ground: Ground,
) -> None:
    """A second reconcile writes nothing and costs two listings and one question for strangers."""
    ground.run()
    before = ground.sides()
    ground.box.wix.calls.clear()
    ground.box.reviews.calls.clear()
    ground.run()
    assert ground.planned_writes == []
    assert ground.sides() == before
    assert ground.box.wix.calls == {
        "POST /ratings/v1/ratings/query": 1,
        "POST /contacts/v4/contacts/query": 1,
    }
    assert ground.box.reviews.calls == {"GET /v1/ratings": 1}
    assert ground.held() == {"unknown_contact": 10}


def as_set(planned_writes: Sequence[PlannedWrite]) -> Counter[str]:
    return Counter(
        repr((one.operation, one.side, one.entity, one.person, dict(one.values), one.remote_id))
        for one in planned_writes
    )


def test_dry_run_writes_nothing_and_lists_what_the_real_run_does(
    ground: Ground,
) -> None:
    """A dry run writes nothing and lists exactly what the real run then does."""
    before = ground.sides()
    ground.run(RunKind.DRY_RUN)
    planned = as_set(
        [
            planned_write
            for forecast in ground.forecasts
            for planned_write in forecast.planned_writes
        ]
    )
    outcomes = Counter(forecast.outcome for forecast in ground.forecasts)
    assert ground.sides() == before
    assert outcomes == {
        "link": 27,
        "update on external": 3,
        "create on external": 30,
        "create on wix": 20,
        "held unknown_contact": 10,
    }
    ground.run()
    assert as_set(ground.planned_writes) == planned


# -- every night


def nightly(ground: Ground, seconds: float = 60.0) -> bool:
    return ground.wiring.sweeps.nightly(seconds).work()


def test_no_sweep_begins_by_itself_before_the_baseline_is_confirmed(
    ground: Ground,
) -> None:
    """No sweep begins by itself before a person has confirmed the baseline."""
    before = ground.sides()
    assert not nightly(ground)
    assert ground.sides() == before


@pytest.mark.full
def test_nightly_sweep_repairs_and_then_rests_for_the_day(ground: Ground) -> None:
    ground.run()
    rating = next(iter(ground.box.wix.ratings.values()))
    long_ago(ground)
    with silently(ground.box):
        ground.box.wix.update_rating(rating["id"], 100 if rating["value"] != 100 else 20, OWNER)
    assert not nightly(ground)
    wix, external = ground.sides()
    assert {
        key: value for key, value in external.items() if not key[1].startswith("stranger")
    } == wix
    ground.box.wix.calls.clear()
    assert not nightly(ground)
    assert ground.box.wix.calls.total() == 0


@pytest.mark.full
def test_whole_scan_follows_at_once_where_a_webhook_was_enabled_again(ground: Ground) -> None:
    """While it was disabled nobody told of changes; one scan finds them, and then rests."""
    ground.run()
    rating = next(iter(ground.box.wix.ratings.values()))
    with silently(ground.box):
        ground.box.wix.update_rating(rating["id"], 100 if rating["value"] != 100 else 20, OWNER)
    before = ground.sides()
    assert not nightly(ground)
    assert ground.sides() == before
    ground.wiring.admin.hook_states.note_check("own-service", working=3, missing=0, brought_back=1)
    assert not nightly(ground)
    wix, external = ground.sides()
    assert {
        key: value for key, value in external.items() if not key[1].startswith("stranger")
    } == wix
    ground.box.wix.calls.clear()
    assert not nightly(ground)
    assert ground.box.wix.calls.total() == 0


@pytest.mark.full
def test_nightly_sweep_whose_time_is_over_goes_on_in_the_next_slice(ground: Ground) -> None:
    ground.run()
    long_ago(ground)
    assert nightly(ground, 0.0)
    assert not nightly(ground)


def test_nightly_sweep_repairs_beside_a_site_whose_connector_is_gone(ground: Ground) -> None:
    """A site whose connector is in no manifest any more is named, and stops no other site."""
    ground.run()
    gone, _ = ground.wiring.admin.sites.add("another-instance", "gone", [])
    baseline = ground.wiring.sweeps.runs.begin(gone.id, RunKind.SWEEP)
    assert baseline is not None
    ground.wiring.sweeps.runs.end(baseline)
    long_ago(ground)
    for _ in range(2):
        assert not nightly(ground)
    with ground.wiring.sweeps.runs._transactions.read() as connection:
        done = connection.execute(run.select().where(run.c.kind == "sweep")).all()
    assert {(row.site_id, row.state) for row in done} == {
        (ground.site.id, "done"),
        (gone.id, "running"),
    }
    (fault,) = ground.wiring.databases.figures().site_faults
    assert (fault.work, fault.source, fault.failures) == ("sweep", "gone", 1)


def long_ago(ground: Ground) -> None:
    """The last run began two days ago."""
    with ground.wiring.sweeps.runs._transactions.write() as connection:
        connection.execute(update(run).values(started_at=run.c.started_at - 48 * 3600))


def test_seconds_since_a_daily_time_reach_back_over_midnight() -> None:
    at = datetime(2026, 5, 1, 2, 30, tzinfo=UTC)
    assert (seconds_since("02:00", at), seconds_since("03:00", at)) == (1800.0, 23.5 * 3600)


# -- the budget


@pytest.mark.long
@pytest.mark.timeout(600)
def test_three_minutes_at_the_real_rate_use_95_percent_of_the_budget(
    tmp_path: Path, redis_server: EmbeddedRedis, redis: Any
) -> None:
    """Three minutes at the real rate use the budget to 95 percent and never exceed it."""
    grounds = make_ground(
        tmp_path, redis_server, Volume(1_400, 0, 0), budget={}, rate_per_minute=200
    )
    ground = next(grounds)
    until = [0.0]
    with ThreadPoolExecutor(4) as pool:

        def together(jobs: Sequence[Job]) -> list[Outcome]:
            later = Outcome(OutcomeKind.EARLY)
            return list(pool.map(lambda job: job() if time.monotonic() < until[0] else later, jobs))

        sweep = ground.wiring.sweeps.runs.begin(ground.site.id, RunKind.SWEEP)
        assert sweep is not None
        pace = Pace(time.sleep, together, lambda: until[0] > 0 and time.monotonic() > until[0])
        only_creates_on_wix = ground.wiring.sweeps.reconcile(
            ground.site, sweep, pace, ground.planned_writes.append
        )
        assert only_creates_on_wix.list_both()
        assert only_creates_on_wix.confirm_absences()
        leave_all_but_creates_on_wix(only_creates_on_wix)
        ground.box.wix.calls.clear()
        until[0] = time.monotonic() + 180
        only_creates_on_wix.apply()
    calls = Counter(ground.box.wix.calls)
    del calls["POST /oauth2/token"]
    print(f"{calls.total()} Wix calls in three minutes at 192 a minute, {calls['limited']} refused")  # noqa: T201 - shown with -s
    assert calls["limited"] == 0
    assert 0.95 * 192 * 3 <= calls.total() <= 192 * 3 + 8
    with pytest.raises(StopIteration):
        next(grounds)


def leave_all_but_creates_on_wix(run: Reconcile) -> None:
    for finding, forecast in list(run.forecasts()):
        if forecast.outcome != "create on wix":
            run.runs.leave(run.sweep, [finding])
