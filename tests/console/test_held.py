"""Needs you and On its way in a real browser: a whole story, and every page looked at."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from sync_worker.services.access.who import Role
from tests.console.looking import Console
from tests.integration.console.held_shop import HOSTILE, HeldShop

pytestmark = [pytest.mark.full]


@pytest.fixture(scope="module")
def shop(console: Console) -> HeldShop:
    return HeldShop(console.ground.admin, "held-")


def test_support_maps_the_missing_product_of_a_held_rating(
    console: Console, shop: HeldShop
) -> None:
    """It is found by its person, its product is said in place, and it goes on its way."""
    number = shop.hold("unknown_entity", "SKU-story", "grace@example.com", name="Grace Hopper")
    shop.hold("unknown_entity", "SKU-other", "bob@example.com", name="Bob")
    with console.open(Role.SUPPORT) as page:
        page.goto("/")
        page.get_by_role("link", name="Needs you").click()
        page.get_by_text("Filter").click()
        page.get_by_label("Product").fill("SKU-story")
        page.get_by_role("button", name="Show").click()
        page.get_by_role("link", name="The product is not mapped yet").click()
        row = page.get_by_role("row").filter(has_text="Grace Hopper")
        expect(row).to_be_visible()
        expect(page.get_by_text("Bob")).to_have_count(0)
        row.get_by_role("link", name=f"#{number}").click()
        expect(page.get_by_text("Expected: 1 will stay.")).to_be_visible()
        page.get_by_label("Its id on Wix").fill("beans")
        page.get_by_role("button", name="It is this product").click()
        told = page.get_by_role("status")
        expect(told).to_contain_text("beans on Wix is SKU-story outside now; 1 held one goes on")
        expect(page.get_by_text("Grace Hopper")).to_have_count(0)
    assert shop.state(number) == "new"


def test_pages_of_held_ones_have_no_fault_that_axe_knows(console: Console, shop: HeldShop) -> None:
    numbers = [
        shop.hold("unknown_entity", words="Fine beans, and quickly here"),
        shop.hold("unknown_contact", name=HOSTILE, words=HOSTILE),
        shop.hold("first_difference"),
        shop.hold("delete_brake"),
    ]
    shop.wait("reviews 503: the remote is not well")
    pages = ("/held", "/held/unknown_entity?preview=1", "/held/delete_brake", "/waiting")
    for path in (*pages, f"/held/{numbers[0]}", f"/held/{numbers[1]}", "/held?product=none"):
        console.check(path, Role.SUPPORT)
