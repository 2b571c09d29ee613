"""The commands of the set-up, as a shell runs them: what they print, and what bad input is told."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest

from tests.integration.shell import Shell
from tests.unit.signed import OWN_SERVICE

pytestmark = pytest.mark.full


@pytest.mark.usefixtures("home")
def test_site_is_added_with_the_default_field(shell: Shell) -> None:
    output = shell.good(
        "site", "add", "instance-1", "--connector", "own-service", "-p", "unknown_contact=create"
    )
    assert "site 1: Wix instance instance-1 ↔ own-service, wix_api=reviews" in output
    assert "overall (1..5 step 1) ↔ value (0.5..5 step 0.5), proportional" in output
    assert "wix_api=reviews unknown_contact=create" in shell.good("site", "list")


@pytest.mark.usefixtures("home")
def test_site_of_the_ratings_api_has_its_scale(shell: Shell) -> None:
    """Asked for, and where Wix is a stand-in."""
    words = ("site", "add", "instance-1", "--connector", "own-service")
    chosen = shell.good(*words, "--wix-api", "ratings")
    assert "wix_api=ratings\n  overall (0..100 step 1)" in chosen
    assert json.loads(shell.good("site", "list", "--json"))[0]["wix_api"] == "ratings"
    assert "'stars' is not one of" in shell.bad(*words, "--wix-api", "stars")


@pytest.mark.usefixtures("home")
def test_site_of_a_hosted_platform_writes_nothing_until_a_person_says_so(shell: Shell) -> None:
    shell.environ |= {"CONNECTORS": "fera", "FERA_SECRET_KEY": "k"}
    added = shell.good("site", "add", "instance-1", "--connector", "fera")
    assert "nothing is written to the external system yet" in added
    assert "direction=to_wix" in shell.good("site", "list")
    shell.good("site", "policy", "direction=both")
    assert "direction=" not in shell.good("site", "list")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (
            ("instance-2", "--connector", "nobody"),
            "there is no connector 'nobody'; CONNECTORS names: own-service",
        ),
        (
            ("instance-1", "--connector", "own-service"),
            "instance_id 'instance-1' belongs to site 1 already",
        ),
        (
            ("instance-2", "--connector", "own-service"),
            "connector 'own-service' belongs to site 1 already",
        ),
        (("instance-2", "--connector", "own-service", "-p", "x=y"), "there is no policy 'x'"),
        (
            ("instance-2", "--connector", "own-service", "-p", "deletes=no"),
            "choose one of: propagate, ignore",
        ),
        (
            ("instance-2", "--connector", "own-service", "-p", "deletes"),
            "'deletes' is not NAME=CHOICE",
        ),
    ],
)
def test_site_that_cannot_be_is_refused_with_words(
    site: Shell, words: tuple[str, ...], complaint: str
) -> None:
    assert complaint in site.bad("site", "add", *words)
    assert len(site.good("site", "list").splitlines()) == 1


def test_command_before_any_site_says_what_to_do(shell: Shell) -> None:
    shell.good("migrate")
    assert "add one with `ratings-sync site add" in shell.bad("map", "entities", "list")


def test_policy_is_changed_and_shown(site: Shell) -> None:
    assert "conflict=wix" in site.good("site", "policy", "conflict=wix")
    assert "all policies at their defaults" not in site.good("site", "policy", "deletes=ignore")


@pytest.mark.usefixtures("home")
def test_adding_a_site_releases_its_deliveries(shell: Shell) -> None:
    shell.store(reason="unknown_site", hold_key="source:wix:instance-1")
    assert "1 deliveries had waited for this site" in shell.good(
        "site", "add", "instance-1", "--connector", "own-service"
    )


def test_held_delivery_is_listed_and_replayed(site: Shell) -> None:
    inbox_id = site.store(reason="refused")
    assert "refused" in site.good("held")
    assert json.loads(site.good("held", "--json"))[0]["inbox_id"] == inbox_id
    assert site.how()["held"] == {"refused": 1}
    assert "1 deliveries are on their way" in site.good("replay", str(inbox_id))
    assert "nothing is held" in site.good("held")
    assert site.how()["deliveries"] == {"new": 1}


def test_search_finds_what_has_not_come_to_a_rating(site: Shell) -> None:
    inbox_id = site.store(reason="unknown_contact")
    (one,) = json.loads(site.good("search", f"#{inbox_id}", "--json"))["deliveries"]
    assert (one["number"], one["reason"]) == (f"#{inbox_id}", "unknown_contact")
    assert "nobody on the Wix site has this address" in site.good("search", "--state", "not_linked")
    assert site.good("search", "--csv").startswith("number,link_id,site_id,")
    assert "nothing is found for 'ada@example.com'" in site.bad("search", "ada@example.com")


def test_replay_by_reason_and_of_nothing(site: Shell) -> None:
    site.store(reason="unauthorized")
    assert "1 deliveries are on their way" in site.good("replay", "--reason", "unauthorized")
    assert "say which" in site.bad("replay")
    assert "unknown or on their way already: 77" in site.run("replay", "77").stderr


def test_status_and_history_of_an_empty_ledger(site: Shell) -> None:
    assert "nothing" in site.run("status", "--offline").stdout
    assert "no history yet" in site.good("history")


def test_pausing_holds_and_resuming_releases(site: Shell) -> None:
    assert "paused" in site.good("site", "pause")
    site.store(reason="site_paused")
    assert "1 deliveries released" in site.good("site", "resume")


def test_history_of_a_site_says_who_paused_it_and_why(site: Shell) -> None:
    site.environ["SUDO_USER"] = "grace"
    site.good("site", "pause", "--why", "a sale begins")
    (entry,) = json.loads(site.good("site", "history", "--json"))["changes"]
    grace = f"cli:grace@{socket.gethostname()}"
    assert (entry["actor"], entry["what"], entry["why"]) == (grace, "site.pause", "a sale begins")
    assert f"{grace}  site.pause  state (a sale begins)" in site.good("site", "history")


SETTINGS: dict[str, tuple[dict[str, str], str]] = {
    "no number": ({"WIX_BUDGET_PER_MINUTE": "many"}, "WIX_BUDGET_PER_MINUTE: "),
    "unknown connector": (
        {"CONNECTORS": "nobody"},
        "there is no connector 'nobody'; shipped are: bigcommerce, ecwid, fera",
    ),
    "missing file": (
        {"CONNECTORS": "./nothing.yaml"},
        "CONNECTORS names nothing.yaml, which does not exist",
    ),
    "secret not set": (
        {"OWN_SERVICE_TOKEN": ""},
        "OWN_SERVICE_TOKEN is not set; set OWN_SERVICE_TOKEN or",
    ),
    "secret file gone": (
        {"OWN_SERVICE_TOKEN": "", "OWN_SERVICE_TOKEN_FILE": "/nothing"},
        "cannot read /nothing",
    ),
    "no database": (
        {"DATABASE_URL": "postgresql://nobody:hush@127.0.0.1:1/none"},
        "DATABASE_URL: the ledger's database cannot be opened",
    ),
}


@pytest.mark.parametrize("case", sorted(SETTINGS))
def test_wrong_setting_is_told_by_its_name_and_no_secret_is_shown(shell: Shell, case: str) -> None:
    changes, complaint = SETTINGS[case]
    shell.environ |= changes
    error = shell.bad("site", "add", "instance-1", "--connector", "own-service")
    assert complaint in error
    assert "hush" not in error


@pytest.mark.usefixtures("home")
def test_secret_may_come_from_a_file(shell: Shell) -> None:
    del shell.environ["OWN_SERVICE_TOKEN"]
    shell.environ["OWN_SERVICE_TOKEN_FILE"] = shell.file("token", "t\n")
    shell.good("site", "add", "instance-1", "--connector", "own-service")


@pytest.mark.usefixtures("home")
def test_settings_may_come_from_the_env_file(shell: Shell) -> None:
    lines = [f"{name}={shell.environ.pop(name)}" for name in OWN_SERVICE]
    shell.file(".env", "\n".join(lines) + "\n")
    shell.good("site", "add", "instance-1", "--connector", "own-service")


# -- every command

WALK = """
import json
import click
from click.testing import CliRunner
from sync_worker.cli.commands import cli

RUNS_ON = {"up", "sandbox", "demo", "flower", "console"}

def commands(group, path=()):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield [*path, name], command
        if isinstance(command, click.Group):
            yield from commands(command, [*path, name])

ended = {}
for path, command in commands(cli):
    if " ".join(path) not in RUNS_ON:
        words = ["1" for one in command.params if isinstance(one, click.Argument) and one.required]
        done = CliRunner().invoke(cli, path + words)
        error = done.exception
        kinds = [kind.__name__ for kind in type(error).__mro__] if error is not None else []
        ended[" ".join(path)] = {
            "status": done.exit_code,
            "kinds": kinds,
            "said": done.output + str(error or ""),
        }
print(json.dumps(ended))
"""


def test_every_command_in_an_empty_folder_ends_with_words(
    shell: Shell,
) -> None:
    """Every command in an empty folder ends with words and a sensible status.

    0: it has an answer; 1: a problem in words; 2: wrong usage. Nothing else is raised.
    """
    kept = {"PATH", "HOME", "RATINGS_SYNC_HOME"}
    environ = {name: value for name, value in shell.environ.items() if name in kept}
    command = [sys.executable, "-c", WALK]
    done = subprocess.run(
        command,
        env=environ,
        cwd=shell.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    ended = json.loads(done.stdout.splitlines()[-1])
    assert len(ended) > 30
    for path, how in ended.items():
        assert how["status"] in (0, 1, 2), path
        assert not how["kinds"] or {"SystemExit", "SyncError"} & set(how["kinds"]), (path, how)
        assert len(how["said"].strip()) > 3, f"{path} says nothing"
    # What asks begins no ledger; `migrate` does, which the walk passes before these two.
    for path in ("doctor", "held", "history"):
        assert ended[path]["status"] == 1
        assert "here is no ledger at " in ended[path]["said"], path
    assert "No site is connected yet" in ended["status"]["said"]
    assert ended["site list"]["status"] == 0
