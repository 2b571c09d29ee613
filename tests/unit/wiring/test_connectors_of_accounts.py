"""Which manifests serve the shop of the environment, and which are code for accounts alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync_worker.config import load_settings
from sync_worker.core.errors import Misconfigured
from sync_worker.wiring.connectors import Connectors
from sync_worker.wiring.secret_keys import make_key_file
from tests.unit.manifest.test_settings import SMALL, written

SECRETS_KEY = {"SECRETS_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}
OKENDO = {
    "OKENDO_USER_ID": "user-1",
    "OKENDO_API_KEY": "key-1",
    "OKENDO_WEBHOOK_SECRET": "whsec_c2VjcmV0",
}


def connectors(named: str, **environ: str) -> Connectors:
    environ = {"CONNECTORS": named, **environ}
    return Connectors(load_settings(environ), environ)


def test_connector_without_a_shop_in_the_environment_is_code_for_accounts() -> None:
    found = connectors("woocommerce,okendo", **SECRETS_KEY, **OKENDO)
    assert list(found.manifests) == ["okendo"]
    assert list(found.names) == ["woocommerce", "okendo"]
    assert found.code_of("woocommerce").code.id == "woocommerce"


def test_shop_that_is_set_up_in_part_is_an_error_with_accounts_too() -> None:
    with pytest.raises(Misconfigured, match="OKENDO_API_KEY is not set"):
        _ = connectors("okendo", **SECRETS_KEY, OKENDO_USER_ID="user-1").manifests


def test_without_a_key_every_connector_needs_its_shop() -> None:
    with pytest.raises(Misconfigured, match="OKENDO_USER_ID is not set"):
        _ = connectors("okendo").manifests


def test_code_that_connectors_does_not_name_is_refused() -> None:
    with pytest.raises(Misconfigured, match="name its manifest in CONNECTORS"):
        connectors("okendo", **OKENDO).code_of("woocommerce")


def test_two_manifests_of_one_name_are_refused_as_code_too(tmp_path: Path) -> None:
    again = tmp_path / "again.yaml"
    again.write_text("extends: okendo\n")
    with pytest.raises(Misconfigured, match="'okendo' is taken by another manifest"):
        _ = connectors(f"okendo,{again}", **SECRETS_KEY).names


def test_connector_that_nothing_sets_up_says_what_is_not_set() -> None:
    with pytest.raises(Misconfigured, match="WOO_BASE_URL is not set"):
        connectors("woocommerce", **SECRETS_KEY).manifest("woocommerce")


def test_key_that_up_has_made_serves_accounts_as_a_setting_does(tmp_path: Path) -> None:
    home = {"RATINGS_SYNC_HOME": str(tmp_path)}
    with pytest.raises(Misconfigured, match="WOO_BASE_URL is not set"):
        _ = connectors("woocommerce", **home).manifests
    make_key_file(load_settings(home), {})
    assert connectors("woocommerce", **home).manifests == {}


def test_shop_of_the_environment_goes_on_beside_a_key(tmp_path: Path) -> None:
    """Its settings have defaults, and its secrets are named as ``{env: NAME}``."""
    paces = [{"name": "pace", "kind": "integer", "title": "Calls a second", "default": 2}]
    signed = {"type": "hmac", "header": "X-Sig", "secret": {"env": "MY_HOOK"}}
    own = {
        "settings": paces,
        "conn": {},
        "base_url": "https://shop.example.org",
        "auth": {"type": "bearer", "token": {"env": "MY_TOKEN"}},
        "webhook": SMALL["webhook"] | {"verify": [signed]},
    }
    file = str(written(tmp_path, SMALL | own))
    secrets = {"MY_TOKEN": "t-1", "MY_HOOK": "s-1"}
    assert list(connectors(file, **secrets).manifests) == ["small-shop"]
    assert list(connectors(file, **secrets, **SECRETS_KEY).manifests) == ["small-shop"]
    assert connectors(file, **SECRETS_KEY).manifests == {}
