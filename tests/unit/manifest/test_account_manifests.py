"""The manifests of many accounts of one connector: their own values, and all else in common."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from sync_worker.core.errors import Misconfigured
from sync_worker.manifest.loader import SHIPPED, account_manifests, load_manifest
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.source.account_manifests import AccountManifests
from sync_worker.manifest.source.values import Given
from tests.unit.manifest.test_settings import SMALL, written

ONE = {
    "base_url": "https://one.example.org",
    "token": "t-one",
    "hook_secret": "s-one",
    "region": "eu",
}


def manifests_of(
    folder: Path, environ: dict[str, str] | None = None, **changes: Any
) -> AccountManifests:
    return account_manifests(written(folder, SMALL | changes), environ or {})


def token_of(manifest: Manifest) -> str:
    assert manifest.auth.type == "bearer"
    return manifest.auth.token.get_secret_value()


def secrets_of(manifest: Manifest) -> list[str]:
    assert manifest.webhook is not None
    return list(manifest.webhook.verify[0].secrets)


def test_each_account_has_its_own_values_and_source(tmp_path: Path) -> None:
    made = manifests_of(tmp_path)
    one = made.of("small-shop/aaa", Given(ONE))
    two = made.of("small-shop/bbb", Given(ONE | {"token": "t-two", "region": "us"}))
    assert (token_of(one), token_of(two)) == ("t-one", "t-two")
    assert (one.conn["region"], two.conn["region"]) == ("eu", "us")
    assert (one.source, two.source) == ("small-shop/aaa", "small-shop/bbb")
    assert one.id == two.id == "small-shop"


def test_manifest_without_account_is_its_own_source(tmp_path: Path) -> None:
    assert manifests_of(tmp_path).code.source == "small-shop"


def test_nothing_of_the_shop_in_the_environment_reaches_an_account(tmp_path: Path) -> None:
    """What an account leaves out is not that of the shop whose values the environment holds."""
    environ = {"SMALL_SHOP_PACE": "9", "SMALL_SHOP_HOOK_SECRET_OLD": "s-of-another"}
    made = manifests_of(tmp_path, environ)
    one = made.of("small-shop/aaa", Given(ONE))
    assert one.http.budget.requests == 2
    assert secrets_of(one) == ["s-one"]
    for name in ("base_url", "token", "region"):
        rest = {key: value for key, value in ONE.items() if key != name}
        given = {"SMALL_SHOP_BASE_URL": "https://x.example", "SMALL_SHOP_TOKEN": "t-env"}
        with pytest.raises(Misconfigured, match=rf"{name} \(.*\) is not given"):
            manifests_of(tmp_path, {**given, "SMALL_SHOP_REGION": "eu"}).of("s/a", Given(rest))


def test_name_of_the_environment_finds_the_accounts_own_value(tmp_path: Path) -> None:
    """``{env: NAME}`` of a declared setting is the account's, any other is the environment's."""
    auth = {"type": "basic", "username": {"env": "SMALL_SHOP_TOKEN"}, "password": {"env": "OF_APP"}}
    made = manifests_of(tmp_path, {"OF_APP": "p-app", "SMALL_SHOP_TOKEN": "t-env"}, auth=auth)
    found = made.of("small-shop/aaa", Given(ONE)).auth
    assert found.type == "basic"
    assert found.username.get_secret_value() == "t-one"
    assert found.password.get_secret_value() == "p-app"


def test_secret_that_rotates_has_the_value_before_where_it_is_given(tmp_path: Path) -> None:
    made = manifests_of(tmp_path)
    both = made.of("small-shop/aaa", Given(ONE, {"hook_secret": "s-before", "token": "t-before"}))
    assert secrets_of(both) == ["s-one", "s-before"]
    assert token_of(both) == "t-one"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("base_url", "one.example.org", "base_url (Address) is an address"),
        ("base_url", "https://one.example.org/?a=b", "is not in its form"),
        (
            "base_url",
            "https://ada:pw@one.example.org",
            "without a user or password before the host",
        ),
        ("region", "asia", "region (Region) is one of eu, us"),
        ("token", "t\u200bone", "token holds"),
        ("pace", "0", "http.budget.requests"),
    ],
)
def test_value_that_cannot_be_is_named_without_the_value(
    tmp_path: Path, name: str, value: str, words: str
) -> None:
    with pytest.raises(Misconfigured) as refused:
        manifests_of(tmp_path).of("small-shop/aaa", Given(ONE | {name: value}))
    assert words in str(refused.value)
    assert "account small-shop/aaa" in str(refused.value)
    assert value == "0" or value not in str(refused.value)


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*.yaml")), ids=lambda file: file.stem)
def test_shipped_manifest_of_an_account_is_that_of_the_environment(file: Path) -> None:
    """The same values give the same manifest, whichever way they come."""
    made = account_manifests(file, {})
    values = {spec.name: _some_value(spec.kind, spec.stand_in) for spec in made.code.settings}
    names = {spec.name: spec.name_in_environment(made.code.id) for spec in made.code.settings}
    before = {spec.name: "before-1234567" for spec in made.code.settings if spec.rotates}
    environ = {names[name]: value for name, value in values.items()}
    environ |= {f"{names[name]}_OLD": value for name, value in before.items()}
    found = made.of(made.code.id, Given(values, before))
    assert found.model_dump() == load_manifest(file, environ).model_dump()


def _some_value(kind: str, stand_in: str) -> str:
    return "c2VjcmV0LXNlY3JldA==" if kind == "secret" else stand_in


def test_ten_thousand_accounts_share_all_that_names_no_setting(tmp_path: Path) -> None:
    """An account costs kilobytes, not its connector's parsed tree."""
    made = account_manifests(SHIPPED / "woocommerce.yaml", {})
    given = Given(
        {
            "base_url": "https://shop.example.org",
            "consumer_key": "ck_1234567890",
            "consumer_secret": "cs_1234567890",
            "webhook_secret": "abcdefghijkl",
        }
    )
    first = made.of("woocommerce/aaa", given)
    assert first.operations is made.code.operations
    assert first.fields is made.code.fields
    assert first.examples is made.code.examples
    assert first.webhook is not None
    assert made.code.webhook is not None
    assert first.webhook.manage is made.code.webhook.manage
    number = 200
    tracemalloc.start()
    kept = [made.of(f"woocommerce/{n}", given) for n in range(number)]
    bytes_each = tracemalloc.get_traced_memory()[0] / number
    tracemalloc.stop()
    assert len(kept) == number
    print(f"\n{bytes_each:.0f} bytes an account")  # noqa: T201 - for whoever asks with -s
    assert bytes_each < 16 * 1024
