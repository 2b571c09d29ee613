"""At a page that others change, too: two browsers, news, a hidden tab, keys, and no script."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from sync_worker.services.access.who import Role
from tests.console.looking import Console
from tests.integration.console.held_shop import HeldShop

pytestmark = pytest.mark.full
HIDE = """is => {
  Object.defineProperty(document, 'hidden', {value: is, configurable: true});
}"""


@pytest.fixture(scope="module")
def shop(console: Console) -> HeldShop:
    return HeldShop(console.ground.admin, "together-")


def hold(shop: HeldShop, *names: str) -> list[int]:
    """Held ones of people nobody on the site knows."""
    return [
        shop.hold(
            "unknown_contact",
            address=f"{name.lower()}@example.com",
            name=name,
        )
        for name in names
    ]


def test_second_of_two_browsers_is_told_what_the_first_one_did(
    console: Console, shop: HeldShop
) -> None:
    (number,) = hold(shop, "Twoatonce")
    with console.open(Role.SUPPORT) as first, console.open(Role.ADMIN) as second:
        for page in (first, second):
            page.goto(f"/held/{number}")
        first.get_by_role("button", name="Release", exact=True).click()
        expect(first.get_by_role("status")).to_contain_text("goes on now")
        second.get_by_text("Drop it instead").click()
        second.get_by_label("Why").last.fill("nobody knows them")
        with second.expect_response(f"**/held/{number}/drop") as answer:
            second.get_by_role("button", name="Drop", exact=True).click()
        assert answer.value.status == 409
        expect(second.get_by_role("main")).to_contain_text("some support released it")
    assert shop.state(number) == "new"


def test_keys_release_a_row_and_drop_one(console: Console, shop: HeldShop) -> None:
    released, dropped = hold(shop, "Byrelease", "Bydrop")
    with console.open(Role.SUPPORT) as page:
        page.goto(f"/held/{released}")
        page.keyboard.press("r")
        expect(page.get_by_role("status")).to_contain_text("goes on now")
        page.goto(f"/held/{dropped}")
        page.get_by_text("Drop it instead").click()
        page.get_by_label("Why").last.fill("not wanted")
        page.get_by_role("heading", level=1).click()
        page.get_by_label("Why").last.blur()
        page.keyboard.press("d")
        expect(page.get_by_role("status")).to_contain_text("is dropped")
    assert (shop.state(released), shop.state(dropped)) == ("new", "done")


def test_news_waits_for_a_button_while_somebody_chooses(console: Console, shop: HeldShop) -> None:
    hold(shop, "Chosenone")
    with console.open(Role.SUPPORT) as page:
        page.clock.install()
        page.goto("/held/unknown_contact")
        mine = page.get_by_role("row").filter(has_text="Chosenone").get_by_role("checkbox")
        mine.check()
        hold(shop, "Newcomer")
        page.clock.run_for(6_000)
        expect(page.get_by_role("button", name="1 new: show")).to_be_visible()
        expect(page.get_by_text("Newcomer")).to_have_count(0)
        expect(mine).to_be_checked()
        hold(shop, "Third")
        page.clock.run_for(6_000)
        page.get_by_role("button", name="2 new: show").click()
        expect(page.get_by_text("Newcomer").first).to_be_visible()


def test_hidden_tab_asks_for_nothing_until_it_is_seen_again(console: Console) -> None:
    with console.open(Role.SUPPORT) as page:
        page.clock.install()
        page.goto("/held")
        asked = list[str]()
        page.on("request", lambda request: asked.append(request.url))
        page.wait_for_load_state("networkidle")
        asked.clear()
        page.evaluate(HIDE, True)
        page.clock.run_for(60_000)
        assert asked == []
        page.evaluate(HIDE, False)
        with page.expect_request("**/held?"):
            page.clock.run_for(6_000)


def test_held_rating_is_mapped_and_released_without_a_script(
    console: Console, shop: HeldShop
) -> None:
    """As plain links and forms."""
    mapped = shop.hold("unknown_entity", "SKU-noscript")
    (released,) = hold(shop, "Noscript")
    with console.open(Role.SUPPORT, java_script_enabled=False) as page:
        page.goto("/held/unknown_entity?product=SKU-noscript")
        page.get_by_role("link", name=f"#{mapped}").click()
        page.get_by_label("Its id on Wix").fill("cups")
        page.get_by_role("button", name="It is this product").click()
        expect(page.get_by_role("status")).to_contain_text("cups on Wix is SKU-noscript outside")
        page.goto("/held/unknown_contact")
        page.get_by_role("row").filter(has_text="Noscript").get_by_role("link").click()
        page.get_by_role("button", name="Release", exact=True).click()
        expect(page.get_by_role("status")).to_contain_text("goes on now")
    assert (shop.state(mapped), shop.state(released)) == ("new", "new")
