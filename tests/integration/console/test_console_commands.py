"""``ratings-sync console user`` and ``token``, as a shell runs them."""

from __future__ import annotations

import json
import re

import pytest

from sync_worker.services.access.who import COMMAND
from tests.integration.console.ground import ground_over
from tests.integration.shell import Shell

pytestmark = pytest.mark.full

LINK = re.compile(r"^http://127\.0\.0\.1:8720(/invitation/[\w-]{43})$", re.MULTILINE)


def test_link_of_the_command_lets_in_and_the_audit_says_who_gave_it(site: Shell) -> None:
    found = LINK.search(site.good("console", "user", "add", "Kim", "--role", "support"))
    assert found is not None
    with ground_over(f"sqlite:///{site.folder / 'home' / 'ledger.db'}") as ground:
        browser = ground.anonymous()
        assert browser.send(found[1], shown_at=found[1]).status_code == 303
        assert "kim" in browser.get("/").text
        audit = ground.parts.access.audit
        (added,) = audit.page(COMMAND, what="user add").lines
    assert added.actor.startswith("cli:")
    assert added.after == {"user": "kim", "role": "support"}
    listed = json.loads(site.good("console", "user", "list", "--json"))
    assert [(user["name"], user["role"]) for user in listed["users"]] == [("kim", "support")]


def test_people_are_changed_and_what_is_wrong_is_said(site: Shell) -> None:
    site.good("console", "user", "add", "kim")
    site.good("console", "user", "add", "lee", "--role", "viewer")
    assert "lee is admin now" in site.good("console", "user", "role", "lee", "admin")
    assert "0 sessions of lee have ended" in site.good("console", "user", "end-sessions", "lee")
    assert "as admin; change the role first" in site.bad(
        "console", "user", "add", "lee", "--role", "viewer"
    )
    site.good("console", "user", "remove", "kim", "--yes")
    assert "there is nobody called kim" in site.bad("console", "user", "role", "kim", "viewer")
    assert "the only admin" in site.bad("console", "user", "remove", "lee", "--yes")
    assert "is no name" in site.bad("console", "user", "add", "<b>")


def test_token_is_shown_once_and_can_be_revoked(site: Shell) -> None:
    words = ("--scope", "look", "--scope", "pause", "--site", "1", "--days", "7", "--json")
    made = json.loads(site.good("console", "token", "add", "stock", *words))
    assert made["secret"].startswith("rs_")
    listed = site.good("console", "token", "list")
    assert "stock  site 1  look, pause  until" in listed
    assert made["secret"] not in listed
    number = str(made["token"]["id"])
    assert "has ended" in site.good("console", "token", "revoke", number)
    assert "stock  site 1  look, pause  ended" in site.good("console", "token", "list")
    bad = ("console", "token", "add", "t", "--scope", "machines", "--site", "1")
    assert "machines is of the whole installation" in site.bad(*bad)
    assert "there is no token 99" in site.bad("console", "token", "revoke", "99")


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"CONSOLE_BIND": "0.0.0.0:8720"}, "which others reach: set CONSOLE_PUBLIC_URL"),
        ({"CONSOLE_PUBLIC_URL": "http://console.example.com"}, "use https, or http at 127.0.0.1"),
        ({"CONSOLE_PUBLIC_URL": "http://127.0.0.1.evil.example"}, "use https, or http at"),
    ],
)
def test_console_is_not_opened_to_others_without_https(
    environ: dict[str, str], words: str, site: Shell
) -> None:
    site.environ |= environ
    assert words in site.bad("console", "user", "add", "kim")


def test_console_begins_no_ledger(shell: Shell) -> None:
    assert "there is no ledger" in shell.bad("console", "user", "list")
