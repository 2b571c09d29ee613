"""Who gets the shop whose settings stand in the environment, where others have accounts."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from sync_worker.core.values import SiteState
from sync_worker.ledger.administration.retention import LedgerRetention, Retention
from sync_worker.ledger.database import open_engine
from sync_worker.wiring.site_opening import SiteOpening
from tests.integration.account_ground import AccountGround, small_manifest

ENVIRON = {
    "SMALL_SHOP_BASE_URL": "https://operators-own.example.org",
    "SMALL_SHOP_TOKEN": "t-env-1",
    "SMALL_SHOP_HOOK_SECRET": "s-env-1",
    "SMALL_SHOP_REGION": "eu",
    "WIX_APP_ID": "app",
    "WIX_APP_SECRET": "app-secret",
}


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
