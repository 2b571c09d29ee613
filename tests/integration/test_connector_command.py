"""``ratings-sync connector`` as a person uses it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click import Command, Context, Group

from sync_worker.cli.connector.group import connector
from sync_worker.core.errors import (
    Misconfigured,
)
from sync_worker.manifest.loader import load_manifest, shipped_manifest
from tests.commands import run_command
from tests.integration.connector_shell import WOO, a_shop, nowhere, run, said
from tests.integration.remote_server import RemoteServer, Reply, always
from tests.unit.signed import OWN_SERVICE

__all__ = ["nowhere"]  # a fixture that each test here uses by itself


@pytest.mark.full
def test_list_shows_what_ships_and_what_connectors_names(server: RemoteServer) -> None:
    rows = said("list", CONNECTORS=f"own-service,{a_shop(server)}")
    ids = [row["id"] for row in rows]
    assert ids == [*sorted(ids[:-1]), "shop"]
    assert {"woocommerce", "fera", "bigcommerce", "judgeme"} <= set(ids)
    assert "woocommerce" in run("list").output


@pytest.mark.full
def test_show_derives_abilities_and_says_limits_and_missing_settings() -> None:
    shown = said("show", "judgeme")
    assert shown["can"]["update"] == "no"
    assert any("held and shown" in limit for limit in shown["limits"])
    assert "JUDGEME_PRIVATE_TOKEN" in shown["settings_missing"]
    output = run("show", "judgeme").output
    assert "! Deleting hides the record only" in output
    assert "not set yet: JUDGEME_SHOP_DOMAIN" in output


@pytest.mark.full
def test_check_is_good_for_what_ships_and_for_a_new_skeleton() -> None:
    assert run("check", "bigcommerce").exit_code == 0
    assert run("new", "our-reviews", "--out", "our-reviews.yaml").exit_code == 0
    checked = run("check", "./our-reviews.yaml")
    assert (checked.exit_code, "✗" in checked.output) == (0, False)
    assert Path("our-reviews.yaml").read_text() != run("new", "another").output


BY_STATUS = {
    "own-service": "services built to the earlier contract answer without a code",
    "bigcommerce": "its words are not documented",
    "judgeme": "its words are not documented",
    "trustpilot": "its words are not documented",
}


@pytest.mark.full
@pytest.mark.parametrize(("every", "really"), [(30, 60), (60, None), (90, 120), (300, None)])
def test_check_says_when_the_scheduler_asks_less_often(every: int, really: int | None) -> None:
    Path("often.yaml").write_text(
        f"extends: own-service\nid: often\noperations: {{poll: {{every_s: {every}}}}}\n"
    )
    checked = run("check", "./often.yaml", **OWN_SERVICE)
    assert checked.exit_code == 0
    words = f"operations.poll.every_s: it looks every {really} s, not every {every} s"
    assert (words in checked.output) == (really is not None)
    assert ("operations.poll.every_s" in checked.output) == (really is not None)


def test_no_connector_that_ships_takes_a_status_for_gone() -> None:
    """Nor does the skeleton. Where it must, it says that the second look is meant: an owner cannot
    change such a rule, and is told of none.
    """
    run("new", "our-reviews", "--out", "our-reviews.yaml")
    for name in (*[row["id"] for row in said("list")], "./our-reviews.yaml"):
        advised = [one["what"] for one in said("check", name)["findings"] if one["advice"]]
        assert advised == [], name
        path = shipped_manifest(name) if not name.startswith(".") else None
        meant = path is not None and "second_look: true" in path.read_text()
        assert meant == (name in BY_STATUS), name
    own = load_manifest(shipped_manifest("own-service"), OWN_SERVICE)
    for call in ("get", "update", "delete"):
        *named, last = getattr(own.operations, call).errors
        assert last.is_bare_gone
        assert not any(rule.is_bare_gone for rule in named)


@pytest.mark.full
@pytest.mark.parametrize(
    ("rule", "advice"),
    [
        ("{status: [404, 410], outcome: gone}", "Name the system's own word"),
        ("{status: [404], path: data.status, equals: 404, outcome: gone}", "Name the system's own"),
        ("{status: [403], path: code, equals: FORBIDDEN, outcome: gone}", "withdrawn"),
    ],
)
def test_check_names_a_rule_that_guesses_and_the_manifest_loads(rule: str, advice: str) -> None:
    run("new", "our-reviews", "--out", "our-reviews.yaml")
    text = Path("our-reviews.yaml").read_text()
    good = "{status: [404, 410], path: code, equals: review_not_found, outcome: gone}"
    assert good in text
    Path("our-reviews.yaml").write_text(text.replace(good, rule))
    checked = run("check", "./our-reviews.yaml")
    # A refused permission is no word for gone: such a rule does nothing.
    assert checked.exit_code == (1 if "403" in rule else 0)
    (line,) = [line for line in checked.output.splitlines() if "operations.get.errors[0]" in line]
    assert line.startswith("✗" if "403" in rule else "!")
    assert advice in line
    assert "(our-reviews.yaml, line " in line


@pytest.mark.full
def test_new_never_overwrites_and_refuses_a_name_that_is_none() -> None:
    Path("x.yaml").write_text("mine")
    assert isinstance(run("new", "x", "--out", "x.yaml").exception, Misconfigured)
    assert Path("x.yaml").read_text() == "mine"
    assert isinstance(run("new", "Our Reviews").exception, Misconfigured)


@pytest.mark.full
def test_check_of_a_wrong_sample_ends_with_1_and_names_it() -> None:
    text = run("new", "our-reviews").output.replace('entity: "22"', 'entity: "23"')
    Path("our-reviews.yaml").write_text(text)
    checked = run("check", "./our-reviews.yaml")
    assert checked.exit_code == 1
    assert (
        "✗ record: a review: entity: expected 23, is 22 (our-reviews.yaml, line" in checked.output
    )


@pytest.mark.full
def test_live_check_asks_the_system_and_tells_why_it_fails(server: RemoteServer) -> None:
    server.answer = lambda asked: Reply(body=[])
    assert run("check", a_shop(server), "--live", **WOO).exit_code == 0
    assert server.asked[0].query == {"per_page": "1"}
    server.answer = lambda asked: Reply(401, {"code": "woocommerce_rest_cannot_view"})
    refused = run("check", a_shop(server), "--live", **WOO)
    assert refused.exit_code == 1
    assert "does not accept our credentials" in refused.output
    assert isinstance(run("check", a_shop(server), "--live").exception, Misconfigured)


@pytest.mark.full
def test_live_check_for_programs_prints_one_document_and_no_log(
    server: RemoteServer, tmp_path: Path
) -> None:
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | WOO
    for reply in (
        Reply(body=[]),
        Reply(500),
        Reply(429, None, {"Retry-After": "1"}),
        Reply(200, "no list"),
    ):
        server.answer = always(reply)
        words = ["connector", "check", a_shop(server), "--live", "--json"]
        done = run_command(words, tmp_path, environ | {"LOG_LEVEL": "DEBUG"})
        findings = json.loads(done.stdout)["findings"]
        assert findings[-1]["what"].startswith("live:")
        assert done.returncode == (0 if findings[-1]["is_good"] else 1), done.stderr


@pytest.mark.full
def test_schema_is_json() -> None:
    assert "operations" in json.loads(run("schema").output)["properties"]


def every_command(command: Command, *names: str) -> Iterator[tuple[str, ...]]:
    yield names
    if isinstance(command, Group):
        context = Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None, name
            yield from every_command(child, *names, name)


@pytest.mark.full
@pytest.mark.parametrize("words", list(every_command(connector)), ids=" ".join)
def test_every_command_explains_itself_with_an_example(words: tuple[str, ...]) -> None:
    result = run(*words, "--help")
    assert result.exit_code == 0
    assert "Example: ratings-sync connector" in " ".join(result.output.split())


# -- a plugin
