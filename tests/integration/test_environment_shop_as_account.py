"""The shop whose settings stand in the environment, beside accounts of other sites."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import Site
from sync_worker.ledger.database import open_engine
from sync_worker.manifest.default_field import default_field
from sync_worker.services.accounts.accounts import Accounts
from sync_worker.services.accounts.environment import refuse_shop_of_account
from tests.integration.account_ground import SEALER, AccountGround, small_manifest

OWN = "https://operators-own.example.org"
ENVIRON = {
    "SMALL_SHOP_BASE_URL": OWN,
    "SMALL_SHOP_TOKEN": "t-env-1",
    "SMALL_SHOP_HOOK_SECRET": "s-env-1",
    "SMALL_SHOP_REGION": "eu",
    "WIX_APP_ID": "app",
    "WIX_APP_SECRET": "app-secret",
}
SAME_SHOP = {"base_url": OWN + "/", "token": "t-1", "hook_secret": "s-1", "region": "eu"}


@pytest.fixture
def ground(sqlite_url: str, tmp_path: Path) -> AccountGround:
    return AccountGround(open_engine(sqlite_url), small_manifest(tmp_path), ENVIRON)


def service(ground: AccountGround) -> Accounts:
    return Accounts(ground.store, ground.admin, ground.connectors.code_of, lambda: SEALER)


def own_site(ground: AccountGround) -> Site:
    return ground.admin.sites.add("operators-own", "small-shop", [])[0]


def test_its_shop_is_refused_as_an_account_of_another_site(ground: AccountGround) -> None:
    own_site(ground)
    other, _ = ground.admin.sites.add("other", "", [])
    accounts = service(ground)
    for given in (
        lambda: accounts.add(other, "small-shop", SAME_SHOP, "ada"),
        lambda: accounts.check("small-shop", SAME_SHOP),
    ):
        with pytest.raises(Misconfigured, match="serves site 1 already, with the settings of the"):
            given()
    first = SAME_SHOP | {"base_url": "https://other.example.org"}
    added = accounts.add(other, "small-shop", first, "ada")
    with pytest.raises(Misconfigured, match="serves site 1 already"):
        accounts.change(added, {"base_url": OWN}, "ada")
    assert accounts.change(added, {"token": "t-2"}, "ada").identity == added.identity


def test_no_site_gets_it_from_the_environment_beside_its_account(ground: AccountGround) -> None:
    other, _ = ground.admin.sites.add("other", "", [])
    service(ground).add(other, "small-shop", SAME_SHOP, "ada")
    with pytest.raises(Misconfigured, match="serves site 1 already"):
        refuse_shop_of_account(ground.admin, ground.connectors.code_of("small-shop"))


def test_site_that_waits_gets_it_from_its_operator(ground: AccountGround) -> None:
    waiting, _ = ground.admin.sites.add("instance-1", "", [], {"deletes": "ignore"})
    manifest = ground.connectors.manifest("small-shop")
    fields = [default_field(manifest, waiting.wix_api)]
    added, _ = ground.admin.sites.add("instance-1", "small-shop", fields, {"direction": "to_wix"})
    assert (added.id, added.external_source, added.is_at_work) == (waiting.id, "small-shop", True)
    assert (added.policy.deletes, added.policy.direction) == ("ignore", "to_wix")
    assert len(added.fields) == 1
    with pytest.raises(Misconfigured, match="belongs to site 1 already"):
        ground.admin.sites.add("instance-1", "small-shop", fields)
