"""What the program keeps is its owner's alone, also what an earlier version left open to all."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sync_worker.alive import show_sign
from sync_worker.config import load_settings
from sync_worker.core.errors import Misconfigured
from sync_worker.files.state_folder import make_private_file
from sync_worker.wiring import Wiring


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def open_ledger(**environ: str) -> None:
    with closing(Wiring(load_settings(environ), environ)) as parts:
        _ = parts.admin.sites.all()
        # A write, so that the files beside it are there.
        parts.databases.up_check.reason()


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_new_folder_and_ledger_are_their_owner_s_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    open_ledger(RATINGS_SYNC_HOME=str(home))
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert {mode & 0o077 for mode in modes(home).values()} == {0}


@pytest.mark.parametrize("name", [".ratings-sync", "state"])
def test_what_an_earlier_version_left_open_is_closed(name: str, tmp_path: Path) -> None:
    home = tmp_path / name
    home.mkdir(mode=0o755)
    for suffix in ("", "-wal", "-shm"):
        (home / f"ledger.db{suffix}").touch(mode=0o644)
    open_ledger(RATINGS_SYNC_HOME=str(home))
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert modes(home)["ledger.db"] == 0o600
    assert {mode & 0o077 for mode in modes(home).values()} == {0}


def test_ledger_at_another_place_is_closed_and_its_folder_is_not_ours(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    (shared / "ledger.db").touch(mode=0o644)
    home = {"RATINGS_SYNC_HOME": str(tmp_path / "home")}
    open_ledger(DATABASE_URL=f"sqlite:///{shared}/ledger.db", **home)
    assert modes(shared)["ledger.db"] == 0o600
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755


def test_folder_that_others_use_keeps_its_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``RATINGS_SYNC_HOME=.`` is the folder of a project, which its other users go on using."""
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o755)
    open_ledger(RATINGS_SYNC_HOME=".")
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert modes(tmp_path)["ledger.db"] == 0o600


def test_sign_of_life_makes_the_folder_for_its_owner_alone(tmp_path: Path) -> None:
    show_sign(tmp_path / "home", "worker")
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


def test_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match=r"RATINGS_SYNC_HOME: .*/file/home cannot be made"):
        open_ledger(RATINGS_SYNC_HOME=str(tmp_path / "file" / "home"))


def test_ledger_in_use_keeps_its_log_when_it_is_opened_once_more(tmp_path: Path) -> None:
    """To open and close a SQLite file beside SQLite ends the locks of this process on it.

    Another process that closes the ledger then takes its log away, and what each writes from then
    on the other does not see.
    """
    file = tmp_path / "ledger.db"
    make_private_file(file)
    ours = sqlite3.connect(file, isolation_level=None)
    ours.execute("PRAGMA journal_mode = WAL")
    ours.execute("CREATE TABLE noted (word TEXT)")
    make_private_file(file)
    script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
    script += "c.execute('INSERT INTO noted VALUES (1)'); c.commit(); c.close()"
    subprocess.run([sys.executable, "-c", script, str(file)], check=True)
    assert file.with_name("ledger.db-wal").exists()
    assert ours.execute("SELECT count(*) FROM noted").fetchone() == (1,)
    ours.close()
