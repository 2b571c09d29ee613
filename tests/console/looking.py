"""How tests look at pages: as somebody of a role, in each theme, on a phone and on a desk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, BrowserContext, Frame, Page

from sync_worker.services.access.who import Role
from tests.integration.console.ground import Ground

AXE = Path(__file__).parent / "axe" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = (375, 1280)
HEIGHT = 900
RUN_AXE = "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@dataclass(frozen=True)
class Console:
    """The running console. ``ground``: prepares its ledger and its people."""

    ground: Ground
    browser: Browser
    url: str

    @contextmanager
    def open(self, role: Role, site_id: int | None = None, **how: Any) -> Iterator[Page]:
        """A page of somebody of this role, not yet anywhere. ``how``: as Playwright's new_context.

        Fails at the end if the browser complained of anything.
        """
        context = self.browser.new_context(base_url=self.url, **how)
        context.set_default_timeout(10_000)
        self.log_in(context, role, site_id)
        page, complaints = context.new_page(), list[str]()
        listen(page, complaints)
        try:
            yield page
        finally:
            context.close()
        assert complaints == []

    def log_in(self, context: BrowserContext, role: Role, site_id: int | None = None) -> None:
        """Give the browser a session of this role."""
        name, secret = self.ground.cookie(role, site_id)
        context.add_cookies([{"name": name, "value": secret, "url": self.url}])

    def check(self, path: str, role: Role = Role.ADMIN, site_id: int | None = None) -> None:
        """The page has no fault that axe knows, in each theme and width, and fits its window."""
        with self.open(role, site_id) as page:
            page.goto(path)
            faults = [fault for width in WIDTHS for fault in look_at(page, width)]
        assert faults == []


def look_at(page: Page, width: int) -> list[str]:
    """What is wrong with the page at this width, in both themes."""
    page.set_viewport_size({"width": width, "height": HEIGHT})
    faults = []
    for theme in THEMES:
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        where = f"{page.url} {theme} {width}"
        faults += [f"{where}: {fault}" for fault in axe_faults(page)]
    if page.evaluate(OVERFLOW) > 0:
        faults.append(f"{page.url} {width}: scrolls sideways")
    return faults


def axe_faults(page: Page | Frame) -> list[str]:
    """Rules of WCAG 2.2 AA that the page breaks, each with its first place."""
    # Past the page's own policy, as a debugger does; the page itself stays under it.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(RUN_AXE, RULES)["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found]


def listen(page: Page, complaints: list[str]) -> None:
    """Gather what the browser complains of; refusals that a test provokes are no complaint."""
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def note(message: Any) -> None:
        is_answer = "Failed to load resource" in message.text
        if message.type == "error" and not is_answer:
            complaints.append(message.text)

    page.on("console", note)
