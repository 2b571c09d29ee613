"""The console on a port, and one Chromium that looks at it: once for all tests here."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from waitress.server import create_server

from sync_worker.ledger.accounts.sealing import new_key, public_of
from tests.console.chromium import browser
from tests.console.looking import Console
from tests.integration.console.ground import free_port, ground_over

__all__ = ["browser"]


@pytest.fixture(scope="session")
def console(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, browser: Browser
) -> Iterator[Console]:
    """The console over a ledger that all tests of the session share: each makes its own sites."""
    url = f"sqlite:///{shutil.copy(sqlite_template, tmp_path_factory.mktemp('console'))}"
    bind = f"127.0.0.1:{free_port()}"
    ancestors = "http://localhost:*"  # in the place of Wix's: another site than 127.0.0.1
    shops = {
        "CONNECTORS": "woocommerce,own-service",
        "SECRETS_SEALING_KEY": public_of(new_key()),
    }
    with ground_over(url, CONSOLE_BIND=bind, CONSOLE_FRAME_ANCESTORS=ancestors, **shops) as ground:
        server = create_server(ground.app, listen=bind, threads=4)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        yield Console(ground, browser, f"http://{bind}")
        server.close()
