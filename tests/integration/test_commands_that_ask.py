"""Commands that could destroy or mislead ask first, or refuse with the option that says yes."""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
from pathlib import Path

import pytest

from tests.commands import run_command
from tests.terminal import CTRL_C, at_terminal

pytestmark = pytest.mark.full

COMMAND = str(Path(sys.executable).parent / "ratings-sync")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "COLUMNS": "200"}


def refused(words: list[str], folder: Path, environ: dict[str, str]) -> str:
    done = run_command(words, folder, environ)
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


def schema_of(folder: Path) -> str:
    with sqlite3.connect(folder / ".ratings-sync" / "ledger.db") as ledger:
        return str(ledger.execute("SELECT version_num FROM alembic_version").fetchone()[0])


# -- migrate --to


def test_step_back_needs_a_yes_where_nobody_can_answer(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    assert run_command(["migrate"], tmp_path, environ).returncode == 0, "plain migrate never asks"
    newest = schema_of(tmp_path)
    line = refused(["migrate", "--to", "0001"], tmp_path, environ)
    assert f"Step the ledger ({tmp_path}/.ratings-sync/ledger.db) back to schema 0001?" in line
    assert "say it with --yes" in line
    assert schema_of(tmp_path) == newest
    assert run_command(["migrate", "--to", "0001", "--yes"], tmp_path, environ).returncode == 0
    assert schema_of(tmp_path) == "0001"


def write(folder: Path, statement: str) -> None:
    with sqlite3.connect(folder / ".ratings-sync" / "ledger.db") as ledger:
        ledger.execute(statement)


SITE_OF_REVIEWS = (
    "INSERT INTO site (id, instance_id, connector, external_source, state, policy, wix_api,"
    " created_at) VALUES (7, 'i', 'c', 'c', 'active', '{}', 'reviews', 1)"
)


def test_step_back_that_would_lose_something_is_refused_unasked(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """A person who says yes to a question must not hear afterwards that it never could be."""
    words = ["migrate", "--to", "0018"]
    assert "there is no ledger at" in refused(words, tmp_path, environ)
    assert run_command(["migrate"], tmp_path, environ).returncode == 0
    newest = schema_of(tmp_path)
    write(tmp_path, SITE_OF_REVIEWS)
    for more in ([], ["--yes"]):
        line = refused([*words, *more], tmp_path, environ)
        assert line.startswith("ratings-sync: site 7 uses Wix Reviews")
        assert schema_of(tmp_path) == newest
    write(tmp_path, "UPDATE site SET wix_api = 'ratings'")
    assert "say it with --yes" in refused(words, tmp_path, environ)


@pytest.mark.parametrize(
    ("found", "words"),
    [("9999", "which another version of the program has made"), ("0040", "which is older")],
)
def test_step_back_from_where_no_way_leads_is_refused_unasked(
    found: str, words: str, tmp_path: Path, environ: dict[str, str]
) -> None:
    assert run_command(["migrate"], tmp_path, environ).returncode == 0
    write(tmp_path, f"UPDATE alembic_version SET version_num = '{found}'")  # noqa: S608 - ours
    line = refused(["migrate", "--to", "0041"], tmp_path, environ)
    assert f"the ledger has the schema {found}, {words}" in line
    assert "Step the ledger" not in line


def test_yes_without_a_step_back_is_refused(tmp_path: Path, environ: dict[str, str]) -> None:
    assert "--yes goes with --to" in refused(["migrate", "--yes"], tmp_path, environ)


def test_step_back_asks_at_a_terminal(tmp_path: Path, environ: dict[str, str]) -> None:
    assert run_command(["migrate"], tmp_path, environ).returncode == 0
    newest, command = schema_of(tmp_path), [COMMAND, "migrate", "--to", "0001"]
    assert at_terminal(command, tmp_path, environ, {"[y/N]": "n\n"}).status == 1
    assert schema_of(tmp_path) == newest
    assert at_terminal(command, tmp_path, environ, {"[y/N]": "y\n"}).status == 0
    assert schema_of(tmp_path) == "0001"


# -- up in another folder


def test_up_begins_no_new_ledger_unasked(tmp_path: Path, environ: dict[str, str]) -> None:
    line = refused(["up"], tmp_path, environ)
    assert f"There is no ledger at {tmp_path}/.ratings-sync/ledger.db" in line
    assert "say it with --new" in line
    assert list(tmp_path.iterdir()) == []


def test_up_with_new_or_a_ledger_or_a_server_does_not_ask(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """Each ends for another reason: the worker's number, or the address of the server."""
    wrong = environ | {"GATEWAY_BIND": "nowhere"}
    assert "no ledger" not in refused(["up", "--new"], tmp_path, wrong)
    elsewhere = wrong | {"DATABASE_URL": "postgresql://u@localhost:1/n"}
    assert "no ledger" not in refused(["up"], tmp_path, elsewhere)
    assert run_command(["migrate"], tmp_path, environ).returncode == 0
    assert "no ledger" not in refused(["up"], tmp_path, wrong)


def test_up_asks_at_a_terminal(tmp_path: Path, environ: dict[str, str]) -> None:
    seen = at_terminal([COMMAND, "up"], tmp_path, environ, {"[y/N]": "n\n"})
    assert seen.status == 1
    assert "begin with a new, empty one?" in seen.text
    assert not (tmp_path / ".ratings-sync").exists()


# -- sandbox --env-file


@pytest.mark.parametrize("content", ["WIX_APP_SECRET=mine\n", ""])
def test_sandbox_never_overwrites_an_env_file_of_a_person(
    content: str, tmp_path: Path, environ: dict[str, str]
) -> None:
    (tmp_path / ".env").write_text(content)
    line = refused(["sandbox", "--env-file", ".env"], tmp_path, environ)
    assert ".env is not from the sandbox and stays as it is; name another file" in line
    assert (tmp_path / ".env").read_text() == content


def test_sandbox_never_overwrites_a_manifest_of_a_person(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    (tmp_path / "fera-sandbox.yaml").write_text("version: 1\n")
    words = ["sandbox", "--platform", "fera", "--env-file", ".env"]
    assert "fera-sandbox.yaml is not from the sandbox" in refused(words, tmp_path, environ)
    assert not (tmp_path / ".env").exists()


def test_sandbox_writes_its_own_file_anew_until_a_person_changes_it(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    words = [COMMAND, "sandbox", "--wix-port", "0", "--reviews-port", "0", "--env-file", ".env"]
    for _ in range(2):
        ended = at_terminal(words, tmp_path, environ, {"Ctrl-C stops both": CTRL_C})
        assert ended.status == 0, ended.text
        assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    with (tmp_path / ".env").open("a") as file:
        file.write("LOG_LEVEL=DEBUG\n")
    line = refused(["sandbox", "--env-file", ".env"], tmp_path, environ)
    assert ".env was changed since and stays as it is" in line
    assert (tmp_path / ".env").read_text().endswith("LOG_LEVEL=DEBUG\n")


def test_settings_of_the_sandbox_into_nowhere_are_told(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    words = ["sandbox", "--wix-port", "0", "--reviews-port", "0", "--env-file", "none/.env"]
    assert "cannot write none/.env (No such file or directory)" in refused(words, tmp_path, environ)
