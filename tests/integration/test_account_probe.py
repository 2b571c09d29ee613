"""``account probe`` against a stand-in, and ``account add`` at a terminal: what a person sees."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.config import load_settings
from sync_worker.doctor.live.asked import probed
from sync_worker.wiring import Wiring
from tests.commands import run_command
from tests.terminal import at_terminal

COMMAND = str(Path(sys.executable).parent / "ratings-sync")
NAMES = {
    "OWN_SERVICE_URL": "base_url",
    "OWN_SERVICE_TOKEN": "token",
    "OWN_SERVICE_WEBHOOK_SECRET": "webhook_secret",
}


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(rate_per_minute=None)) as box:
        yield box


@pytest.fixture
def environ(box: Sandbox, home: Path) -> dict[str, str]:
    """The environment holds nothing of the shop."""
    ours = {name: text for name, text in box.settings().items() if name not in NAMES}
    machine = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    pace = {"WIX_BUDGET_PER_MINUTE": "60000"}
    return {**machine, **ours, **pace, "RATINGS_SYNC_HOME": str(home), "COLUMNS": "200"}


def values_of(box: Sandbox) -> dict[str, str]:
    return {NAMES[name]: text for name, text in box.settings().items() if name in NAMES}


def run(folder: Path, environ: dict[str, str], *words: str) -> tuple[int, str]:
    done = run_command(words, folder, environ)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def given(box: Sandbox, folder: Path, environ: dict[str, str], **changes: str) -> None:
    (folder / "values.json").write_text(json.dumps(values_of(box) | changes))
    words = ("--new-site", "--connector", "own-service", "--values", "values.json")
    status, said = run(folder, environ, "account", "add", box.wix.instance_id, *words)
    assert status == 0, said


def test_account_that_works_is_active_after_its_probe(
    tmp_path: Path, box: Sandbox, environ: dict[str, str]
) -> None:
    given(box, tmp_path, environ)
    status, said = run(tmp_path, environ, "account", "probe", "1", "--json")
    assert status == 0, said
    checks = {check["name"]: check for check in json.loads(said)["checks"]}
    assert checks["own-service probe"]["what"] == "answers, and takes our credentials"
    assert "the app may act on" in checks[f"wix {box.wix.instance_id[:8]} token"]["what"]
    assert "/webhooks/external/own-service/" in checks["webhooks"]["next_step"]
    shown = json.loads(run(tmp_path, environ, "account", "show", "1", "--json")[1])
    assert (shown["state"], shown["probe"]["good"]) == ("active", True)


def test_wrong_token_is_told_in_words_and_kept(
    tmp_path: Path, box: Sandbox, environ: dict[str, str]
) -> None:
    given(box, tmp_path, environ, token="canary-wrong")
    status, said = run(tmp_path, environ, "account", "probe", "1")
    assert status == 1
    assert "✗ own-service probe" in said
    assert "canary" not in said
    shown = run(tmp_path, environ, "account", "show", "1")[1]
    assert "something is wrong" in shown
    assert "✗ own-service probe" in shown
    assert "own-service, new" in shown


def test_worker_that_is_asked_keeps_what_it_found(
    tmp_path: Path, box: Sandbox, environ: dict[str, str]
) -> None:
    given(box, tmp_path, environ, token="canary-wrong")
    parts = Wiring(load_settings(environ), environ)
    account = parts.accounts.store.of_site(1)
    assert account is not None
    assert probed(parts, account.public_id, "grace") == "account of site 1: something is wrong"
    found = parts.accounts.store.of_site(1)
    assert found is not None
    assert not found.probe["good"]
    wrong = [check["name"] for check in found.probe["checks"] if check["verdict"] == "bad"]
    assert "own-service probe" in wrong
    assert "canary" not in str(found.probe)
    parts.accounts.revoke(found, "", "grace")
    # It has ended since somebody asked.
    assert probed(parts, account.public_id, "grace") == ""
    parts.close()


@pytest.mark.full
def test_person_is_asked_for_each_setting_and_secrets_are_not_seen(
    tmp_path: Path, box: Sandbox, environ: dict[str, str]
) -> None:
    values = values_of(box)
    words = ["account", "add", box.wix.instance_id, "--new-site", "--connector", "own-service"]
    answers = {
        "  base_url:": "shop.example\n",
        "it is an address such as": values["base_url"] + "\n",
        "  token:": values["token"] + "\n",
        "  webhook_secret:": values["webhook_secret"] + "\n",
    }
    seen = at_terminal([COMMAND, *words], tmp_path, environ, answers)
    assert seen.status == 0, seen.text
    assert "What your service expects in Authorization: Bearer" in seen.text
    assert "is at work for site 1" in seen.text
    assert values["token"] not in seen.text
    assert values["webhook_secret"] not in seen.text
