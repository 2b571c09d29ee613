"""``ratings-sync account`` and ``secrets`` as a shell runs them, on an installation at rest."""

from __future__ import annotations

import json
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sync_worker.core.processes import Process, ProcessKind
from sync_worker.ledger.accounts.sealing import Opener, new_key, public_of
from sync_worker.ledger.administration.heartbeats import SqlHeartbeats
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.transactions import Transactions
from tests.commands import run_command

pytestmark = pytest.mark.full

INSTANCE = "11111111-0000-4000-8000-00000000000{}"
SECRETS = ("canary-key-1", "canary-secret-2", "canary-hook-3")
SHOP = {
    "base_url": "https://shop.example.org",
    "consumer_key": SECRETS[0],
    "consumer_secret": SECRETS[1],
    "webhook_secret": SECRETS[2],
}


@dataclass
class Shell:
    folder: Path
    environ: dict[str, str]

    def run(self, *words: str) -> tuple[int, str, str]:
        done = run_command(words, self.folder, self.environ)
        assert "Traceback" not in done.stderr, done.stderr
        # Whatever is asked, no secret is said.
        assert not [one for one in SECRETS if one in done.stdout + done.stderr]
        return done.returncode, done.stdout, done.stderr

    def good(self, *words: str) -> str:
        status, out, err = self.run(*words)
        assert status == 0, err
        return out

    def told(self, *words: str) -> Any:
        return json.loads(self.good(*words, "--json"))

    def bad(self, *words: str) -> str:
        status, out, err = self.run(*words)
        assert status != 0, out
        return err

    def values(self, **changes: str | None) -> str:
        """A file of values; what is ``None`` is not in it."""
        values = {name: text for name, text in (SHOP | changes).items() if text is not None}
        file = self.folder / "values.json"
        file.write_text(json.dumps(values))
        return str(file)

    def add(self, number: int = 1, **changes: str | None) -> Any:
        """A site of that number with an account of a shop of its own."""
        own = {"base_url": f"https://shop{number}.example.org"} | changes
        words = ("--connector", "woocommerce", "--values", self.values(**own))
        return self.told("account", "add", INSTANCE.format(number), "--new-site", *words)

    def dump(self) -> str:
        with sqlite3.connect(self.folder / "home" / "ledger.db") as ledger:
            return "\n".join(ledger.iterdump())


@pytest.fixture
def shell(tmp_path: Path, home: Path) -> Shell:
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    own = {
        "RATINGS_SYNC_HOME": str(home),
        "CONNECTORS": "woocommerce,bigcommerce,judgeme",
        "GATEWAY_PUBLIC_URL": "https://sync.example.org/",
        "COLUMNS": "200",
    }
    return Shell(tmp_path, environ | own)


def test_site_gets_its_account_by_one_command_and_no_secret_is_shown(shell: Shell) -> None:
    added = shell.add()
    assert added["state"] == "new"
    assert added["settings"] == {"base_url": "https://shop1.example.org"}
    assert added["secrets"] == ["consumer_key", "consumer_secret", "webhook_secret"]
    url = f"https://sync.example.org/webhooks/external/woocommerce/{added['account']}"
    assert added["addresses"] == [{"url": url, "valid_until": None}]
    for name in (added["account"], "1", INSTANCE.format(1), url):
        assert shell.told("account", "show", name) == added
    assert f"webhooks: POST {url}" in shell.good("account", "show", "1")
    assert (shell.folder / "home" / "secrets_key").stat().st_mode & 0o777 == 0o600
    assert not [one for one in SECRETS if one in shell.dump()]


def test_new_site_maps_its_main_value_and_begins_as_its_platform_asks(
    shell: Shell,
) -> None:
    file = shell.folder / "judgeme.json"
    values = {"shop_domain": "one.example", "private_token": "t-1", "webhook_secret": "s-1"}
    file.write_text(json.dumps(values))
    words = ("--new-site", "--connector", "judgeme", "--values", str(file))
    shell.good("account", "add", INSTANCE.format(1), *words)
    site = shell.told("site", "show")["site"]
    assert [field["attribute"] for field in site["fields"]] == ["overall"]
    assert site["policy"]["direction"] == "to_wix"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"consumer_key": None}, "consumer_key (Consumer key) is not given"),
        ({"base_url": "shop.example.org"}, "base_url (Address of the shop) is an address such as"),
        ({"base_url": "http://shop.example.org"}, "base_url is not https"),
        ({"consumer_key": "YOUR_KEY"}, "consumer_key (Consumer key) is still a placeholder"),
        ({"consumr_key": "ck_1"}, "did you mean 'consumer_key'?"),
        ({"consumer_key": "ck_\u201c1\u201d"}, "typographic quote"),
    ],
)
def test_values_that_cannot_be_are_refused_by_name_and_nothing_is_written(
    shell: Shell, changes: dict[str, str | None], words: str
) -> None:
    site = ("account", "add", INSTANCE.format(1), "--new-site", "--connector", "woocommerce")
    said = shell.bad(*site, "--values", shell.values(**changes))
    assert words in said
    assert shell.told("account", "list")["accounts"] == []
    assert shell.told("site", "list") == []


def test_site_has_one_account_and_an_external_account_one_site(shell: Shell) -> None:
    first = shell.add(1)
    again = ("account", "add", "1", "--connector", "woocommerce", "--values")
    assert "site 1 has" in shell.bad(*again, shell.values(base_url="https://other.example"))
    same = shell.values(base_url="https://www.SHOP1.example.org:443/")
    new_site = ("account", "add", INSTANCE.format(2), "--new-site", "--connector", "woocommerce")
    assert "serves site 1" in shell.bad(*new_site, "--values", same)
    assert [row["id"] for row in shell.told("site", "list")] == [1]
    shell.good("account", "revoke", "1", "--yes")
    assert shell.told("account", "show", first["account"])["state"] == "revoked"
    assert shell.told(*new_site, "--values", same)["site"] == 2


def test_account_is_changed_paused_and_resumed_by_its_version(shell: Shell) -> None:
    added = shell.add()
    changed = shell.told("account", "set", "1", "--from-file", f"webhook_secret={_file(shell)}")
    assert changed["version"] > added["version"]
    stale = shell.bad("account", "pause", "1", "--version", str(added["version"]))
    assert "changed" in stale
    paused = shell.told("account", "pause", "1", "--why", "the shop moves")
    assert (paused["state"], paused["paused_why"]) == ("paused", "the shop moves")
    shell.good("site", "pause")
    shown = shell.told("account", "show", "1")
    assert (shown["state"], shown["site_state"]) == ("paused", "paused")
    assert "paused (site paused)" in shell.good("account", "list")
    assert "account: paused, woocommerce/" in shell.good("site", "show")
    row = shell.told("site", "list")[0]
    assert (row["state"], row["account_state"]) == ("paused", "paused")
    said = shell.good("account", "show", "1")
    assert "its site is paused: nothing" in said
    shell.good("site", "resume")
    assert "its site" not in shell.good("account", "show", "1")
    # Nobody has seen yet that what it gives works.
    resumed = shell.told("account", "resume", "1")
    assert resumed["state"] == "new"
    assert shell.told("account", "resume", "1")["version"] == resumed["version"]
    changes = shell.told("account", "history", "1")["changes"]
    words = ("resume", "pause", "set", "add")
    assert [one["what"] for one in changes] == [f"account.{word}" for word in words]
    assert changes[2]["after"]["secrets"] == ["webhook_secret"]
    assert all(one["actor"].startswith("cli:") for one in changes)
    told = shell.good("account", "history", "1")
    assert "account.set  webhook_secret" in told
    assert "x09" not in told + shell.good("account", "list")
    assert "no account here" in shell.run("account", "list", "--state", "failing")[2]


def _file(shell: Shell) -> Path:
    file = shell.folder / "secret"
    file.write_text(f"{SECRETS[2]}-new\n")
    return file


def test_account_of_another_shop_is_refused_once_something_is_mapped(shell: Shell) -> None:
    """Unless a person says that it is the same one under another address."""
    shell.add()
    shell.good("account", "set", "1", "--set", "base_url=https://shop.example.org")
    (shell.folder / "map.csv").write_text(
        "wix_namespace,wix_group,wix_entity_id,external_group,external_entity_id\n"
        "reviews,stores,product-1,,11\n"
    )
    shell.good("map", "entities", "import", "map.csv", "--site", "1")
    words = ("account", "set", "1", "--set", "base_url=https://other.example.org")
    said = shell.bad(*words)
    assert "are of shop.example.org (woocommerce), and this is other.example.org" in said
    shell.good("account", "set", "1", "--set", "base_url=https://www.shop.example.org/")
    assert shell.told(*words, "--same-shop")["identity"] == "base_url=other.example.org"
    shell.good("account", "revoke", "1", "--yes")
    again = ("account", "add", "1", "--connector", "woocommerce", "--values", shell.values())
    assert "--same-shop" in shell.bad(*again)
    assert shell.told(*again, "--same-shop")["site"] == 1


def test_secret_on_the_command_line_is_taken_with_a_warning(shell: Shell) -> None:
    shell.add()
    status, _, said = shell.run("account", "set", "1", "--set", "consumer_key=ck_new")
    assert status == 0
    assert "consumer_key: a secret on the command line stands in the list of processes" in said


def test_address_is_rotated_and_the_old_one_kept_for_a_while(shell: Shell) -> None:
    shell.add()
    after = shell.told("account", "address", "rotate", "1", "--keep-old", "2h")["addresses"]
    assert len(after) == 2
    assert [one["valid_until"] is None for one in after].count(True) == 1
    assert shell.told("account", "address", "show", "1")["addresses"] == after
    assert len(shell.told("account", "address", "rotate", "1", "--keep-old", "0")["addresses"]) <= 2


def test_accounts_and_sites_come_in_pages(shell: Shell) -> None:
    accounts = [shell.add(number)["account"] for number in (1, 2, 3)]
    first = shell.told("account", "list", "--limit", "2")
    assert [row["account"] for row in first["accounts"]] == accounts[:2]
    rest = shell.told("account", "list", "--after", str(first["next_after"]))
    assert [row["account"] for row in rest["accounts"]] == accounts[2:]
    assert rest["next_after"] is None
    shell.good("account", "pause", "2")
    found = shell.told("account", "list", "--state", "paused")["accounts"]
    assert [row["site"] for row in found] == [2]
    sites = shell.told("site", "list", "--limit", "2")
    assert [(row["id"], row["account"]) for row in sites] == [(1, accounts[0]), (2, accounts[1])]
    assert len(shell.told("site", "list")) == 3
    assert [row["id"] for row in shell.told("site", "list", "--account-state", "paused")] == [2]
    assert {"links", "held", "waiting"} <= set(sites[0])


def test_another_key_seals_all_anew_and_the_old_one_may_go(shell: Shell) -> None:
    shell.add(1)
    shell.add(2)
    key_file = shell.folder / "home" / "secrets_key"
    old, new = key_file.read_text().strip(), new_key()
    assert shell.good("secrets", "public-key").strip() == public_of(old)
    key_file.write_text(f"{new}\n{old}\n")
    assert shell.told("secrets", "check") == _sealed(other=6)
    assert shell.told("secrets", "rotate", "--batch", "2") == _sealed(current=6, resealed=6)
    assert shell.told("secrets", "rotate") == _sealed(current=6)
    key_file.write_text(f"{new}\n")
    assert shell.told("secrets", "check") == _sealed(current=6)
    key_file.write_text(f"{old}\n")
    status, out, _ = shell.run("secrets", "check", "--json")
    assert status == 1
    assert len(json.loads(out)["locked"]) == 6
    assert Opener([old])


def test_rotation_names_processes_that_may_not_have_the_new_key(shell: Shell) -> None:
    """They took up their keys as they started: what is sealed anew would lock there."""
    shell.add(1)
    key_file = shell.folder / "home" / "secrets_key"
    key_file.write_text(f"{new_key()}\n{key_file.read_text()}")
    engine = open_engine(f"sqlite:///{shell.folder / 'home' / 'ledger.db'}")
    SqlHeartbeats(Transactions(engine)).note(Process(ProcessKind.WORKER, "host-7", 70))
    engine.dispose()
    status, _, said = shell.run("secrets", "rotate")
    assert (status, "worker on host-7 (pid 70)" in said) == (0, True)
    assert "start them again before" in said
    assert "host-7" not in shell.run("secrets", "rotate")[2]


def _sealed(**counts: int) -> dict[str, Any]:
    return {"current": 0, "resealed": 0, "other": 0, "locked": []} | counts


def test_installation_without_accounts_needs_no_key(shell: Shell) -> None:
    assert shell.told("account", "list") == {"accounts": [], "next_after": None}
    assert not (shell.folder / "home" / "secrets_key").exists()
    assert "SECRETS_KEY, and it is not set" in shell.bad("secrets", "check")


def test_site_of_the_environment_and_a_revoked_account_are_told_as_such(shell: Shell) -> None:
    """Neither is sent to a command that refuses it."""
    shop = {f"WOO_{name.upper()}": text for name, text in SHOP.items()}
    shell.environ |= {**shop, "CONNECTORS": "woocommerce"}
    shell.good("site", "add", INSTANCE.format(1), "--connector", "woocommerce")
    said = shell.bad("account", "show", "1")
    assert "site 1 uses connector woocommerce with the settings of the environment" in said
    assert "account add" not in said
    shell.add(2)
    shell.good("account", "revoke", "2", "--yes")
    assert shell.told("account", "show", "2")["state"] == "revoked"


def test_value_that_a_file_gives_twice_is_refused_by_name(shell: Shell) -> None:
    file = shell.folder / "twice.json"
    file.write_text('{"consumer_key": "a", "consumer_key": "b"}')
    site = ("account", "add", INSTANCE.format(1), "--new-site", "--connector", "woocommerce")
    assert "consumer_key is given twice" in shell.bad(*site, "--values", str(file))


def test_key_that_is_none_is_told_in_one_line_without_it(shell: Shell) -> None:
    shell.environ["SECRETS_KEY"] = "canary-key-1"
    site = ("account", "add", INSTANCE.format(1), "--new-site", "--connector", "woocommerce")
    said = shell.bad(*site, "--values", shell.values())
    assert "SECRETS_KEY holds" in said
    assert len(said.strip().splitlines()) == 1


def test_lost_key_is_not_replaced_by_the_next_account(shell: Shell) -> None:
    file = shell.folder / "home" / "secrets_key"
    own = ("--connector", "woocommerce", "--values", shell.values())
    status, _, err = shell.run("account", "add", INSTANCE.format(1), "--new-site", *own)
    assert (status, err.strip()) == (
        0,
        f"made {file}, which seals what accounts give: keep a copy elsewhere",
    )
    file.rename(shell.folder / "elsewhere")
    other = ("--values", shell.values(base_url="https://two.example.org"))
    said = shell.bad("account", "add", INSTANCE.format(2), "--new-site", *own[:2], *other)
    assert "the secrets of 1 account do not open" in said
    assert f"back into {file}" in said
    assert not file.exists()
    assert INSTANCE.format(2) not in shell.good("site", "list")
