"""Whatever the system refuses ends a command in one line: no traceback, anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import run_command

COMMAND = str(Path(sys.executable).parent / "ratings-sync")
# Nobody can write there, not even the administrator.
READ_ONLY = Path("/proc/sys")

pytestmark = pytest.mark.skipif(not READ_ONLY.is_dir(), reason="needs /proc")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    home = tmp_path / "home"
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "RATINGS_SYNC_HOME": str(home)}


def refused(words: tuple[str, ...], folder: Path, environ: dict[str, str]) -> str:
    done = run_command(words, folder, environ)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "Traceback" not in said
    return done.stderr or done.stdout


@pytest.mark.parametrize("words", [("migrate",), ("up", "--new")])
def test_folder_that_cannot_be_written_is_told(
    words: tuple[str, ...], environ: dict[str, str]
) -> None:
    line = refused(words, READ_ONLY, environ | {"RATINGS_SYNC_HOME": ".ratings-sync"})
    assert "RATINGS_SYNC_HOME: " in line
    assert ".ratings-sync cannot be " in line


def test_folder_that_cannot_be_written_has_no_ledger(environ: dict[str, str]) -> None:
    """What only asks wants to write nothing there."""
    for words in (("status",), ("held",), ("site", "list"), ("doctor",)):
        line = refused(words, READ_ONLY, environ | {"RATINGS_SYNC_HOME": ".ratings-sync"})
        assert f"here is no ledger at {READ_ONLY}/.ratings-sync/ledger.db" in line


def test_output_into_nowhere_is_told(tmp_path: Path, environ: dict[str, str]) -> None:
    line = refused(("connector", "new", "mine", "--out", "none/mine.yaml"), tmp_path, environ)
    assert line == (
        "ratings-sync: cannot read or write none/mine.yaml (No such file or directory)\n"
    )


@pytest.mark.parametrize("name", [".env", "secret"])
def test_settings_that_nobody_may_read_are_told(
    name: str, tmp_path: Path, environ: dict[str, str]
) -> None:
    """A file under /proc that refuses even its reading by the administrator."""
    (tmp_path / name).symlink_to("/proc/self/mem")
    secret = {"WIX_APP_SECRET_FILE": str(tmp_path / "secret")} if name == "secret" else {}
    assert str(tmp_path / name) in refused(("migrate",), tmp_path, environ | secret)


def through_a_shell(line: str, folder: Path, environ: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.full
def test_output_that_cannot_be_written_is_told(tmp_path: Path, environ: dict[str, str]) -> None:
    for words in ("connector schema", "map contacts list --site 1", "--help"):
        status, said = through_a_shell(f"{COMMAND} {words} > /dev/full", tmp_path, environ)
        assert status == 1
        assert len(said.splitlines()) == 1, said
    assert said == "ratings-sync: cannot write the output (No space left on device)\n"


@pytest.mark.full
def test_reader_that_has_seen_enough_is_no_error(tmp_path: Path, environ: dict[str, str]) -> None:
    assert through_a_shell(f"{COMMAND} migrate", tmp_path, environ) == (0, "")
    for words in ("connector schema", "--help", "history --json"):
        assert through_a_shell(f"{COMMAND} {words} | true", tmp_path, environ)[1] == ""


@pytest.mark.full
@pytest.mark.parametrize(
    ("closed", "commands"),
    [
        (">&-", ("status", "site list --json")),
        ("2>&-", ("status", "map contacts list")),
        ("<&-", ("status", "held show 1")),
        (">&- 2>&- <&-", ("status", "map contacts list", "site list --json", "held show 1")),
    ],
)
def test_closed_stream_is_no_traceback(
    closed: str, commands: tuple[str, ...], tmp_path: Path, environ: dict[str, str]
) -> None:
    for words in commands:
        status, _ = through_a_shell(f"{COMMAND} {words} {closed}", tmp_path, environ)
        assert status in (0, 1)


@pytest.mark.full
@pytest.mark.parametrize(
    "module",
    ["sync_worker.tasks worker", "sync_worker.tasks beat", "sync_worker.tasks flower"],
)
def test_process_that_cannot_read_its_settings_says_so(
    module: str, tmp_path: Path, environ: dict[str, str]
) -> None:
    celery = Path(COMMAND).with_name("celery")
    wrong = environ | {"REDIS_URL": "redis://:s3cr#t@host:6379/0"}
    status, said = through_a_shell(f"{celery} -A {module}", tmp_path, wrong)
    assert status != 0
    assert "REDIS_URL cannot be read" in said
    assert "s3cr" not in said
