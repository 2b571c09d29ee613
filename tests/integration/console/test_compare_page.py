"""Comparisons in the browser: what was found, what is under way, a look, and a new one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import update

from sync_worker.core.sweep_values import Phase, RunKind
from sync_worker.core.values import SiteState
from sync_worker.ledger.access.tables import session
from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.ledger.administration.imports import ImportRuns
from sync_worker.ledger.console.compared import PAGE as LINES
from sync_worker.ledger.console.held_filter import HeldFilter
from sync_worker.ledger.site_cache import SiteCache
from sync_worker.ledger.sweeps import SqlSweeps
from sync_worker.services.access.who import Role
from tests.integration.console.ground import Browser, Ground, ground_over
from tests.integration.console.held_shop import HeldShop

pytestmark = pytest.mark.full

PAGE = "/sites/1/compare"
BAD = "<script>alert(1)</script>"


@dataclass
class Asked:
    """In the place of the workers."""

    looks: list[tuple[int, str]] = field(default_factory=list)

    def dry_run(self, site_id: int, actor: str) -> None:
        self.looks.append((site_id, actor))


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def ground(request: pytest.FixtureRequest, asked: Asked) -> Iterator[Ground]:
    """Two sites with a shop, one without."""
    with ground_over(request.getfixturevalue(request.param)) as made:
        made.parts.__dict__["asking"] = asked
        for number in (1, 2):
            made.admin.sites.add(f"instance-{number}", f"shop-{number}", [])
        made.admin.sites.add("instance-3", "", [])
        yield made


@pytest.fixture
def sweeps(ground: Ground) -> SqlSweeps:
    return SqlSweeps(ground.parts.transactions, SiteCache())


def done(sweeps: SqlSweeps, site_id: int, kind: RunKind, reason: str = "", **counts: int) -> None:
    sweep = sweeps.begin(site_id, kind)
    assert sweep is not None
    sweeps.end(replace(sweep, counts=counts), "abandoned" if reason else "done", reason)


def noted(ground: Ground) -> list[tuple[str, str, str]]:
    entries = SqlAudit(ground.admin.transactions).of_site(1)
    return [(one.what, one.actor, one.why) for one in entries]


def test_site_that_was_never_compared_says_so(ground: Ground) -> None:
    page = ground.client(Role.OWNER, 1).get(PAGE).text
    assert "Never compared. Looking writes nothing." in page
    assert "nothing to compare with" in ground.client(Role.ADMIN).get("/sites/3/compare").text


def test_last_comparison_and_the_open_one_are_told(ground: Ground, sweeps: SqlSweeps) -> None:
    done(sweeps, 1, RunKind.SWEEP, listed_wix=1234, outcome_in_step=7)
    done(sweeps, 1, RunKind.DRY_RUN, BAD)
    ImportRuns(ground.admin.engine).begin(1)
    done(sweeps, 2, RunKind.SWEEP, listed_wix=99)
    browser = ground.client(Role.VIEWER)
    page = browser.get(PAGE).text
    assert re.search(
        r"Last compared whole <time[^>]*>[^<]*</time>: 1,234 read on Wix, 7 in step", page
    )
    assert "Import of a file" in page
    assert "given up" in page
    assert BAD not in page
    assert "99 read" not in page
    sweep = sweeps.begin(1, RunKind.SWEEP)
    assert sweep is not None
    sweeps.save(replace(sweep, phase=Phase.WIX, counts={"listed_external": 40}))
    live = browser.get(PAGE, headers={"HX-Target": "live", "HX-Request": "true"}).text
    assert "reads Wix: 40 read in the shop." in live
    everywhere = browser.get("/compare").text
    assert "99 read on Wix" in everywhere
    assert 'href="/sites/2/compare"' in everywhere


def test_pages_of_runs_go_on_where_the_last_one_ended(ground: Ground, sweeps: SqlSweeps) -> None:
    for number in range(LINES + 2):
        done(sweeps, 1, RunKind.DRY_RUN, listed_wix=1000 + number)
    for path in (PAGE, "/compare"):
        browser = ground.client(Role.ADMIN)
        first = browser.get(path).text
        found = re.search(r"after=(\d+)", first)
        assert found is not None
        assert "1,002 read" in first
        assert "1,001 read" not in first
        second = browser.get(f"{path}?after={found[1]}").text
        assert "1,001 read" in second
        assert "1,002 read" not in second


def test_look_is_a_worker_s_and_is_noted(ground: Ground, asked: Asked) -> None:
    browser = ground.client(Role.SUPPORT)
    page = browser.told(browser.send(f"{PAGE}/look", {}, PAGE))
    assert "A worker looks at both sides now, and writes nothing" in page
    assert asked.looks == [(1, "some support")]
    assert noted(ground)[0] == ("compare.dry_run", "some support", "")


def test_comparison_is_left_to_the_workers_once(ground: Ground, sweeps: SqlSweeps) -> None:
    browser = ground.client(Role.OWNER, 1)
    page = browser.told(browser.send(PAGE, {"why": BAD}, PAGE))
    assert "The workers compare both sides now" in page
    assert BAD not in page
    assert noted(ground)[0] == ("compare.run", "owner:uid-1", BAD)
    assert sweeps.is_due(1, RunKind.SWEEP, 86_400.0)
    # Somebody has it now.
    assert sweeps.begin(1, RunKind.SWEEP) is not None
    for path in (PAGE, f"{PAGE}/look"):
        refused = browser.send(path, {}, PAGE)
        assert refused.status_code == 409
        assert "being compared already" in refused.text


def test_site_that_cannot_be_compared_is_not(ground: Ground, asked: Asked) -> None:
    ground.admin.sites.set_state(1, SiteState.PAUSED, "grace", "a sale")
    browser = ground.client(Role.ADMIN)
    assert "let it go on first" in browser.get(PAGE).text
    for path in (PAGE, f"{PAGE}/look", "/sites/3/compare"):
        assert browser.send(path).status_code == 422
    ground.admin.sites.set_state(1, SiteState.RECOVERY, "grace", "")
    assert "in recovery: look first" in browser.send(PAGE).text
    browser.told(browser.send(f"{PAGE}/look", {}, PAGE))
    assert len(asked.looks) == 1


def test_only_who_may_compares(ground: Ground, asked: Asked) -> None:
    assert ground.client(Role.VIEWER).send(f"{PAGE}/look").status_code == 403
    for role in (Role.VIEWER, Role.SUPPORT):
        assert ground.client(role).send(PAGE).status_code == 403
    other = ground.client(Role.OWNER, 2)
    assert other.get("/compare").headers["Location"] == "/sites/2/compare"
    for path in (PAGE, f"{PAGE}/look"):
        assert other.send(path).status_code == 404
    assert asked.looks == []


def test_deletes_beyond_the_brake_go_by_their_typed_number(ground: Ground) -> None:
    """By a fresh login, for one comparison; another number lets nothing go."""
    shop = HeldShop(ground.admin, "braked-")
    site_id = ground.admin.sites.find("braked-instance-1").id
    page = f"/sites/{site_id}/compare"
    browser = ground.client(Role.ADMIN)
    assert "Let these deletes go" not in browser.get(page).text
    held = [shop.hold("delete_brake") for _ in range(2)]
    assert "2 deletes are held" in browser.get(page).text
    assert "Let these deletes go" not in ground.client(Role.SUPPORT).get(page).text
    form = {"count": "2", "why": "old", "seen": seen_on(browser, page)}
    for typed, status in (("", 400), ("x", 400), ("3", 409)):
        refused = browser.send(f"{page}/deletes", form | {"count": typed}, page)
        assert refused.status_code == status, typed
    with ground.parts.transactions.write() as connection:
        connection.execute(update(session).values(fresh_at=session.c.fresh_at - 301))
    asked_again = browser.send(f"{page}/deletes", form, page)
    assert asked_again.status_code == 401
    assert {shop.state(number) for number in held} == {"held"}
    with ground.parts.transactions.write() as connection:
        connection.execute(update(session).values(fresh_at=session.c.fresh_at + 301))
    told = browser.told(browser.send(f"{page}/deletes", form, page))
    assert "The workers compare both sides now" in told
    assert {shop.state(number) for number in held} == {"new"}
    entries = SqlAudit(ground.admin.transactions).of_site(site_id)
    assert {entry.what for entry in entries} >= {"reconcile.allow_deletes", "compare.run"}
    assert {entry.actor for entry in entries if entry.what[:9] == "reconcile"} == {"some admin"}


def test_delete_that_is_held_after_the_look_is_not_let_go(ground: Ground) -> None:
    """Also where as many are held as were: one went its way, and another one came."""
    shop = HeldShop(ground.admin, "braked-")
    first, second = shop.hold("delete_brake", "p-1"), shop.hold("delete_brake", "p-2")
    page = f"/sites/{ground.admin.sites.find('braked-instance-1').id}/compare"
    browser = ground.client(Role.ADMIN)
    form = {"count": "2", "why": "old", "seen": seen_on(browser, page)}
    ground.admin.held.drop(HeldFilter(inbox_ids=[first]), "w", "grace")
    third = shop.hold("delete_brake", "p-3")
    refused = browser.send(f"{page}/deletes", form, page)
    assert refused.status_code == 409
    assert "other deletes now than you have seen" in refused.text
    assert {shop.state(number) for number in (second, third)} == {"held"}
    form["seen"] = seen_on(browser, page)
    browser.told(browser.send(f"{page}/deletes", form, page))
    assert {shop.state(number) for number in (second, third)} == {"new"}


def seen_on(browser: Browser, page: str) -> str:
    """What the page says of the deletes that it shows."""
    (seen,) = re.findall(r'name="seen" value="([^"]+)"', browser.get(page).text)
    return str(seen)
