"""What more than one file of these tests asks for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.integration.listener import Listener
from tests.integration.remote_server import RemoteServer, remote_server
from tests.integration.shell import Shell, shell_in


@pytest.fixture
def server() -> Iterator[RemoteServer]:
    with remote_server() as remote:
        yield remote


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Somebody who gets webhooks."""
    made = Listener()
    yield made
    made.served.stop()


@pytest.fixture
def ledger_at_home(sqlite_url: str) -> str:
    """An empty ledger where RATINGS_SYNC_HOME is ``tmp_path``: nothing is left to migrate."""
    return sqlite_url


@pytest.fixture
def home(tmp_path: Path, sqlite_template: Path) -> Path:
    """A folder ``home`` in ``tmp_path``, with an empty ledger: nothing is left to migrate."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    shutil.copy(sqlite_template, home)
    return home


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A folder without a ledger."""
    return shell_in(tmp_path)


@pytest.fixture(scope="session")
def home_with_site(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Path:
    """A folder with the ledger of one site, to be copied."""
    shell = shell_in(tmp_path_factory.mktemp("site"))
    home = shell.folder / "home"
    home.mkdir(mode=0o700)
    shutil.copy(sqlite_template, home)
    words = ("instance-1", "--connector", "own-service", "--wix-api", "ratings")
    shell.good("site", "add", *words)
    return home


@pytest.fixture
def site(shell: Shell, home_with_site: Path) -> Shell:
    """Its ratings are of any attribute and scale, as the Ratings API has them."""
    shutil.copytree(home_with_site, shell.folder / "home")
    return shell


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the tries of a call, where the remote asks for none: they are jittered, and spread
    a load that no test has.
    """
    jitter = SimpleNamespace(uniform=lambda least, most: 0.002)
    monkeypatch.setattr("sync_worker.remotes.http.retries.random", jitter)
