"""``ratings-sync connector`` as a person uses it; and a plugin, installed and found by its
registered name.
"""

from __future__ import annotations

import base64
import hmac
import importlib
import json
import os
import sys
import time
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from click import Command, Context, Group
from click.testing import CliRunner, Result

from sync_worker import plugin
from sync_worker.cli.connector.group import connector
from sync_worker.core.errors import (
    Duplicate,
    Gone,
    Misconfigured,
    Permanent,
    UnknownOutcome,
)
from sync_worker.core.ports.remote import Remote
from sync_worker.core.values import Draft, EntityRef, Person, Side
from sync_worker.manifest.loader import load_manifest, shipped_manifest
from sync_worker.remotes.external.http import http_of
from sync_worker.remotes.external.plugins import remote_of
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.tokens import OwnTokens
from tests.commands import run_command
from tests.integration.remote_server import Asked, RemoteServer, Reply, always
from tests.unit.signed import OWN_SERVICE

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin"
EARLIER_PLUGIN = Path(__file__).with_name("earlier_plugin.py.txt")
EARLIER_PATHS = (
    "sync_worker.adapters.http",
    "sync_worker.connector.manifest",
    "sync_worker.connector.reading",
    "sync_worker.errors",
    "sync_worker.model",
    "sync_worker.ports",
)
WOO = {
    "WOO_CONSUMER_KEY": "k",
    "WOO_CONSUMER_SECRET": "s",
    "WOO_WEBHOOK_SECRET": "woo-secret-0123456789abcdef",
}


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder without settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("CONNECTORS", *WOO):
        monkeypatch.delenv(name, raising=False)


def run(*words: str, **environ: str) -> Result:
    return CliRunner().invoke(connector, words, env=environ, catch_exceptions=True)


def said(*words: str, **environ: str) -> Any:
    result = run(*words, "--json", **environ)
    return json.loads(result.stdout)


def a_shop(server: RemoteServer) -> str:
    """A manifest of WooCommerce that leads to the stand-in."""
    Path("shop.yaml").write_text(
        yaml.safe_dump(
            {
                "extends": "woocommerce",
                "id": "shop",
                "base_url": server.url,
                "allow_private_hosts": True,
            }
        )
    )
    return "./shop.yaml"


def test_list_shows_what_ships_and_what_connectors_names(server: RemoteServer) -> None:
    rows = said("list", CONNECTORS=f"own-service,{a_shop(server)}")
    ids = [row["id"] for row in rows]
    assert ids == [*sorted(ids[:-1]), "shop"]
    assert {"woocommerce", "fera", "bigcommerce", "judgeme"} <= set(ids)
    assert "woocommerce" in run("list").output


def test_show_derives_abilities_and_says_limits_and_missing_settings() -> None:
    shown = said("show", "judgeme")
    assert shown["can"]["update"] == "no"
    assert any("held and shown" in limit for limit in shown["limits"])
    assert "JUDGEME_PRIVATE_TOKEN" in shown["settings_missing"]
    output = run("show", "judgeme").output
    assert "! Deleting hides the record only" in output
    assert "not set yet: JUDGEME_SHOP_DOMAIN" in output


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


def test_new_never_overwrites_and_refuses_a_name_that_is_none() -> None:
    Path("x.yaml").write_text("mine")
    assert isinstance(run("new", "x", "--out", "x.yaml").exception, Misconfigured)
    assert Path("x.yaml").read_text() == "mine"
    assert isinstance(run("new", "Our Reviews").exception, Misconfigured)


def test_check_of_a_wrong_sample_ends_with_1_and_names_it() -> None:
    text = run("new", "our-reviews").output.replace('entity: "22"', 'entity: "23"')
    Path("our-reviews.yaml").write_text(text)
    checked = run("check", "./our-reviews.yaml")
    assert checked.exit_code == 1
    assert (
        "✗ record: a review: entity: expected 23, is 22 (our-reviews.yaml, line" in checked.output
    )


def test_check_of_an_event_without_a_rule_ends_with_1_and_names_both() -> None:
    """Such a delivery was "verified, and ignored": the shop stayed deaf, and all was green."""
    body = '{"action":"order_created","arg":4711}'
    signature = hmac.new(WOO["WOO_WEBHOOK_SECRET"].encode(), body.encode(), "sha256").digest()
    headers = {
        "X-WC-Webhook-Topic": "order.created",
        "X-WC-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-WC-Webhook-Delivery-ID": "1",
    }
    Path("seen.json").write_text(json.dumps({"headers": headers, "body": body}))
    environ = WOO | {"WOO_BASE_URL": "https://shop.example.com"}
    checked = run("check", "woocommerce", "--delivery", "seen.json", **environ)
    assert checked.exit_code == 1
    assert (
        "✗ captured delivery seen.json: verified, but nothing would happen: no rule of"
        " webhook.events matches 'order.created'; known are"
        " action.woocommerce_rating_sync_created, " in checked.output
    )


def test_check_of_a_delivery_reads_the_record_that_it_carries(server: RemoteServer) -> None:
    """Where its payload is trusted a worker reads that, and nothing else."""
    record = {"id": "r1", "version": 1, "subject": {"id": "22"}, "score": 4, "visibility": "public"}
    environ = OWN_SERVICE | {"OWN_SERVICE_URL": server.url}
    for stars, code, words in (
        ({"score": 4}, 0, "✓ captured delivery seen.json: verified, upsert r1; id r1, product 22"),
        ({"score": "four"}, 1, "fields.value: 'four' is not a number, at `score`"),
    ):
        event = {"event_id": "e1", "type": "rating.created", "data": record | stars}
        body, now = json.dumps(event), str(int(time.time()))
        secret = environ["OWN_SERVICE_WEBHOOK_SECRET"].encode()
        digest = hmac.new(secret, f"{now}.{body}".encode(), "sha256").hexdigest()
        headers = {"X-Acme-Signature": f"t={now},v1={digest}"}
        Path("seen.json").write_text(json.dumps({"headers": headers, "body": body}))
        checked = run("check", "own-service", "--delivery", "seen.json", **environ)
        assert (checked.exit_code, words in checked.output) == (code, True), checked.output


def test_check_of_a_malformed_delivery_names_the_key_and_what_stood_there() -> None:
    body = '{"action":"woocommerce_rating_sync_updated","id":4711}'
    signature = hmac.new(WOO["WOO_WEBHOOK_SECRET"].encode(), body.encode(), "sha256").digest()
    headers = {
        "X-WC-Webhook-Topic": "action.woocommerce_rating_sync_updated",
        "X-WC-Webhook-Signature": base64.b64encode(signature).decode(),
    }
    Path("seen.json").write_text(json.dumps({"headers": headers, "body": body}))
    environ = WOO | {"WOO_BASE_URL": "https://shop.example.com"}
    checked = run("check", "woocommerce", "--delivery", "seen.json", **environ)
    assert checked.exit_code == 1
    assert (
        "verified, but not in the form of the manifest: webhook.key.id: nothing at `arg`, the event"
        " has: action, id" in checked.output
    )


def test_check_of_a_captured_delivery_tells_what_fits(tmp_path: Path) -> None:
    body = '{"action":"woocommerce_rating_sync_updated","arg":4711}'
    headers = {
        "X-WC-Webhook-Topic": "action.woocommerce_rating_sync_updated",
        "X-WC-Webhook-Signature": "5fLsDiDPZtbgCf7o4dMmUzsbn9DyrmSsxXO55fyjwDc=",
    }
    Path("seen.json").write_text(json.dumps({"headers": headers, "body": body}))
    environ = WOO | {"WOO_BASE_URL": "https://shop.example.com"}
    good = run("check", "woocommerce", "--delivery", "seen.json", **environ)
    assert (good.exit_code, "verified, upsert 4711" in good.output) == (0, True)
    swapped = environ | {
        "WOO_WEBHOOK_SECRET": "another",
        "WOO_CONSUMER_SECRET": WOO["WOO_WEBHOOK_SECRET"],
    }
    bad = run("check", "woocommerce", "--delivery", "seen.json", **swapped)
    assert bad.exit_code == 1
    assert "signed the raw body, with auth.password" in bad.output
    assert WOO["WOO_WEBHOOK_SECRET"] not in bad.output


def test_live_check_asks_the_system_and_tells_why_it_fails(server: RemoteServer) -> None:
    server.answer = lambda asked: Reply(body=[])
    assert run("check", a_shop(server), "--live", **WOO).exit_code == 0
    assert server.asked[0].query == {"per_page": "1"}
    server.answer = lambda asked: Reply(401, {"code": "woocommerce_rest_cannot_view"})
    refused = run("check", a_shop(server), "--live", **WOO)
    assert refused.exit_code == 1
    assert "does not accept our credentials" in refused.output
    assert isinstance(run("check", a_shop(server), "--live").exception, Misconfigured)


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


def test_schema_is_json() -> None:
    assert "operations" in json.loads(run("schema").output)["properties"]


def hooks_of(server: RemoteServer) -> list[dict[str, Any]]:
    """A shop that keeps hooks; one of another app is there already."""
    hooks = [
        {
            "id": 1,
            "topic": "order.created",
            "delivery_url": "https://other.example/x",
            "status": "active",
        }
    ]

    def answer(asked: Asked) -> Reply:
        if asked.method == "POST":
            hook = {"id": len(hooks) + 1, "status": "active", **asked.json}
            hooks.append(hook)
            return Reply(201, hook)
        if asked.method == "PUT":
            hook = next(one for one in hooks if str(one["id"]) == asked.path.rpartition("/")[2])
            hook.update(asked.json)
            return Reply(body=hook)
        return Reply(body=hooks, headers={"X-WP-TotalPages": "1"})

    server.answer = answer
    return hooks


def test_webhooks_are_made_once_listed_and_brought_back(server: RemoteServer) -> None:
    hooks, shop = hooks_of(server), a_shop(server)
    url = "https://gw.example.com/webhooks/external/shop"
    assert run("webhooks", "list", shop, **WOO).exit_code == 1
    for _ in range(2):
        assert run("webhooks", "register", shop, "--url", url, **WOO).exit_code == 0
    ours = [hook for hook in hooks if hook.get("secret")]
    assert [hook["topic"].rpartition("_")[2] for hook in ours] == ["created", "updated", "deleted"]
    assert {hook["secret"] for hook in ours} == {WOO["WOO_WEBHOOK_SECRET"]}
    ours[1]["status"] = "disabled"
    listed = run("webhooks", "list", shop, **WOO)
    assert (listed.exit_code, listed.output.count("DISABLED")) == (1, 1)
    assert WOO["WOO_WEBHOOK_SECRET"] not in listed.output
    assert run("webhooks", "enable", shop, **WOO).exit_code == 0
    assert [hook["status"] for hook in hooks] == ["active"] * 4


def test_name_of_the_connector_may_come_before_the_subcommand(
    server: RemoteServer,
) -> None:
    """The name of the connector may come before what is done with its webhooks."""
    hooks, shop = hooks_of(server), a_shop(server)
    url = "https://gw.example.com/webhooks/external/shop"
    assert run("webhooks", shop, "register", "--url", url, **WOO).exit_code == 0
    assert len(hooks) == 4
    assert (
        run("webhooks", shop, "list", **WOO).output == run("webhooks", "list", shop, **WOO).output
    )
    assert "No such command" in run("webhooks", shop, "lst", **WOO).output


def test_secret_that_signs_is_never_the_token_in_an_address(server: RemoteServer) -> None:
    """The token has a secret of its own; the other one would be read in access logs."""
    hooks, shop = hooks_of(server), a_shop(server)
    document = yaml.safe_load(Path(shop).read_text())
    signed = {
        "type": "hmac",
        "header": "X-WC-Webhook-Signature",
        "secret": {"env": "WOO_WEBHOOK_SECRET"},
    }
    token = {"type": "url_token", "secret": {"env": "URL_TOKEN"}}
    document["webhook"] = {"verify": [signed, token]}
    Path(shop).write_text(yaml.safe_dump(document))
    url = "https://gw.example.com/webhooks/external/shop"
    assert (
        run(
            "webhooks", "register", shop, "--url", url, **WOO, URL_TOKEN="for-the-address"
        ).exit_code
        == 0
    )
    assert {hook["delivery_url"] for hook in hooks[1:]} == {f"{url}?token=for-the-address"}
    assert {hook["secret"] for hook in hooks[1:]} == {WOO["WOO_WEBHOOK_SECRET"]}


def test_webhook_at_a_wrong_address_is_refused(server: RemoteServer) -> None:
    hooks_of(server)
    wrong = run("webhooks", "register", a_shop(server), "--url", "https://gw.example.com/", **WOO)
    assert isinstance(wrong.exception, Misconfigured)
    assert isinstance(run("webhooks", "list", "okendo").exception, Misconfigured)


def every_command(command: Command, *names: str) -> Iterator[tuple[str, ...]]:
    yield names
    if isinstance(command, Group):
        context = Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None, name
            yield from every_command(child, *names, name)


@pytest.mark.parametrize("words", list(every_command(connector)), ids=" ".join)
def test_every_command_explains_itself_with_an_example(words: tuple[str, ...]) -> None:
    result = run(*words, "--help")
    assert result.exit_code == 0
    assert "Example: ratings-sync connector" in " ".join(result.output.split())


# -- a plugin


def install(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example as `pip install` would leave it: its module and its registered names."""
    groups = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]["entry-points"]
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in names.items())
        for group, names in groups.items()
    ]
    folder = tmp_path / "site-packages"
    metadata = folder / "acme_ratings_plugin-1.0.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: acme-ratings-plugin\nVersion: 1.0.0\n"
    )
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    (folder / "acme_graphql.py").write_text(code)
    monkeypatch.syspath_prepend(str(folder))
    sys.modules.pop("acme_graphql", None)
    return folder


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return install((EXAMPLE / "acme_graphql.py").read_text(), tmp_path, monkeypatch)


@pytest.fixture
def installed_earlier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same plugin as people wrote it before ``sync_worker.plugin``."""
    for path in EARLIER_PATHS:
        monkeypatch.delitem(sys.modules, path, raising=False)
    return install(EARLIER_PLUGIN.read_text(), tmp_path, monkeypatch)


def graphql(ratings: dict[str, dict[str, Any]]) -> Any:
    def answer(asked: Asked) -> Reply:
        query, variables = asked.json["query"], asked.json["variables"]
        if "create(" in query:
            if any(one["email"] == variables["email"] for one in ratings.values()):
                return Reply(body={"errors": [{"code": "EXISTS"}]})
            ratings["g1"] = {"id": "g1", **variables}
            return Reply(body={"data": {"create": ratings["g1"]}})
        if "page(" in query:
            return Reply(body={"data": {"page": {"nodes": list(ratings.values()), "end": None}}})
        if "ratings(" in query:
            return Reply(body={"data": {"ratings": list(ratings.values())}})
        if "rating(" in query:
            return Reply(body={"data": {"rating": ratings.get(variables["id"])}})
        if variables["id"] not in ratings:
            return Reply(body={"errors": [{"code": "NOT_FOUND"}]})
        if "delete(" in query:
            del ratings[variables["id"]]
            return Reply(body={"data": {"delete": True}})
        ratings[variables["id"]].update(variables)
        return Reply(body={"data": {"update": ratings[variables["id"]]}})

    return answer


def acme(server: RemoteServer) -> Remote:
    environ = {"ACME_URL": server.url, "ACME_TOKEN": "t", "ACME_WEBHOOK_SECRET": "w"}
    manifest = load_manifest(EXAMPLE / "acme-graphql.yaml", environ)
    return remote_of(manifest, http_of(manifest, NoBudget(), OwnTokens()))


def test_plugin_that_is_installed_makes_the_calls(installed: Path, server: RemoteServer) -> None:
    server.answer = graphql({})
    remote = acme(server)
    remote.reserve_request()
    makes_all_calls(remote, server)


@pytest.mark.parametrize(
    "body", [None, {"data": None}, {"data": {"create": None, "update": None, "delete": None}}, []]
)
def test_write_of_the_plugin_that_is_answered_with_nothing_is_unknown(
    installed: Path, server: RemoteServer, body: Any
) -> None:
    server.answer = lambda asked: Reply(body=body)
    remote = acme(server)
    draft = Draft({"value": Decimal(4)}, EntityRef("22"), Person(email="ada@example.com"))
    for write in (
        lambda: remote.create(draft, "k"),
        lambda: remote.update("g1", draft, None),
        lambda: remote.delete("g1", None),
    ):
        with pytest.raises(UnknownOutcome):
            write()


def makes_all_calls(remote: Remote, server: RemoteServer) -> None:
    draft = Draft({"value": Decimal(4)}, EntityRef("22"), Person(email="ada@example.com"))
    created = remote.create(draft, "k")
    assert (created.remote_id, created.values, created.entity) == (
        "g1",
        {"value": Decimal(4)},
        EntityRef("22"),
    )
    assert server.asked[0].headers["authorization"] == "Bearer t"
    with pytest.raises(Duplicate):
        remote.create(draft, "k2")
    assert [one.remote_id for one in remote.find(EntityRef("22"), draft.person)] == ["g1"]
    assert [one.remote_id for one in remote.list_page().records] == ["g1"]
    changed = remote.update("g1", Draft({"value": Decimal(2)}, EntityRef("22"), draft.person), None)
    assert changed.values == {"value": Decimal(2)}
    remote.delete("g1", None)
    remote.delete("g1", None)
    assert remote.get("g1") is None
    with pytest.raises(Gone):
        remote.update("g1", draft, None)


def test_earlier_plugin_makes_the_calls_and_is_told_what_to_rename(
    installed_earlier: Path, server: RemoteServer
) -> None:
    """Neither its six paths nor its ``prepay`` break a plugin that somebody has installed."""
    server.answer = graphql({})
    with pytest.warns(DeprecationWarning, match="has moved|rename its method") as told:
        remote = acme(server)
    messages = [str(warning.message) for warning in told]
    for path in EARLIER_PATHS:
        assert f"{path} has moved: import from sync_worker.plugin" in messages
    assert (
        "plugin acme-graphql: rename its method prepay to reserve_request (sync_worker.plugin)"
        in messages
    )
    with pytest.warns(DeprecationWarning, match="RemoteHttp.prepay is now reserve_request"):
        remote.reserve_request()
    makes_all_calls(remote, server)
    assert remote.side is Side.EXTERNAL
    assert not remote.capabilities.has_revision


def test_plugin_may_import_the_names_of_its_example_from_one_module() -> None:
    """Earlier paths hold the very objects of ``sync_worker.plugin``, not others so named."""
    for path in EARLIER_PATHS:
        sys.modules.pop(path, None)
        with pytest.warns(DeprecationWarning, match="import from sync_worker.plugin"):
            earlier = importlib.import_module(path)
        shared = set(earlier.__all__) & set(plugin.__all__)
        assert shared
        assert all(getattr(earlier, name) is getattr(plugin, name) for name in shared)


def test_live_check_of_a_plugin_shows_its_first_record(
    installed: Path, server: RemoteServer
) -> None:
    rating = {"id": "g1", "product": "22", "email": "ada@example.com", "stars": 4}
    server.answer = graphql({"g1": rating})
    environ = {"ACME_URL": server.url, "ACME_TOKEN": "t", "ACME_WEBHOOK_SECRET": "w"}
    checked = run("check", str(EXAMPLE / "acme-graphql.yaml"), "--live", **environ)
    assert checked.exit_code == 0, checked.output
    assert "✓ live: a record: id g1, product 22, by a…@e…, 4 of 1..5 step 1" in checked.output


def test_check_knows_whether_the_plugin_is_installed(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = said("check", str(EXAMPLE / "acme-graphql.yaml"))["findings"][-1]
    assert (finding["what"], finding["wrong"]) == ("plugin and hooks are installed", "")
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one != str(installed)])
    refused = run("check", str(EXAMPLE / "acme-graphql.yaml"))
    assert refused.exit_code == 1
    assert (
        "names 'acme-graphql' of ratings_sync.connectors, which is not installed" in refused.output
    )
    assert "hooks are installed" not in run("check", "woocommerce").output


def test_check_knows_whether_a_hook_is_installed(installed: Path, server: RemoteServer) -> None:
    document = yaml.safe_load(Path(a_shop(server)).read_text())
    for name, code in {"acme.get": 0, "acme.gte": 1}.items():
        hooked = document | {"id": "hooked", "operations": {"probe": {"handler": name}}}
        Path("hooked.yaml").write_text(yaml.safe_dump(hooked))
        assert run("check", "./hooked.yaml", **WOO).exit_code == code


def test_single_operation_may_be_a_registered_hook(installed: Path, server: RemoteServer) -> None:
    server.answer = lambda asked: Reply(body=[{"id": asked.query["id"], "product": 22, "stars": 3}])
    document = yaml.safe_load((EXAMPLE / "acme-graphql.yaml").read_text())
    del document["plugin"]
    Path("hooked.yaml").write_text(
        yaml.safe_dump({**document, "operations": {"get": {"handler": "acme.get"}}})
    )
    manifest = load_manifest(
        Path("hooked.yaml"), {"ACME_URL": server.url, "ACME_TOKEN": "t", "ACME_WEBHOOK_SECRET": "w"}
    )
    remote = remote_of(manifest, http_of(manifest, NoBudget(), OwnTokens()))
    record = remote.get("7")
    assert record is not None
    assert (record.remote_id, record.values) == ("7", {"value": Decimal(3)})
    server.answer = lambda asked: Reply(body=[])
    assert remote.get("8") is None
    with pytest.raises(Permanent):
        remote.delete("7", None)
