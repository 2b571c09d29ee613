"""The command that ``make demo`` runs, after its story, and a Chromium that looks at it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, expect

from tests.console.looking import listen
from tests.terminal import ESCAPES, interrupts_of_children

COMMAND = str(Path(sys.executable).parent / "ratings-sync")
UP_SECONDS = 150.0  # the story takes half a minute on a machine at rest
END = "Ctrl-C ends the demo."
ADDRESSES = {
    "wix": r"the Wix site +(http\S+)",
    "reviews": r"the review service +(http\S+)",
    "console": r"console: +(http\S+)",
    "invitation": r"come in, once, within 15 minutes: (http\S+)",
    "dashboard": r"stand-in dashboard of Wix: (http\S+)",
}
PASSWORD = "correct horse battery"
PATIENCE_MS = 40_000  # the comparison of a start begins within half a minute


@dataclass
class DemoAtWork:
    """``at``: the printed addresses, by name. ``state``: of whoever has come in by the link."""

    browser: Browser
    at: dict[str, str]
    state: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def page(self, state: dict[str, Any] | None = None, **how: Any) -> Iterator[Page]:
        """A new browser, nowhere yet. Fails at the end if it complained of anything."""
        context = self.browser.new_context(storage_state=state, base_url=self.at["console"], **how)  # type: ignore[arg-type]  # what storage_state() returned
        context.set_default_timeout(20_000)
        page, complaints = context.new_page(), list[str]()
        listen(page, complaints)
        try:
            yield page
        finally:
            context.close()
        assert complaints == []

    @contextmanager
    def operator(self, **how: Any) -> Iterator[Page]:
        """Who started the demo, at the console; the printed link is used once."""
        if not self.state:
            context = self.browser.new_context()
            self.state = came_in(context, self.at["invitation"])
            context.close()
        with self.page(self.state, **how) as page:
            yield page

    def shown(self, side: str) -> list[dict[str, Any]]:
        """The ratings of a stand-in of the demo's own site: ``wix`` or ``reviews``."""
        state = requests.get(f"{self.at[side]}/sandbox/state", timeout=5).json()
        found = state["reviews" if side == "wix" else "ratings"]
        assert isinstance(found, list)
        return found


def came_in(context: BrowserContext, link: str) -> dict[str, Any]:
    """What the browser of somebody keeps who has come in by a link."""
    page = context.new_page()
    page.goto(link)
    page.get_by_label("Choose a password").fill(PASSWORD)
    page.get_by_role("button", name="Come in").click()
    expect(page.get_by_role("link", name="Overview")).to_be_visible()
    return dict(context.storage_state())


class _Terminal:
    """The command at a terminal of its own, which shows what it prints: without one it ends."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        with interrupts_of_children():
            self.process = subprocess.Popen(
                [COMMAND, "demo"],
                cwd=folder,
                env=environ,
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
            )
        os.close(theirs)
        self._shown, self._last, self.is_told = "", "", threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def text(self) -> str:
        return ESCAPES.sub("", self._shown)

    @property
    def last(self) -> str:
        """What it showed last, such as what it broke off with."""
        return ESCAPES.sub("", self._last)

    def _read(self) -> None:
        """To its end, since the command stands still where nobody reads."""
        with suppress(OSError):
            while more := os.read(self._ours, 65536):
                self._last = more.decode(errors="replace")
                # Afterwards it shows both sides twice a second.
                if not self.is_told.is_set():
                    self._shown += self._last
                if END in self._shown:
                    self.is_told.set()
        self.is_told.set()


@contextmanager
def demo_at_work(browser: Browser, folder: Path, environ: dict[str, str]) -> Iterator[DemoAtWork]:
    """Told to its end, and stopped as a person stops it; then it has to say that all was well."""
    terminal = _Terminal(folder, {**environ, "TMPDIR": str(folder), "TERM": "xterm"})
    try:
        terminal.is_told.wait(UP_SECONDS)
        told = terminal.text
        assert END in told, told
        found = {name: re.search(pattern, told) for name, pattern in ADDRESSES.items()}
        expect.set_options(timeout=PATIENCE_MS)
        yield DemoAtWork(browser, {name: one[1] for name, one in found.items() if one})
    finally:
        expect.set_options(timeout=None)
        terminal.process.send_signal(signal.SIGINT)
        status = terminal.process.wait(60)
    assert status == 0, terminal.last


@dataclass(frozen=True)
class OwnersDesk:
    """The page of one site in the stand-in dashboard, and its three frames."""

    page: Page

    @property
    def app(self) -> FrameLocator:
        return self.page.frame_locator("iframe.app")

    @property
    def storefront(self) -> FrameLocator:
        return self.page.frame_locator("iframe[title='The site, as visitors see it']")

    @property
    def shop(self) -> FrameLocator:
        return self.page.frame_locator("iframe[title='The shop elsewhere']")

    def install(self, dashboard: str) -> None:
        """The app, on a site of this owner's that nobody else has."""
        self.page.goto(dashboard)
        self.page.get_by_role("button", name="One more site").click()
        self.page.get_by_role("button", name="Install the app").click()
        # Wix's webhook may come later than the owner.
        expect(self.app.get_by_role("link", name="Give the shop's account")).to_be_visible()

    def give_account(self) -> None:
        """With what the shop's page shows."""
        self.app.get_by_role("link", name="Give the shop's account").click()
        for asked, shown in (
            ("Address of your service", "Address"),
            ("Token", "Token"),
            ("Webhook secret", "Webhook secret"),
        ):
            value = self.shop.get_by_label(shown, exact=True).input_value()
            self.app.get_by_label(asked, exact=True).fill(value)
        self.app.get_by_role("button", name="Give the account").click()
        expect(self.app.get_by_text("All was well when it was tried out")).to_be_visible()

    def say(self, yes: str) -> None:
        self.app.get_by_role("button", name=yes).click(timeout=PATIENCE_MS)

    def rate(self, frame: FrameLocator, **fields: str) -> None:
        frame.get_by_text("Rate as a").click()
        for label, value in fields.items():
            field = frame.get_by_label(label.capitalize())
            if label in ("title", "words"):
                field.fill(value)
            else:
                field.select_option(value)
        frame.get_by_role("button", name="Rate").click()
