"""A support person at the console of ``make demo``, in a real browser."""

from __future__ import annotations

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.end_to_end.demo_at_work import DemoAtWork, came_in

pytestmark = [pytest.mark.full, pytest.mark.alone, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def support(demo: DemoAtWork) -> dict[str, object]:
    """What the browser of somebody keeps whom the operator has invited to support."""
    with demo.operator() as page:
        page.goto("/users")
        page.get_by_label("Name").fill("kim")
        page.get_by_label("Role").first.select_option("support")
        page.get_by_role("button", name="Invite").click()
        link = page.get_by_text("/invitation/").or_(page.locator("input[value*='/invitation/']"))
        address = link.first.input_value() if link.first.evaluate("it => it.value") else ""
        address = address or link.first.inner_text()
    context = demo.browser.new_context()
    try:
        return came_in(context, address[address.index("http") :].split()[0])
    finally:
        context.close()


def rate_outside(demo: DemoAtWork, **fields: str) -> None:
    answer = requests.post(f"{demo.at['reviews']}/sandbox/ratings", data=fields, timeout=5)
    assert answer.ok, answer.text


def find(page: Page, word: str) -> None:
    page.goto("/ratings")
    page.keyboard.press("/")
    page.keyboard.type(word)
    page.keyboard.press("Enter")


def test_support_maps_a_missing_product_and_sees_the_rating_cross(
    demo: DemoAtWork, support: dict[str, object]
) -> None:
    """It is found by its address, its page says why it waits, and Activity tells by itself."""
    rate_outside(demo, entity="SKU-1003", person="cleo@example.com", value="4.5", title="Smoky")
    with demo.page(support) as page:
        find(page, "cleo@example.com")
        waiting = page.get_by_role("row").filter(has_text="SKU-1003")
        waiting.get_by_role("link").first.click()
        expect(page.get_by_text("Not linked yet because")).to_contain_text("product")
        page.get_by_role("link", name="Map, release or drop it").click()
        page.get_by_label("Its id on Wix").fill("lapsang")
        page.get_by_role("button", name="It is this product").click()
        expect(page.get_by_role("status")).to_contain_text("lapsang on Wix is SKU-1003 outside now")
        page.keyboard.press("g")
        page.keyboard.press("a")
        expect(page.get_by_role("heading", name="Activity")).to_be_visible()
        expect(page.get_by_role("row").filter(has_text="lapsang").first).to_be_visible()
    assert [one for one in demo.shown("wix") if one["entityId"] == "lapsang"] != []


def stars_of(demo: DemoAtWork, person: str, product: str) -> tuple[object, object]:
    """On Wix and outside."""
    wix = {(one["entityId"], one["author"]["authorName"]): one for one in demo.shown("wix")}
    outside = {
        (one["subject"]["id"], one["author"]["email"]): one["score"]
        for one in demo.shown("reviews")
    }
    on_wix = wix[(product, person.title())]["content"]["rating"]
    return on_wix, outside[("SKU-1002", f"{person}@example.com")]


def test_support_undoes_an_overwrite_on_both_sides(
    demo: DemoAtWork, support: dict[str, object]
) -> None:
    """Both sides changed, and one was not told: one edit overwrote the other, and a person brings
    that one back.
    """
    assert stars_of(demo, "cleo", "green-tea") == (3, 3)
    drop_webhooks_of_wix(demo, chance=1)
    change(demo, "wix", 2)
    drop_webhooks_of_wix(demo, chance=0)
    change(demo, "reviews", 5)
    with demo.page(support) as page:
        page.goto("/activity?overwritten=1")
        row = page.get_by_role("row").filter(has_text="green-tea").first
        lost = int(row.locator("del").inner_text())
        assert stars_of(demo, "cleo", "green-tea") == (7 - lost, 7 - lost), "2 or 5"
        row.get_by_text("Undo").click()
        row.get_by_label("Why").fill("she meant the other one")
        row.get_by_role("button", name="Bring it back").click()
        expect(page.get_by_role("status")).to_contain_text("is being undone")
        page.goto("/activity")
        expect(page.get_by_text("she meant the other one").first).to_be_visible()
    assert stars_of(demo, "cleo", "green-tea") == (lost, lost)


def drop_webhooks_of_wix(demo: DemoAtWork, *, chance: int) -> None:
    """Until it is set back to 0."""
    body = {"webhook_dropped": {"next": 0, "chance": chance}}
    assert requests.put(f"{demo.at['wix']}/sandbox/faults", json=body, timeout=5).ok


def change(demo: DemoAtWork, side: str, stars: int) -> None:
    """What Cleo says of the green tea, as she changes it on one side."""
    found = demo.shown(side)
    if side == "wix":
        (record,) = (
            one
            for one in found
            if (one["entityId"], one["author"]["authorName"]) == ("green-tea", "Cleo")
        )
        path = f"/sandbox/reviews/{record['id']}"
    else:
        (record,) = (
            one
            for one in found
            if (one["subject"]["id"], one["author"]["email"]) == ("SKU-1002", "cleo@example.com")
        )
        path = f"/sandbox/ratings/{record['id']}"
    assert requests.post(f"{demo.at[side]}{path}", data={"value": stars}, timeout=5).ok


def test_site_is_paused_and_resumed_and_activity_shows_both(demo: DemoAtWork) -> None:
    """And what came meanwhile crosses afterwards."""
    with demo.operator() as page:
        page.goto("/sites/1")
        page.get_by_label("Why", exact=True).fill("the shop moves tonight")
        page.get_by_role("button", name="Pause the site").click()
        expect(page.get_by_role("heading", name="This site is paused")).to_be_visible()
        rate_outside(demo, entity="SKU-1002", person="dora@example.com", value="1")
        page.goto("/activity")
        rests = page.get_by_role("listitem")
        paused = rests.filter(has_text="the shop moves tonight")
        expect(paused).to_contain_text("Paused by operator")
        page.goto("/sites/1")
        page.get_by_label("Why (may be empty)").fill("it has moved")
        page.get_by_role("button", name="Resume the site").click()
        expect(page.get_by_role("button", name="Pause the site")).to_be_visible()
        page.goto("/activity")
        expect(rests.filter(has_text="it has moved")).to_contain_text("Resumed by operator")
        crossed = page.get_by_role("row").filter(has_text="green-tea").filter(has_text="Dora")
        expect(crossed.first).to_be_visible()
    shown = [(one["entityId"], one["content"]["rating"]) for one in demo.shown("wix")]
    assert ("green-tea", 1) in shown
