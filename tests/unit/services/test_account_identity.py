"""One external account is known however its address or its name is written."""

from __future__ import annotations

import pytest

from sync_worker.manifest.loader import SHIPPED, load_manifest
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.source.resolving import Placeholders
from sync_worker.services.accounts.identity import MAX_IDENTITY, identity_of

IDENTITIES = {
    "bigcommerce": ("store_hash",),
    "ecwid": ("store",),
    "fera": ("secret_key",),
    "judgeme": ("shop_domain",),
    "okendo": ("user_id",),
    "own-service": ("base_url",),
    "reviewsio": ("store",),
    "trustpilot": ("api_key",),
    "woocommerce": ("base_url",),
}


def shipped(name: str) -> Manifest:
    return load_manifest(SHIPPED / f"{name}.yaml", Placeholders({}))


def test_every_shipped_manifest_says_what_tells_two_accounts_apart() -> None:
    names = sorted(file.stem for file in SHIPPED.glob("*.yaml"))
    assert {name: shipped(name).account_identity for name in names} == IDENTITIES


@pytest.mark.parametrize(
    "written",
    [
        "https://shop.example.org",
        "https://SHOP.example.org/",
        "http://shop.example.org:80//",
        "https://shop.example.org:443/.",
        "https://www.shop.example.org.",
        "https://owner@shop.example.org/?lang=de#top",
        "https://shop.example.org/blog/..",
    ],
)
def test_address_of_a_shop_is_one_however_it_is_written(written: str) -> None:
    manifest = shipped("woocommerce")
    assert identity_of(manifest, {"base_url": written}) == "base_url=shop.example.org"


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("https://shop.example/a", "https://shop.example/A/", True),
        ("https://shop.example/a", "https://shop.example/%61", True),
        ("https://müller.example", "https://xn--mller-kva.example", True),
        ("http://[::1]:8001", "http://[0:0::1]:8001/", True),
        ("https://shop.example/a", "https://shop.example/b", False),
        ("http://127.0.0.1:8001", "http://127.0.0.1:8002", False),
        ("https://de.shop.example", "https://fr.shop.example", False),
    ],
)
def test_two_addresses_are_one_account_or_two(one: str, other: str, is_same: bool) -> None:
    manifest = shipped("own-service")
    first, second = (identity_of(manifest, {"base_url": url}) for url in (one, other))
    assert (first == second) is is_same


def test_name_of_a_shop_may_be_written_as_its_address() -> None:
    manifest = shipped("judgeme")
    written = ("Shop.myshopify.com", "https://shop.myshopify.com/", " shop.myshopify.com ")
    assert {identity_of(manifest, {"shop_domain": name}) for name in written} == {
        "shop_domain=shop.myshopify.com"
    }


def test_secret_is_known_again_by_its_hash_alone() -> None:
    manifest = shipped("fera")
    first, again, other = (
        identity_of(manifest, {"secret_key": key}) for key in ("sk_1", "sk_1", "SK_1")
    )
    assert first == again != other
    assert "sk_1" not in str(first)
    assert identity_of(shipped("okendo"), {"user_id": "sk_1"}) != first


def test_identity_of_many_long_parts_fits_its_column() -> None:
    """PostgreSQL refuses what is longer; a part that is not given anew stays what it was."""
    small = shipped("own-service")
    text = next(one for one in small.settings if one.kind == "url")
    names = ("one", "two", "three")
    settings = tuple(text.model_copy(update={"name": name, "kind": "text"}) for name in names)
    manifest = small.model_copy(update={"settings": settings, "account_identity": names})
    values = {name: f"{name}-{'x' * 190}" for name in names}
    identity = identity_of(manifest, values)
    assert identity is not None
    assert len(identity) <= MAX_IDENTITY
    assert identity_of(manifest, {"one": values["one"]}, identity) == identity
    assert identity_of(manifest, values | {"two": "another"}) != identity
