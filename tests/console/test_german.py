"""Pages in German, whose words are longer, have no fault and fit a phone."""

from __future__ import annotations

import pytest

from sync_worker.services.access.who import Role
from tests.console.looking import Console, look_at

pytestmark = pytest.mark.full

PAGES = ["/", "/held", "/waiting", "/ratings", "/activity", "/sites", "/compare", "/machines"]
PAGES += ["/users", "/audit"]
OF_A_SITE = ("", "/maps", "/policies", "/account", "/compare", "/onboarding")
PHONE = 375


def test_german_pages_have_no_fault_and_fit_a_phone(console: Console) -> None:
    number = len(console.ground.admin.sites.all()) + 1
    site, _ = console.ground.admin.sites.add(f"german-{number}", f"shop-{number}", [])
    faults = []
    with console.open(Role.ADMIN, locale="de-DE") as page:
        for path in [*PAGES, *(f"/sites/{site.id}{part}" for part in OF_A_SITE)]:
            page.goto(path)
            assert page.locator("html").get_attribute("lang") == "de"
            faults += look_at(page, PHONE)
    assert faults == []
