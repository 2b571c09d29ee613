"""The pictures of the console in README and docs: of a demo at work, in the machine's Chromium.

``python -m tests.picturing FOLDER`` writes them anew. Each page that is shown is in ``PICTURES``.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import requests
from playwright.sync_api import Page, expect, sync_playwright

from tests.console.chromium import WITHOUT_SANDBOX
from tests.end_to_end.demo_at_work import DemoAtWork, OwnersDesk, demo_at_work

MAX_BYTES = 150_000
SIZE = {"width": 1240, "height": 640}
# By file: the page of the console that it shows; the last one is the dashboard's.
PICTURES = {
    "console-light.png": "/",
    "console-dark.png": "/",
    "console-held.png": "/held",
    "console-rating.png": "/ratings/1",
    "console-sites.png": "/sites/1",
    "console-owner.png": "",
}


def prepare(demo: DemoAtWork) -> None:
    """Something that needs somebody: a product that is not mapped, a person nobody knows."""
    for entity, person, value in (
        ("SKU-1003", "cleo@example.com", "4.5"),
        ("SKU-1001", "eve@example.com", "2"),
    ):
        draft = {"entity": entity, "person": person, "value": value, "title": "Smoky"}
        url = f"{demo.at['reviews']}/sandbox/ratings"
        assert requests.post(url, data=draft, timeout=5).ok


def take(demo: DemoAtWork, folder: Path) -> None:
    """Write all pictures into the folder."""
    prepare(demo)
    with demo.operator(viewport=SIZE) as page:
        page.goto("/held")
        expect(page.get_by_role("main").get_by_role("link").nth(1)).to_be_visible()
        for name, path in PICTURES.items():
            page.emulate_media(color_scheme="dark" if "dark" in name else "light")
            if path:
                page.goto(path)
                page.wait_for_load_state("networkidle")
                _shoot(page, folder / name)
    with demo.page(viewport={"width": 1180, "height": 700}) as page:
        desk = OwnersDesk(page)
        desk.install(demo.at["dashboard"])
        desk.give_account()
        desk.say("Go on with the first steps")
        expect(desk.app.get_by_role("button", name="I have made the webhooks")).to_be_visible()
        page.evaluate("scrollTo(0, 0)")
        _shoot(page, folder / "console-owner.png")


def _shoot(page: Page, file: Path) -> None:
    page.screenshot(path=file, animations="disabled", caret="initial")


def main(folder: Path) -> None:
    """Play the demo and take its pictures."""
    program = shutil.which("chromium")
    if program is None:
        sys.exit("there is no chromium on the PATH: apt-get install chromium")
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as home:
        browser = playwright.chromium.launch(executable_path=program, args=[WITHOUT_SANDBOX])
        with demo_at_work(browser, Path(home), environ) as demo:
            take(demo, folder)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
