"""Plugins and hooks in Python: installed, asked for, and those of earlier releases."""

from __future__ import annotations

import importlib
import sys
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from sync_worker import plugin
from sync_worker.core.errors import (
    Duplicate,
    Gone,
    Permanent,
    UnknownOutcome,
)
from sync_worker.core.ports.remote import Remote
from sync_worker.core.values import Draft, EntityRef, Person, Side
from sync_worker.manifest.loader import load_manifest
from sync_worker.remotes.external.http import http_of
from sync_worker.remotes.external.plugins import remote_of
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.tokens import OwnTokens
from tests.integration.connector_shell import WOO, a_shop, nowhere, run, said
from tests.integration.remote_server import Asked, RemoteServer, Reply

__all__ = ["nowhere"]  # a fixture that each test here uses by itself

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
