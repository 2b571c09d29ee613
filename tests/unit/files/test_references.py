"""A manifest of a stranger reads no setting of ours and no file but those kept for connectors."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync_worker.config import SECRETS
from sync_worker.core.errors import Misconfigured
from sync_worker.files.references import OURS, BadReference, looked_up
from sync_worker.manifest.loader import SHIPPED, load_manifest
from sync_worker.manifest.source.resolving import Placeholders
from tests.unit.signed import OWN_SERVICE

FOLDERS = "CONNECTOR_SECRETS_FOLDERS"


def file_text(name: object, environ: dict[str, str]) -> str | None:
    return looked_up({"file": str(name)}, environ, is_optional=False)


@pytest.mark.parametrize(
    "name",
    [
        *SECRETS,
        *("WIX_ANYTHING", "SECRETS_KEY", "SECRETS_KEY_OLD", "CONSOLE_PASSWORD", "GATEWAY_BIND"),
        *("DATABASE_PASSWORD_FILE", "POSTGRES_PASSWORD", "PGPASSWORD", "CELERY_BROKER_URL"),
    ],
)
def test_setting_of_ours_is_refused_whether_it_is_set_or_not(name: str) -> None:
    for environ in ({name: "canary"}, {}, Placeholders({})):
        for is_optional in (False, True):
            with pytest.raises(BadReference, match="is a setting of ratings-sync") as refusal:
                looked_up({"env": name}, environ, is_optional=is_optional)
            assert "canary" not in str(refusal.value)


def test_declared_setting_reads_no_setting_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    own = (SHIPPED / "own-service.yaml").read_text()
    path.write_text(own.replace("env: OWN_SERVICE_TOKEN", "env: WIX_APP_SECRET"))
    for environ in (OWN_SERVICE | {"WIX_APP_SECRET": "canary"}, Placeholders({})):
        with pytest.raises(Misconfigured, match=r"auth\.token: WIX_APP_SECRET is a setting of"):
            load_manifest(path, environ)


def test_every_secret_of_ours_is_out_of_reach() -> None:
    assert [name for name in SECRETS if not name.startswith(OURS)] == []


def test_other_names_work_as_before(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\ufefffrom a file\n", encoding="utf-8")
    assert looked_up({"env": "SHOP"}, {"SHOP": "x"}, is_optional=False) == "x"
    by_file = {"SHOP_FILE": str(tmp_path / "token")}
    assert looked_up({"env": "SHOP"}, by_file, is_optional=False) == "from a file"
    assert looked_up({"env": "SHOP"}, {}, is_optional=True) is None


def test_file_is_read_only_within_the_folders_for_connectors(tmp_path: Path) -> None:
    inside, outside = tmp_path / "secrets", tmp_path / "other"
    for folder in (inside, outside, tmp_path / "secrets-2"):
        folder.mkdir()
        (folder / "token").write_text("canary")
    (inside / "link").symlink_to(outside / "token")
    (inside / "folder").symlink_to(outside)
    (inside / "circle").symlink_to(inside / "circle")
    (inside / "..data").symlink_to(inside / "token")
    environ = {FOLDERS: f"{tmp_path}/nowhere, {inside}"}
    assert file_text(inside / "token", environ) == "canary"
    assert file_text(inside / "..data", environ) == "canary"
    for name in (
        outside / "token",
        tmp_path / "secrets-2" / "token",
        f"{inside}/../other/token",
        inside / "link",
        inside / "folder" / "token",
        inside / "circle",
        "/etc/passwd",
        "a\0b",
    ):
        with pytest.raises(BadReference) as refusal:
            file_text(name, environ)
        assert "canary" not in str(refusal.value)
        if "circle" not in str(name):
            assert "outside the folders for secrets of connectors" in str(refusal.value)


def test_folders_of_compose_and_of_a_machine_are_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secrets" / "connector").mkdir(parents=True)
    (tmp_path / "secrets" / "connector" / "token").write_text("good")
    (tmp_path / "secrets" / "wix_app_secret").write_text("canary")
    for environ in ({}, {FOLDERS: ""}, Placeholders({})):
        assert file_text("secrets/connector/token", environ) == "good"
        with pytest.raises(BadReference, match="outside the folders"):
            file_text("secrets/wix_app_secret", environ)
    with pytest.raises(BadReference, match="cannot read /run/secrets/connector/token"):
        file_text("/run/secrets/connector/token", {})


def test_file_of_a_setting_of_ours_is_refused_in_any_folder(tmp_path: Path) -> None:
    (tmp_path / "app").write_text("canary")
    (tmp_path / "link").symlink_to(tmp_path / "app")
    environ = {FOLDERS: str(tmp_path), "WIX_APP_SECRET_FILE": str(tmp_path / "link")}
    for name in ("app", "link"):
        with pytest.raises(BadReference, match="holds a setting of ratings-sync"):
            file_text(tmp_path / name, environ)


def test_manifest_that_looks_too_far_is_refused_with_file_and_key(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    own = (SHIPPED / "own-service.yaml").read_text()
    written = "{setting: token}"
    for reference in ("{env: WIX_APP_SECRET}", "{file: /etc/hostname}"):
        path.write_text(own.replace(written, reference))
        for environ in (OWN_SERVICE | {"WIX_APP_SECRET": "canary"}, Placeholders({})):
            with pytest.raises(Misconfigured) as refusal:
                load_manifest(path, environ)
            assert str(refusal.value).startswith(f"{path}, line ")
            assert ": auth.token: " in str(refusal.value)
            assert "canary" not in str(refusal.value)


UNSENDABLE = {
    "a line break": ("canary\nabc", "U+000A"),
    "a quote of a text program": ("canary\u201cabc", "U+201C"),
    "a blank without width": ("canary\u200babc", "U+200B"),
    "a blank that does not break": ("canary\u00a0abc", "U+00A0"),
    "a sign of a terminal": ("canary\x1babc", "U+001B"),
}


@pytest.mark.parametrize("kind", UNSENDABLE)
def test_pasted_sign_that_no_header_carries_is_told(kind: str, tmp_path: Path) -> None:
    """The setting and the sign are named, and no part of the secret."""
    value, sign = UNSENDABLE[kind]
    (tmp_path / "token").write_text(value)
    for environ in (
        {"OWN_SERVICE_TOKEN": value},
        {"OWN_SERVICE_TOKEN_FILE": str(tmp_path / "token")},
    ):
        with pytest.raises(Misconfigured) as refusal:
            load_manifest(
                SHIPPED / "own-service.yaml",
                {name: text for name, text in OWN_SERVICE.items() if name != "OWN_SERVICE_TOKEN"}
                | environ,
            )
        assert f"OWN_SERVICE_TOKEN holds {sign} (" in str(refusal.value)
        assert "canary" not in str(refusal.value)
        assert "abc" not in str(refusal.value)


def test_secret_of_webhooks_and_pem_may_have_several_lines(tmp_path: Path) -> None:
    lines = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----"
    load_manifest(
        SHIPPED / "own-service.yaml", OWN_SERVICE | {"OWN_SERVICE_WEBHOOK_SECRET": "a\nb\u201c"}
    )
    assert looked_up({"env": "A"}, {"A": lines}, is_optional=False, is_sent=True) == lines
    with pytest.raises(BadReference):
        looked_up({"env": "A"}, {"A": lines + "\u200b"}, is_optional=False, is_sent=True)
