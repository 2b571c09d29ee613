"""Comparisons have no fault in any theme or width, and what is under way is told live."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.sync_api import expect

from sync_worker.core.sweep_values import Phase, RunKind
from sync_worker.ledger.site_cache import SiteCache
from sync_worker.ledger.sweeps import SqlSweeps
from sync_worker.services.access.who import Role
from tests.console.looking import Console

pytestmark = pytest.mark.full


def test_comparison_is_begun_and_watched(console: Console) -> None:
    ground = console.ground
    number = len(ground.admin.sites.all()) + 1
    site, _ = ground.admin.sites.add(f"looked-at-{number}", f"shop-{number}", [])
    sweeps = SqlSweeps(ground.parts.transactions, SiteCache())
    path = f"/sites/{site.id}/compare"
    console.check(path)
    with console.open(Role.OWNER, site.id) as page:
        page.goto(path)
        expect(page.get_by_text("Never compared. Looking writes nothing.")).to_be_visible()
        page.get_by_role("button", name="Compare now").click()
        expect(page.get_by_role("status")).to_contain_text("The workers compare both sides now")
        sweep = sweeps.begin(site.id, RunKind.SWEEP)
        assert sweep is not None
        counts = {"listed_external": 1234, "listed_wix": 40}
        sweeps.save(replace(sweep, phase=Phase.APPLY, counts=counts))
        told = page.get_by_text("brings both sides in step: 1,234 read in the shop")
        expect(told).to_be_visible(timeout=20_000)
    for shown in (path, "/compare"):
        console.check(shown)
