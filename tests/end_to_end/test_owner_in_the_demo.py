"""A site's owner in the stand-in dashboard of ``make demo``, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.console.looking import THEMES, WIDTHS, axe_faults
from tests.end_to_end.demo_at_work import DemoAtWork, OwnersDesk

pytestmark = [pytest.mark.full, pytest.mark.alone, pytest.mark.timeout(300)]
WIDE = {"width": 1400, "height": 950}


def test_owner_goes_from_the_installation_to_ratings_that_cross(demo: DemoAtWork) -> None:
    """An owner goes from installation to the first synced rating without leaving the page."""
    with demo.page(viewport=WIDE) as page:
        desk = OwnersDesk(page)
        desk.install(demo.at["dashboard"])
        stays = page.url
        desk.give_account()
        desk.say("Go on with the first steps")
        made = desk.app.get_by_role("button", name="I have made the webhooks")
        expect(made).to_be_visible()
        address = desk.app.get_by_label("Copy this address into the shop's webhooks")
        desk.shop.get_by_label("Send webhooks to").fill(address.input_value())
        desk.shop.get_by_role("button", name="Save").click()
        made.click()
        expect(desk.app.get_by_text("Teapot ↔ Teapot, 1 litre")).to_be_visible()
        desk.say("These pairs are right: map all of them")
        desk.say("Yes, this is what the stars mean")
        step = desk.app.locator("li[aria-current=step]")
        expect(step).to_contain_text("2 × create on Wix")
        assert desk.storefront.get_by_text("Pours well").count() == 0, "nothing is written yet"
        desk.say("Start the sync")
        expect(desk.app.get_by_text("All steps are done: the site is at work.")).to_be_visible()
        expect(desk.storefront.get_by_text("Pours well")).to_be_visible()
        desk.rate(desk.storefront, who="Cleo", stars="2", title="Chipped")
        expect(desk.shop.get_by_text("Chipped")).to_be_visible()
        desk.rate(desk.shop, who="Cleo", product="Bamboo whisk", stars="4.5", title="It whisks")
        expect(desk.storefront.get_by_text("It whisks")).to_be_visible()
        desk.app.get_by_role("link", name="Overview").click()
        expect(desk.app.get_by_role("heading", name="All well")).to_be_visible()
        assert page.url == stays
        assert page.context.cookies(demo.at["console"]) == [], "the frame has no cookies"


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("signed with another secret", "Open this page anew from the dashboard of your site."),
        ("an hour old", "This address is too old."),
        ("of a visitor who is not logged in", "This page is for the owner of a site."),
        ("used a second time", "Open this page anew from the dashboard of your site."),
    ],
)
def test_instance_with_a_fault_is_refused_in_the_frame_with_a_sentence(
    demo: DemoAtWork, fault: str, sentence: str
) -> None:
    with demo.page() as page:
        desk = OwnersDesk(page)
        desk.install(demo.at["dashboard"])
        page.get_by_text("Open the app as Wix never should").click()
        page.get_by_role("link", name=fault).click()
        expect(desk.app.get_by_role("heading", name=sentence)).to_be_visible()
        expect(desk.app.get_by_role("navigation")).to_have_count(0)


def test_pages_of_the_dashboard_have_no_fault_in_any_theme_or_width(demo: DemoAtWork) -> None:
    """The dashboard, site and shop, and the console in the frame; none scrolls sideways."""
    with demo.page() as page:
        OwnersDesk(page).install(demo.at["dashboard"])
        desk, faults = page.url, list[str]()
        for path in (demo.at["dashboard"], desk, f"{desk}/storefront", f"{desk}/shop"):
            for width in WIDTHS:
                for theme in THEMES:
                    page.set_viewport_size({"width": width, "height": 900})
                    page.emulate_media(color_scheme=theme)
                    page.goto(path)
                    page.wait_for_load_state("networkidle")
                    where = f"{path} {theme} {width}"
                    faults += [f"{where}: {fault}" for fault in axe_faults(page)]
    assert faults == []
