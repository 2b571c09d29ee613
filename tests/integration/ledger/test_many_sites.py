"""What asks about all sites asks once, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from sync_worker.config import load_settings
from sync_worker.core.errors import Misconfigured
from sync_worker.core.sweep_values import RunKind
from sync_worker.wiring import Wiring
from tests.simulation.world import OVERALL

FEW, MANY = 2, 40


@contextmanager
def counted(wiring: Wiring) -> Iterator[list[str]]:
    """The statements on all of a process's connections in between."""
    statements: list[str] = []
    traced = (wiring.admin.engine, wiring.sweeps.ledger.engine)

    def trace(driver: Any, record: object, fairy: object) -> None:
        driver.set_trace_callback(statements.append)

    for engine in traced:
        event.listen(engine, "checkout", trace)
    yield statements
    for engine in traced:
        event.remove(engine, "checkout", trace)


@pytest.fixture
def wiring(tmp_path: Path, sqlite_url: str) -> Wiring:
    settings = {
        "RATINGS_SYNC_HOME": str(tmp_path),
        "DATABASE_URL": sqlite_url,
        "OWN_SERVICE_URL": "http://127.0.0.1:1",
        "OWN_SERVICE_TOKEN": "token",
        "OWN_SERVICE_WEBHOOK_SECRET": "a-secret-of-the-webhooks",
    }
    return Wiring(load_settings(settings), settings)


def add_sites(wiring: Wiring, count: int) -> None:
    known = len(wiring.admin.sites.all())
    for number in range(known, count):
        wiring.admin.sites.add(f"instance-{number}", f"shop-{number}", [OVERALL])


def sites_of(wiring: Wiring) -> object:
    return wiring.admin.sites.all()


def one_site(wiring: Wiring) -> object:
    return wiring.admin.sites.find("shop-1")


def what_is_mapped(wiring: Wiring) -> object:
    return wiring.admin.mappings.counts()


def nightly_slice(wiring: Wiring) -> object:
    return wiring.sweeps.nightly().work()


@pytest.mark.parametrize("ask", [sites_of, one_site, what_is_mapped, nightly_slice])
def test_many_sites_cost_no_more_statements_than_few(
    wiring: Wiring, ask: Callable[[Wiring], object]
) -> None:
    counts = []
    for number in (FEW, MANY):
        add_sites(wiring, number)
        ask(wiring)  # opens what it needs
        with counted(wiring) as statements:
            ask(wiring)
        counts.append(len(statements))
    assert counts[0] == counts[1] > 0


def test_all_sites_come_with_their_fields_in_one_statement(wiring: Wiring) -> None:
    add_sites(wiring, 3)
    wiring.admin.sites.add("instance-bare", "shop-bare", [])
    with counted(wiring) as statements:
        found = wiring.admin.sites.all()
    assert [site.connector for site in found] == ["shop-0", "shop-1", "shop-2", "shop-bare"]
    assert [len(site.fields) for site in found] == [1, 1, 1, 0]
    assert len([line for line in statements if line.startswith("SELECT")]) == 1


def test_site_is_found_by_each_of_its_names_and_by_nothing_else(wiring: Wiring) -> None:
    add_sites(wiring, 25)
    for name in ("3", "instance-2", "shop-2"):
        assert wiring.admin.sites.find(name).connector == "shop-2"
    for name in ("03", "99999999999999999999999", "²", "", "shop"):
        with pytest.raises(Misconfigured, match=r"there are: 1 \(shop-0\), .* and more"):
            wiring.admin.sites.find(name)


def test_sweep_that_another_process_has_done_is_not_due_again(wiring: Wiring) -> None:
    """Both asked what is due at the same time."""
    add_sites(wiring, 1)
    (site,) = wiring.admin.sites.all()
    runs = wiring.sweeps.runs
    assert not runs.due_runs().is_due(site.id, RunKind.SWEEP, 0.0), "no baseline yet"
    baseline = runs.begin(site.id, RunKind.SWEEP)
    assert baseline is not None
    runs.end(baseline)
    asked_before = runs.due_runs()
    assert asked_before.is_due(site.id, RunKind.SWEEP, 0.0)
    sweep = runs.begin(site.id, RunKind.SWEEP)
    assert sweep is not None
    assert not asked_before.is_due(site.id, RunKind.SWEEP, 0.0), "another process is at it"
    runs.end(sweep)
    assert not asked_before.is_due(site.id, RunKind.SWEEP, 3600.0), "it was just done"
