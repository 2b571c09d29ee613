"""Another folder, or another database: no command begins a new ledger beside the one with links."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine, inspect

from sync_worker.core.errors import NoLedger
from sync_worker.ledger.opening import open_with_newest_schema
from sync_worker.services.evidence import Evidence
from sync_worker.services.trouble import TroubleKind
from sync_worker.services.troubles import troubles
from tests.integration.shell import Shell


def ask(url: str) -> str:
    with pytest.raises(NoLedger) as raised:
        open_with_newest_schema(url, busy_seconds=1.0, pool_size=1, makes=False)
    return raised.value.message


@pytest.mark.parametrize("is_empty", [False, True])
def test_question_to_a_folder_without_a_ledger_makes_none(tmp_path: Path, is_empty: bool) -> None:
    file = tmp_path / "ledger.db"
    if is_empty:
        file.touch()
    assert ask(f"sqlite:///{file}").startswith(f"there is no ledger at {file}: run this in")
    assert (file.stat().st_size if is_empty else file.exists()) == 0


def test_question_to_a_postgresql_without_tables_makes_none(empty_postgres_url: str) -> None:
    said = ask(empty_postgres_url)
    assert said.startswith("there is no ledger in ")
    assert said.endswith(
        ": it has none of our tables; is DATABASE_URL the right one? `ratings-sync migrate` makes"
        " them"
    )
    engine = create_engine(empty_postgres_url, poolclass=NullPool)
    assert inspect(engine).get_table_names() == []


def test_missing_ledger_and_missing_site_are_troubles() -> None:
    """Nothing stands in the way of a rating only where there is a site that it could cross."""
    (missing,) = troubles(Evidence(now=0.0, missing_ledger="there is no ledger at /x: run this"))
    assert (missing.kind, missing.sentence, missing.next_step) == (
        TroubleKind.NO_LEDGER,
        "there is no ledger at /x",
        "run this",
    )
    (empty,) = troubles(Evidence(now=0.0))
    assert (empty.kind, empty.sentence) == (
        TroubleKind.NO_SITE,
        "no site is connected yet: no rating crosses",
    )


@pytest.mark.full
@pytest.mark.parametrize(
    "words", ["status", "doctor --offline", "history", "held", "map entities list", "site list"]
)
def test_command_that_asks_says_where_it_looked(shell: Shell, words: str) -> None:
    done = shell.run(*words.split())
    home = shell.folder / "home"
    assert done.returncode == 1
    assert f"here is no ledger at {home / 'ledger.db'}" in done.stdout + done.stderr
    assert "nothing stands in the way" not in done.stdout
    assert not home.exists()


@pytest.mark.full
def test_status_of_the_setup_begins_no_ledger(shell: Shell) -> None:
    done = shell.run("setup", "--status", "--json")
    (site,) = (step for step in json.loads(done.stdout)["steps"] if step["name"] == "site")
    assert (done.returncode, site["is_done"], site["what"]) == (1, False, "none yet")
    assert not (shell.folder / "home").exists()


@pytest.mark.full
def test_commands_that_begin_make_a_ledger(shell: Shell) -> None:
    shell.good("migrate")
    assert (shell.folder / "home" / "ledger.db").exists()
    done = shell.run("status", "--offline")
    assert (done.returncode, "No site is connected yet: no rating crosses" in done.stdout) == (
        1,
        True,
    )
