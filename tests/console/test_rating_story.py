"""A support person at the pages of ratings, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from sync_worker.services.access.who import Role
from tests.console.looking import Console
from tests.integration.console.rating_ground import RatingGround

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def there(console: Console) -> RatingGround:
    made = RatingGround(console.ground.parts.transactions.engine)
    made.hold_link(42)
    return made


def test_support_person_says_why_a_rating_has_not_crossed(
    console: Console, there: RatingGround
) -> None:
    with console.open(Role.SUPPORT) as page:
        page.goto("/ratings")
        page.keyboard.press("/")
        page.keyboard.type("stranger51@example.com")
        page.keyboard.press("Enter")
        page.get_by_role("link", name="Eve Stranger").click()
        told = page.get_by_text("Not linked yet because nobody on the Wix site has this address")
        expect(told).to_be_visible()
        expect(page.get_by_text("It frees itself when:")).to_be_visible()


def test_support_person_undoes_an_overwrite_and_sees_it(
    console: Console, there: RatingGround
) -> None:
    with console.open(Role.SUPPORT) as page:
        page.goto("/activity?overwritten=1")
        row = page.get_by_role("row").filter(has_text="the newer edit")
        expect(row.locator("del")).to_have_text("40")
        row.get_by_text("Undo").click()
        row.get_by_label("Why").fill("the owner asked for it")
        row.get_by_role("button", name="Bring it back").click()
        expect(page.get_by_role("status")).to_contain_text("is being undone")
        page.goto(f"/ratings/{there.eve}")
        expect(page.get_by_text("A person decided about it")).to_be_visible()


@pytest.mark.parametrize("path", ["/ratings", "/ratings?q=eve", "/activity", "one", "delivery"])
def test_pages_of_ratings_have_no_fault_in_any_theme_or_width(
    console: Console, there: RatingGround, path: str
) -> None:
    named = {"one": f"/ratings/{there.eve}", "delivery": f"/ratings/delivery/{there.held}"}
    console.check(named.get(path, path), Role.SUPPORT)
