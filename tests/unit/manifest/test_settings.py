"""Settings that a manifest declares: their values, their kinds, and who uses them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from sync_worker.core.errors import Misconfigured
from sync_worker.manifest.loader import SHIPPED, load_manifest, unused_settings
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.settings import SettingSpec
from sync_worker.manifest.source.resolving import Placeholders

SMALL: dict[str, Any] = {
    "version": 1,
    "id": "small-shop",
    "settings": [
        {"name": "base_url", "kind": "url", "title": "Address"},
        {"name": "token", "kind": "secret", "title": "Token"},
        {"name": "hook_secret", "kind": "secret", "title": "Webhook secret", "rotates": True},
        {"name": "pace", "kind": "integer", "title": "Calls a second", "default": 2},
        {"name": "region", "kind": "choice", "title": "Region", "choices": ["eu", "us"]},
    ],
    "base_url": {"setting": "base_url"},
    "conn": {"region": {"setting": "region"}},
    "auth": {"type": "bearer", "token": {"setting": "token"}},
    "http": {"budget": {"requests": {"setting": "pace"}, "per_s": 1}},
    "key": {"id": {"path": "id"}},
    "fields": {"value": {"path": "stars"}, "entity": {"path": "product"}},
    "scale": {"min": 1, "max": 5},
    "operations": {"get": {"method": "GET", "path": "/reviews/{key.id}"}},
    "webhook": {
        "verify": [{"type": "hmac", "header": "X-Sig", "secret": {"setting": "hook_secret"}}],
        "event": {"path": "event"},
        "events": [{"match": "changed", "change": "upsert"}],
        "key": {"id": "id"},
    },
}
GIVEN = {
    "SMALL_SHOP_BASE_URL": "https://shop.example.org",
    "SMALL_SHOP_TOKEN": "t-123",
    "SMALL_SHOP_HOOK_SECRET": "s-new",
    "SMALL_SHOP_REGION": "eu",
}


def written(folder: Path, document: dict[str, Any]) -> Path:
    file = folder / f"{document['id']}.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    return file


def loaded(folder: Path, environ: dict[str, str], **changes: Any) -> Manifest:
    return load_manifest(written(folder, SMALL | changes), environ)


def test_every_kind_is_used_as_what_it_is(tmp_path: Path) -> None:
    manifest = loaded(tmp_path, GIVEN)
    assert manifest.base_url == "https://shop.example.org"
    assert manifest.conn == {"region": "eu"}
    assert manifest.http.budget.requests == 2
    assert manifest.auth.type == "bearer"
    assert manifest.auth.token.get_secret_value() == "t-123"
    assert "t-123" not in repr(manifest)


def test_secret_that_rotates_keeps_the_one_before(tmp_path: Path) -> None:
    manifest = loaded(tmp_path, GIVEN | {"SMALL_SHOP_HOOK_SECRET_OLD": "s-old"})
    assert manifest.webhook is not None
    assert list(manifest.webhook.verify[0].secrets) == ["s-new", "s-old"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"SMALL_SHOP_BASE_URL": "shop.example.org"}, "SMALL_SHOP_BASE_URL (Address) is an addr"),
        ({"SMALL_SHOP_REGION": "asia"}, "SMALL_SHOP_REGION (Region) is one of eu, us"),
        ({"SMALL_SHOP_PACE": "many"}, "SMALL_SHOP_PACE (Calls a second) is a whole number"),
        ({"SMALL_SHOP_TOKEN": ""}, "SMALL_SHOP_TOKEN is not set"),
        ({"SMALL_SHOP_TOKEN": "YOUR_TOKEN"}, "SMALL_SHOP_TOKEN is still a placeholder"),
    ],
)
def test_value_that_cannot_be_is_refused_by_name(
    tmp_path: Path, wrong: dict[str, str], words: str
) -> None:
    with pytest.raises(Misconfigured) as refused:
        loaded(tmp_path, GIVEN | wrong)
    assert words in str(refused.value)


def test_reference_without_declaration_is_refused_with_place(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as refused:
        loaded(tmp_path, GIVEN, auth={"type": "bearer", "token": {"setting": "tokn"}})
    assert "auth.token: no setting 'tokn' is declared" in str(refused.value)
    assert "did you mean 'token'?" in str(refused.value)


def test_setting_that_no_call_uses_is_named(tmp_path: Path) -> None:
    more = [*SMALL["settings"], {"name": "colour", "title": "Colour"}]
    assert unused_settings(written(tmp_path, SMALL | {"settings": more})) == ["colour"]


def test_name_declared_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="'token' is declared twice"):
        loaded(tmp_path, GIVEN, settings=[*SMALL["settings"], SMALL["settings"][1]])


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ({"kind": "choice"}, "choices are given for kind: choice"),
        ({"kind": "text", "rotates": True}, "only a secret rotates"),
        ({"kind": "secret", "example": "abc"}, "a secret has no default and no example"),
        ({"kind": "integer", "default": "many"}, "default: is a whole number"),
        ({"pattern": "("}, "is no regular expression"),
        ({"pattern": "[0-9]+", "example": "abc"}, "example: does not have its form"),
    ],
)
def test_declaration_that_cannot_be_is_refused(key: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        SettingSpec.model_validate({"name": "one", "title": "One"} | key)


def test_value_that_its_pattern_never_ends_over_is_refused_soon() -> None:
    spec = SettingSpec(name="one", title="One", pattern="(a+)+b")
    assert "does not have its form" in spec.problem_of("a" * 5000)


def test_second_shop_states_only_where_its_values_are(tmp_path: Path) -> None:
    first = written(tmp_path, SMALL)
    second = tmp_path / "second.yaml"
    second.write_text(
        f"extends: {first.stem}\nid: second\n"
        "settings: [{name: token, env: SECOND_TOKEN}, {name: base_url, env: SECOND_URL}]\n"
    )
    environ = {"SECOND_TOKEN": "t-2", "SECOND_URL": "https://two.example.org"}
    more = {"SECOND_HOOK_SECRET": "s-2", "SECOND_REGION": "us"}
    manifest = load_manifest(second, environ | more)
    assert manifest.base_url == "https://two.example.org"
    assert manifest.conn == {"region": "us"}
    assert unused_settings(second) == []


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*.yaml")), ids=lambda file: file.stem)
def test_shipped_connector_says_where_its_values_are_found(file: Path) -> None:
    environ = Placeholders({})
    manifest = load_manifest(file, environ)
    assert manifest.settings
    assert all(setting.help for setting in manifest.settings)
    assert unused_settings(file) == []
    names = {setting.name_in_environment(manifest.id) for setting in manifest.settings}
    assert set(environ.missing) <= names


def test_identity_of_a_setting_that_is_not_declared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="account_identity: 'shop' is not declared"):
        loaded(tmp_path, GIVEN, account_identity=["shop"])
