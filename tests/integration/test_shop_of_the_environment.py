"""The shop whose settings stand in the environment: who gets it, beside accounts of other sites;
and what is said where the environment does not hold it any more.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import Site, SiteState
from sync_worker.ledger.administration.retention import LedgerRetention, Retention
from sync_worker.ledger.database import open_engine
from sync_worker.manifest.default_field import default_field
from sync_worker.services.accounts.accounts import Accounts
from sync_worker.services.accounts.environment import refuse_shop_of_account
from sync_worker.wiring.accounts.own_shops import KNOWN_SECONDS, OwnShops
from sync_worker.wiring.site_opening import SiteOpening
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


def source_of_a_stranger(ground: AccountGround) -> str:
    """Of the site that an installation opens by itself."""
    remotes: object = SimpleNamespace()
    opening = SiteOpening(lambda: ground.admin, ground.connectors, ground.settings, remotes)  # type: ignore[arg-type]  # never asked
    opened = opening.open("a-stranger")
    assert opened is not None
    return opened[0].external_source


def test_first_installation_of_one_shop_gets_it(ground: AccountGround) -> None:
    assert source_of_a_stranger(ground) == "small-shop"


def test_stranger_waits_for_an_account_where_others_have_one(ground: AccountGround) -> None:
    ground.add("one")
    assert source_of_a_stranger(ground) == ""


def test_stranger_does_not_inherit_it_from_a_site_that_is_gone(ground: AccountGround) -> None:
    ground.add("one")
    own, _ = ground.admin.sites.add("operators-own", "small-shop", [])
    ground.admin.sites.set_state(own.id, SiteState.REMOVED)
    with ground.engine.begin() as connection:
        connection.execute(text("UPDATE site SET removed_at = 1 WHERE state = 'removed'"))
    list(LedgerRetention(ground.engine).prune(Retention()))
    assert source_of_a_stranger(ground) == ""


# -- nobody else may have it as an account


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


# -- the environment does not hold it any more, or holds another site's


def without_settings(sqlite_url: str, folder: Path) -> AccountGround:
    """The same installation, started again without the settings of its shop."""
    app = {name: text for name, text in ENVIRON.items() if name.startswith("WIX_")}
    return AccountGround(open_engine(sqlite_url), small_manifest(folder), app)


def test_door_asks_a_shop_to_try_again_whose_settings_are_lost(
    ground: AccountGround, sqlite_url: str, tmp_path: Path
) -> None:
    """Senders take 404 for the end; a stranger's guess is answered 404 as ever."""
    own_site(ground)
    later = without_settings(sqlite_url, tmp_path)
    assert later.client.post("/webhooks/external/small-shop", data=b"{}").status_code == 503
    assert later.client.post("/webhooks/external/okendo", data=b"{}").status_code == 404
    assert ground.client.post("/webhooks/external/small-shop", data=b"{}").status_code == 401


def test_lost_settings_are_said_in_words(
    ground: AccountGround, sqlite_url: str, tmp_path: Path
) -> None:
    own_site(ground)
    assert OwnShops(ground.connectors, ground.ledger.transactions).faults() == []
    later = without_settings(sqlite_url, tmp_path)
    (fault,) = OwnShops(later.connectors, later.ledger.transactions).faults()
    assert fault.line.startswith("site 1 uses connector small-shop, and SMALL_SHOP_BASE_URL is not")
    assert "start all processes" in fault.next_step


def test_strangers_cost_one_look_a_minute(ground: AccountGround) -> None:
    now = [0.0]
    shops = OwnShops(ground.connectors, ground.ledger.transactions, lambda: now[0])
    assert not shops.is_lost("small-shop")
    ground.admin.sites.add("instance-7", "gone", [])
    assert not shops.is_lost("gone")
    now[0] += KNOWN_SECONDS
    assert shops.is_lost("gone")


def test_environment_set_later_to_the_shop_of_an_account_is_told(
    sqlite_url: str, tmp_path: Path
) -> None:
    """Nothing refuses it then: both sites are there, and write each other's ratings."""
    before = AccountGround(
        open_engine(sqlite_url),
        small_manifest(tmp_path),
        ENVIRON | {"SMALL_SHOP_BASE_URL": "https://another.example.org"},
    )
    own = own_site(before)
    other, _ = before.admin.sites.add("other", "", [])
    service(before).add(other, "small-shop", SAME_SHOP, "ada")
    assert OwnShops(before.connectors, before.ledger.transactions).faults() == []
    later = AccountGround(open_engine(sqlite_url), small_manifest(tmp_path), ENVIRON)
    (fault,) = OwnShops(later.connectors, later.ledger.transactions).twice()
    assert fault.line.startswith(
        f"sites {own.id} (settings of the environment) and {other.id} (its account) have the same"
    )
