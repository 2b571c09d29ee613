"""The page of an account has no fault in any theme or width, with an account and without."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from sync_worker.core.values import Site
from sync_worker.services.access.who import Role
from tests.console.looking import Console

pytestmark = pytest.mark.full
GIVEN = {
    "Address of the shop": "https://shop.example.org",
    "Consumer key": "ck_canary",
    "Consumer secret": "cs_canary",
    "Webhook secret": "wcanary",
}


@pytest.fixture
def site(console: Console) -> Site:
    """One without an account."""
    number = len(console.ground.admin.sites.all()) + 1
    return console.ground.admin.sites.add(f"looked-at-{number}", "", [])[0]


def test_owner_gives_the_account_and_sees_where_its_webhooks_go(
    console: Console, site: Site
) -> None:
    path = f"/sites/{site.id}/account"
    console.check(f"{path}?connector=woocommerce")
    with console.open(Role.OWNER, site.id) as page:
        page.goto(path)
        page.get_by_role("link", name="woocommerce").click()
        for label, value in GIVEN.items():
            page.get_by_label(label, exact=True).fill(value)
        page.get_by_label("Address of the shop").fill("https://YOUR-SHOP")
        page.get_by_role("button", name="Give the account").click()
        expect(page.get_by_role("alert")).to_contain_text("Address of the shop")
        expect(page.get_by_label("Consumer key")).to_have_value("")
        for label, value in GIVEN.items():
            page.get_by_label(label, exact=True).fill(value)
        page.get_by_role("button", name="Give the account").click()
        expect(page.get_by_role("status")).to_contain_text("The account is given")
        address = page.get_by_label("Copy this address into the shop's webhooks")
        expect(address).to_have_value(f"/webhooks/external/woocommerce/{_name(console, site)}")
        expect(page.get_by_text("canary")).to_have_count(0)
    console.check(path)


def _name(console: Console, site: Site) -> str:
    found = console.ground.parts.accounts.store.of_site(site.id)
    assert found is not None
    return found.public_id
