"""A site is paused with a reason and an end, and resumed; its pages have no fault."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from sync_worker.core.processes import Process, ProcessKind
from sync_worker.core.values import EntityRef, Site, SiteState
from sync_worker.core.values.catalogue import ProposedPair
from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.services.access.who import Role
from tests.console.looking import Console

pytestmark = pytest.mark.full
WHY = "The shop moves <b>tonight</b>"


@pytest.fixture
def site(console: Console) -> Site:
    """One with a map and a proposed pair."""
    admin = console.ground.admin
    number = len(admin.sites.all()) + 1
    added, _ = admin.sites.add(f"looked-at-{number}", f"shop-{number}", [])
    ids = [(EntityRef(f"p-{one}", "stores", "reviews"), EntityRef(f"SKU-{one}")) for one in (1, 2)]
    admin.mappings.import_entities(added, ids[:1])
    admin.proposals.replace(added.id, [ProposedPair(*ids[1], "sku", "Beans", "Organic beans")])
    admin.heartbeats.note(Process(ProcessKind.WORKER, "host-1", 7, "0.1.0", slots=8, busy=2))
    return added


@pytest.mark.parametrize("path", ["/", "/sites", "/machines"])
def test_page_has_no_fault_in_any_theme_or_width(console: Console, site: Site, path: str) -> None:
    console.check(path)


@pytest.mark.parametrize("page", ["", "/policies", "/maps"])
def test_page_of_a_site_has_no_fault(console: Console, site: Site, page: str) -> None:
    console.check(f"/sites/{site.id}{page}")


def test_site_is_paused_for_a_while_and_resumed_and_both_are_noted(
    console: Console, site: Site
) -> None:
    with console.open(Role.ADMIN) as page:
        page.goto("/sites")
        page.get_by_role("link", name=f"Site {site.id}", exact=True).click()
        page.get_by_label("For how long").select_option("1 day")
        page.get_by_label("Why", exact=True).fill(WHY)
        page.get_by_role("button", name="Pause the site").click()
        told = page.get_by_role("status")
        expect(told).to_contain_text(f"Site {site.id} is paused until")
        expect(page.get_by_role("heading", name="This site is paused")).to_be_visible()
        expect(page.get_by_text(WHY)).to_be_visible()
        assert console.ground.admin.sites.find(str(site.id)).state is SiteState.PAUSED
        page.goto("/")
        expect(page.get_by_text(f"Site {site.id} (", exact=False).first).to_contain_text("paused")
        page.goto(f"/sites/{site.id}")
        page.get_by_role("button", name="Resume the site").click()
        expect(told).to_contain_text(f"Site {site.id} goes on.")
        expect(page.get_by_role("button", name="Pause the site")).to_be_visible()
        page.goto(f"/audit?site={site.id}")
        expect(page.get_by_text(WHY)).to_be_visible()
        expect(page.get_by_text("some admin").nth(2)).to_be_visible()
    assert console.ground.admin.sites.find(str(site.id)).state is SiteState.ACTIVE
    entries = SqlAudit(console.ground.admin.transactions).of_site(site.id)[:2]
    assert [(entry.what, entry.actor, entry.why) for entry in entries] == [
        ("site.resume", "some admin", ""),
        ("site.pause", "some admin", WHY),
    ]


def test_overview_shows_by_itself_what_has_come(console: Console, site: Site) -> None:
    with console.open(Role.OWNER, site.id) as page:
        page.goto("/")
        expect(page.get_by_role("heading", level=1)).not_to_contain_text("All well")
        why = "The owner's holiday"
        console.ground.admin.sites.set_state(site.id, SiteState.PAUSED, "grace", why)
        expect(page.get_by_text(why).first).to_be_visible(timeout=20_000)


def test_another_answer_is_previewed_and_then_counts(console: Console, site: Site) -> None:
    with console.open(Role.OWNER, site.id) as page:
        page.goto(f"/sites/{site.id}/policies")
        page.get_by_label("The person becomes a contact, and the rating crosses.").check()
        page.get_by_role("button", name="See what this changes").click()
        page.get_by_role("button", name="Change 1 answer").click()
        expect(page.get_by_role("status")).to_contain_text("1 answer is changed.")
    policy = console.ground.admin.sites.find(str(site.id)).policy
    assert policy.unknown_contact == "create"
