"""The machine's Chromium, once for all tests of a process; Playwright brings none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

WITHOUT_SANDBOX = "--no-sandbox"  # containers have none


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Skips where there is none."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("there is no chromium on the PATH: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=[WITHOUT_SANDBOX])
        yield started
        started.close()
