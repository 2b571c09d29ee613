"""The commands of the set-up, as a shell runs them: what they print, and what bad input is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sync_worker.core.hold_keys import email_hold_key, entity_hold_key
from sync_worker.core.values import Change, EntityRef, NewDelivery, Side
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.sql_ledger import sql_ledger
from tests.commands import run_command
from tests.unit.signed import OWN_SERVICE

COMMAND = str(Path(sys.executable).parent / "ratings-sync")
ENTITIES = "wix_namespace,wix_group,wix_entity_id,external_group,external_entity_id\n"
CONTACTS = "wix_contact_id,email,external_author_id\n"
FIELDS = (
    "wix_attribute,external_field,wix_min,wix_max,wix_step,"
    "external_min,external_max,external_step,mapping\n"
)


@dataclass
class Shell:
    folder: Path
    environ: dict[str, str]
    timeout: float = 60

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = run_command(words, self.folder, self.environ, self.timeout)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def good(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def how(self) -> dict[str, Any]:
        """What `status` tells; that nothing runs here makes it end with 1."""
        told: dict[str, Any] = json.loads(self.run("status", "--json", "--offline").stdout)
        return told

    def bad(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def file(self, name: str, content: str) -> str:
        (self.folder / name).write_text(content)
        return name

    def store(self, **changes: Any) -> int:
        """A delivery that is held, as a worker holds it. Returns its id."""
        engine = open_engine(f"sqlite:///{self.folder / 'home' / 'ledger.db'}")
        ledger = sql_ledger(engine)
        hold_key = changes.pop("hold_key", None)
        reason = changes.pop("reason", "unknown_entity")
        side = changes.pop("side", Side.WIX)
        source = "instance-1" if side is Side.WIX else "own-service"
        new = NewDelivery(
            side, source, changes.pop("dedupe_id", "event-1"), Change.UPSERT, "rating-1", {}
        )
        inbox_id = ledger.inbox.store(new).inbox_id
        ledger.inbox.hold([inbox_id], reason, hold_key=hold_key)
        engine.dispose()
        return inbox_id


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return Shell(
        tmp_path,
        {**environ, **OWN_SERVICE, "RATINGS_SYNC_HOME": str(tmp_path / "home"), "COLUMNS": "200"},
    )


@pytest.fixture
def site(shell: Shell) -> Shell:
    """Its ratings are of any attribute and scale, as the Ratings API has them."""
    words = ("instance-1", "--connector", "own-service", "--wix-api", "ratings")
    shell.good("site", "add", *words)
    return shell


def test_site_is_added_with_the_default_field(shell: Shell) -> None:
    output = shell.good(
        "site", "add", "instance-1", "--connector", "own-service", "-p", "unknown_contact=create"
    )
    assert "site 1: Wix instance instance-1 ↔ own-service, wix_api=reviews" in output
    assert "overall (1..5 step 1) ↔ value (0.5..5 step 0.5), proportional" in output
    assert "wix_api=reviews unknown_contact=create" in shell.good("site", "list")


def test_site_of_the_ratings_api_has_its_scale(shell: Shell) -> None:
    """Asked for, and where Wix is a stand-in."""
    words = ("site", "add", "instance-1", "--connector", "own-service")
    chosen = shell.good(*words, "--wix-api", "ratings")
    assert "wix_api=ratings\n  overall (0..100 step 1)" in chosen
    assert json.loads(shell.good("site", "list", "--json"))[0]["wix_api"] == "ratings"
    assert "'stars' is not one of" in shell.bad(*words, "--wix-api", "stars")


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


def test_imported_rows_come_back_as_they_were(site: Shell) -> None:
    entities = ENTITIES + "reviews,stores,beans,,SKU-1\nreviews,stores,tea,drinks,SKU-2\n"
    assert "2 added, 0 changed, 0 were there" in site.good(
        "map", "entities", "import", site.file("e.csv", entities)
    )
    assert site.good("map", "entities", "list") == entities
    assert "0 added, 0 changed, 2 were there" in site.good("map", "entities", "import", "e.csv")
    contacts = CONTACTS + "contact-1, Ada@Example.com ,author-9\n"
    site.good("map", "contacts", "import", site.file("c.csv", contacts))
    assert site.good("map", "contacts", "list") == CONTACTS + "contact-1,ada@example.com,author-9\n"
    fields = FIELDS + "quality,taste,0,100,1,0,10,1,span\n"
    site.good("map", "fields", "import", site.file("f.csv", fields))
    assert site.good("map", "fields", "list").splitlines()[2] == "quality,taste,0,100,1,0,10,1,span"


def test_changed_row_replaces_the_old_one_while_no_rating_uses_it(site: Shell) -> None:
    site.good(
        "map", "entities", "import", site.file("e.csv", ENTITIES + "reviews,stores,beans,,SKU-1\n")
    )
    changed = site.file("e2.csv", ENTITIES + "reviews,stores,beans,,SKU-9\n")
    assert "0 added, 1 changed" in site.good("map", "entities", "import", changed)
    assert "SKU-1" not in site.good("map", "entities", "list")


BAD_FILES: dict[str, tuple[str, str, str]] = {
    "wrong header": ("entities", "a,b\n", "bad.csv:1: the header must be wix_namespace,wix_group,"),
    "empty file": ("entities", "", "bad.csv: is empty; the first line must name the columns"),
    "empty cell": (
        "entities",
        ENTITIES + "reviews,stores,,,SKU-1\n",
        "bad.csv:2: wix_entity_id: is empty",
    ),
    "missing cell": (
        "entities",
        ENTITIES + "reviews,stores,x\n",
        "bad.csv:2: 3 cells, but the header has 5",
    ),
    "twice in the file": (
        "entities",
        ENTITIES + "reviews,stores,a,,SKU-1\nreviews,stores,b,,SKU-1\n",
        "bad.csv:3: external_entity_id: '/SKU-1' stands on line 2 already",
    ),
    "no e-mail": (
        "contacts",
        CONTACTS + "c-1,ada,\n",
        "bad.csv:2: email: 'ada' is not an e-mail address",
    ),
    "e-mail twice": (
        "contacts",
        CONTACTS + "c-1,a@b.c,\nc-2,A@B.C,\n",
        "bad.csv:3: email: 'a@b.c' stands on line 2",
    ),
    "no number": (
        "fields",
        FIELDS + "q,q,0,x,1,0,10,1,span\n",
        "bad.csv:2: wix_max: 'x' is not a number",
    ),
    "infinite": (
        "fields",
        FIELDS + "q,q,0,100,1,0,inf,1,span\n",
        "bad.csv:2: external_max: 'inf' is not a number",
    ),
    "impossible step": (
        "fields",
        FIELDS + "q,q,0,100,7,0,10,1,span\n",
        "bad.csv:2: mapping: scale 0..100 step 7",
    ),
    "unknown mapping": (
        "fields",
        FIELDS + "q,q,0,100,1,0,10,1,linear\n",
        "bad.csv:2: mapping: 'linear' is neither",
    ),
    "scales that do not convert": (
        "fields",
        FIELDS + "q,q,0,100,1,4,5,0.01,proportional\n",
        "bad.csv:2: mapping: the two scales do not convert both ways",
    ),
    "beyond Wix": (
        "fields",
        FIELDS + "q,q,0,200,1,0,10,1,span\n",
        "bad.csv:2: wix_max: Wix takes 0 to 100",
    ),
}


@pytest.mark.parametrize("case", sorted(BAD_FILES))
def test_bad_row_is_named_with_its_place_and_nothing_is_imported(site: Shell, case: str) -> None:
    """A bad row is named with file, line, column and why, and nothing is imported."""
    kind, content, complaint = BAD_FILES[case]
    before = site.good("map", kind, "list")
    error = site.bad("map", kind, "import", site.file("bad.csv", content))
    assert complaint in error
    assert "nothing was imported" in error
    assert site.good("map", kind, "list") == before


def test_every_bad_row_is_told_at_once(site: Shell) -> None:
    content = CONTACTS + "c-1,ada,\n,b@c.d,\nc-3,ok@example.com,\nc-4,@,\n"
    error = site.bad("map", "contacts", "import", site.file("bad.csv", content))
    assert [line.split(":")[1] for line in error.splitlines() if line.startswith("bad.csv")] == [
        "2",
        "3",
        "5",
    ]


def test_file_in_another_encoding_is_refused_with_advice(site: Shell) -> None:
    (site.folder / "bad.csv").write_bytes(
        CONTACTS.encode() + "c-1,jürgen@example.com,\n".encode("latin-1")
    )
    assert "is not UTF-8; save it as 'CSV UTF-8'" in site.bad(
        "map", "contacts", "import", "bad.csv"
    )


def test_import_releases_what_was_held_for_it(site: Shell) -> None:
    site.store(hold_key=entity_hold_key(Side.WIX, EntityRef("beans", "stores", "reviews")))
    output = site.good(
        "map", "entities", "import", site.file("e.csv", ENTITIES + "reviews,stores,beans,,SKU-1\n")
    )
    assert "1 held deliveries had waited for these" in output
    site.store(
        dedupe_id="event-2", reason="unknown_contact", hold_key=email_hold_key("Ada@example.com")
    )
    output = site.good(
        "map", "contacts", "import", site.file("c.csv", CONTACTS + "c-1,ada@example.com,\n")
    )
    assert "1 held deliveries" in output


def test_adding_a_site_releases_its_deliveries(shell: Shell) -> None:
    shell.good("migrate")
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


def test_secret_may_come_from_a_file(shell: Shell) -> None:
    del shell.environ["OWN_SERVICE_TOKEN"]
    shell.environ["OWN_SERVICE_TOKEN_FILE"] = shell.file("token", "t\n")
    shell.good("site", "add", "instance-1", "--connector", "own-service")


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

RUNS_ON = {"up", "sandbox", "demo", "flower"}

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
    if path[0] not in RUNS_ON:
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
