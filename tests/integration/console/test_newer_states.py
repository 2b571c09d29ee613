"""A site, an account or a run in a state that only a newer version knows: shown, and left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text

from sync_worker.core.errors import Misconfigured, OfNewerVersion
from sync_worker.core.sweep_values import Listed, Mark, RunKind
from sync_worker.core.values import (
    AccountChange,
    AccountState,
    HistoryEntry,
    HistoryKind,
    NewAccount,
    Side,
    Site,
    SiteState,
)
from sync_worker.ledger.accounts.store import SqlAccountStore
from sync_worker.ledger.accounts.tables import account
from sync_worker.ledger.site_cache import SiteCache
from sync_worker.ledger.statements.history import add_history
from sync_worker.ledger.sweeps import SqlSweeps
from sync_worker.ledger.tables import run, site
from sync_worker.services.access.who import Right, Role
from tests.commands import run_command
from tests.integration.console.ground import Ground, ground_over
from tests.integration.console.programs import program
from tests.simulation.world import OVERALL

TOMORROW = "of_tomorrow"
WORDS = {
    "site": "UPDATE site SET state = :word WHERE id = 1",
    "account": "UPDATE account SET state = :word WHERE site_id = 1",
}
PAGES = ("/", "/sites", "/sites/1", "/sites/1/account", "/sites/1/compare", "/compare", "/held")
ENDPOINTS = ("/sites", "/sites/1", "/overview", "/sites/1/account", "/comparisons", "/held")
COMMANDS = (
    ("site", "list"),
    ("site", "show", "--site", "1"),
    ("account", "list"),
    ("account", "show", "1"),
    ("status", "--offline"),
)
EVERYBODY = [Right.LOOK]


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def ground(url: str) -> Iterator[Ground]:
    """Two sites with an account each; only the first comes to be of tomorrow."""
    with ground_over(url, CONNECTORS="okendo") as made:
        for number in (1, 2):
            added, _ = made.admin.sites.add(f"instance-{number}", "", [OVERALL], {})
            new = NewAccount(f"a{number}", added.id, "okendo", f"shop-{number}", {}, {})
            accounts(made).add(new, "test")
        yield made


def accounts(ground: Ground) -> SqlAccountStore:
    return SqlAccountStore(ground.admin.transactions)


def become(ground: Ground, words: str) -> None:
    with ground.admin.transactions.write() as connection:
        assert connection.execute(text(words), {"word": TOMORROW}).rowcount


def rows(ground: Ground) -> list[str]:
    with ground.admin.transactions.read() as connection:
        return [str(connection.execute(select(one)).all()) for one in (site, account, run)]


def first(ground: Ground) -> Site:
    return ground.admin.sites.find("1")


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS.keys())
def test_everybody_goes_on_and_is_told_the_word(
    ground: Ground, words: str, tmp_path: Path, url: str
) -> None:
    become(ground, words)
    person, asker = ground.client(Role.ADMIN), program(ground, EVERYBODY)
    for path in PAGES:
        answer = person.client.get(path, follow_redirects=True)
        assert answer.status_code == 200, path
    page = person.get("/sites/1").text
    assert TOMORROW in page
    assert "overall ↔" in page
    for path in ENDPOINTS:
        assert asker.get(path).status_code == 200, path
    assert TOMORROW in asker.get("/sites/1").text
    environ = {"DATABASE_URL": url, "CONNECTORS": "okendo"}
    for command in COMMANDS:
        done = run_command(command, tmp_path, environ)
        assert "Traceback" not in done.stderr, done.stderr
        assert done.stdout, (command, done.stderr)
    assert TOMORROW in run_command(("site", "show", "--site", "1"), tmp_path, environ).stdout


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS.keys())
def test_nothing_is_changed_of_it_and_the_person_is_told(ground: Ground, words: str) -> None:
    become(ground, words)
    before = rows(ground)
    with pytest.raises(Misconfigured, match="newer version"):
        ground.admin.sites.set_state(1, SiteState.REMOVED, "test")
    assert rows(ground) == before


@pytest.mark.parametrize("state", [SiteState.PAUSED, SiteState.ACTIVE, SiteState.RECOVERY])
def test_site_of_tomorrow_is_not_brought_into_another_state(
    ground: Ground, state: SiteState
) -> None:
    become(ground, WORDS["site"])
    before = rows(ground)
    with pytest.raises(Misconfigured, match="newer version"):
        ground.admin.sites.set_state(1, state, "test")
    person = ground.client(Role.ADMIN)
    for act in ("pause", "resume"):
        answer = person.send(f"/sites/1/{act}", {"seen": TOMORROW}, "/sites/1")
        assert "newer version" in answer.text
    assert rows(ground) == before


def test_account_of_tomorrow_is_not_changed_but_its_site_may_rest(ground: Ground) -> None:
    become(ground, WORDS["account"])
    before = rows(ground)[1]
    with pytest.raises(Misconfigured, match="newer version"):
        accounts(ground).change("a1", AccountChange(state=AccountState.PAUSED), actor="test")
    with pytest.raises(Misconfigured, match="newer version"):
        accounts(ground).revoke("a1", "test")
    ground.admin.sites.set_state(1, SiteState.PAUSED, "test")
    ground.admin.sites.set_state(1, SiteState.ACTIVE, "test")
    assert rows(ground)[1] == before


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS.keys())
def test_sweeps_pass_over_it_and_go_on_with_the_others(ground: Ground, words: str) -> None:
    become(ground, words)
    assert not first(ground).is_at_work
    sites = SqlSweeps(ground.admin.transactions, SiteCache()).active_sites()
    assert [number for number, _ in sites] == [2]


def test_run_in_a_phase_of_tomorrow_is_left_to_the_newer_worker(ground: Ground) -> None:
    sweeps = SqlSweeps(ground.admin.transactions, SiteCache())
    begun = sweeps.begin(1, RunKind.SWEEP)
    assert begun is not None
    sweeps.release_run(begun)
    become(ground, """UPDATE run SET cursor = '{"phase": "' || :word || '"}'""")
    before = rows(ground)
    with pytest.raises(OfNewerVersion):
        sweeps.begin(1, RunKind.SWEEP)
    assert rows(ground) == before
    assert ground.client(Role.ADMIN).get("/sites/1/compare").status_code == 200


def test_run_of_a_kind_of_tomorrow_is_shown_as_it_is(
    ground: Ground, tmp_path: Path, url: str
) -> None:
    sweeps = SqlSweeps(ground.admin.transactions, SiteCache())
    for kind in (RunKind.SWEEP, RunKind.POLL):
        begun = sweeps.begin(1, kind)
        assert begun is not None
        sweeps.end(begun)
    become(ground, "UPDATE run SET kind = :word WHERE kind <> 'poll'")
    before = rows(ground)
    person, asker = ground.client(Role.ADMIN), program(ground, EVERYBODY)
    for path in ("/compare", "/sites/1/compare"):
        page = person.get(path).text
        assert TOMORROW in page
        assert "poll" not in page
    answer = asker.get("/comparisons").get_json()
    assert [one["kind"] for one in answer["runs"]] == [TOMORROW]
    environ = {"DATABASE_URL": url, "CONNECTORS": "okendo"}
    done = run_command(("comparisons",), tmp_path, environ)
    assert (TOMORROW.replace("_", " ") in done.stdout, done.stderr) == (True, "")
    assert rows(ground) == before


def test_line_of_the_history_of_tomorrow_is_shown_as_it_is(
    ground: Ground, tmp_path: Path, url: str
) -> None:
    line = HistoryEntry(HistoryKind.MERGE, Side.WIX, "overall", reason="why")
    with ground.admin.transactions.write() as connection:
        add_history(connection, 1, None, line)
    become(ground, "UPDATE history SET what = :word")
    assert "Of tomorrow" in ground.client(Role.ADMIN).get("/activity").text
    answer = program(ground, EVERYBODY).get("/activity")
    assert (answer.status_code, TOMORROW in answer.text) == (200, True)
    environ = {"DATABASE_URL": url, "CONNECTORS": "okendo"}
    done = run_command(("history",), tmp_path, environ)
    assert (TOMORROW in done.stdout, done.stderr) == (True, "")


def test_listed_record_with_a_mark_of_tomorrow_waits_for_the_newer_worker(ground: Ground) -> None:
    """It stops the run of its site, and neither reading nor the runs of others."""
    sweeps = SqlSweeps(ground.admin.transactions, SiteCache())
    begun = sweeps.begin(1, RunKind.SWEEP)
    assert begun is not None
    sweeps.save(begun, [Listed(Side.WIX, "w1", Mark.OPEN)])
    become(ground, "UPDATE listed SET mark = :word")
    with pytest.raises(OfNewerVersion):
        sweeps.count_marks(begun)
    assert sweeps.begin(2, RunKind.SWEEP) is not None
