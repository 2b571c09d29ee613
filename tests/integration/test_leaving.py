"""A site leaves: its door shuts, our webhooks go from its shop, then its secrets.

Over real HTTP, with a stand-in of WooCommerce that keeps webhooks of others, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import text

from sync_worker.core.errors import Held, Misconfigured, Transient
from sync_worker.core.values import Change, NewAccount
from sync_worker.ledger.accounts.audit import HOOKS_LEFT
from sync_worker.ledger.accounts.store import new_public_id
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.services.leaving import PATIENCE
from tests.factories import EXTERNAL_ENTITY, WIX_ENTITY
from tests.integration.account_ground import SEALER
from tests.integration.leaving_shop import Shop, a_shop


@pytest.fixture
def shop(
    sqlite_url: str, tmp_path: Path, redis: Redis, redis_server: EmbeddedRedis
) -> Iterator[Shop]:
    with a_shop(sqlite_url, tmp_path, redis_server.url) as shop:
        yield shop


@pytest.mark.parametrize("kept_seconds", [0.0, 3600.0])
def test_hooks_of_a_leaver_go_and_then_its_secrets(shop: Shop, kept_seconds: float) -> None:
    """Under each address that it had; another account's of the same shop stay, and strangers'."""
    leaver, neighbour = shop.give(1), shop.give(2)
    fresh = shop.accounts.rotate_address(leaver.public_id, kept_seconds, "ada")
    for address in (leaver.public_id, fresh, neighbour.public_id):
        shop.hook(f"shop/{address}")
    shop.hook("another-app")
    assert shop.says_farewell() == [], "nobody has left"
    shop.removes_the_app(leaver)
    assert shop.says_farewell() == [2]
    assert shop.hooks == [neighbour.public_id, "another-app"]
    assert shop.secrets() == 3
    assert shop.accounts.sealed_of(neighbour.id) != {}
    wiped = shop.accounts.by_public_id(leaver.public_id)
    assert wiped is not None
    assert (wiped.addresses, wiped.wiped_at is not None) == ((), True)
    assert shop.says_farewell() == []


def test_hooks_of_an_account_that_a_person_revokes_go_too(shop: Shop) -> None:
    """Its door shuts at once all the same."""
    revoked = shop.give(1)
    shop.hook(f"shop/{revoked.public_id}")
    shop.people.revoke(revoked, "its key leaked", "ada")
    assert shop.accounts.by_address(revoked.public_id) is None
    assert shop.says_farewell() == [1]
    assert (shop.hooks, shop.secrets()) == ([], 0)


def test_shop_that_does_not_answer_is_asked_again_for_an_hour(shop: Shop) -> None:
    leaver = shop.give()
    shop.hook(f"shop/{leaver.public_id}")
    shop.store.faults.set("page_not_found", chance=1.0)
    shop.removes_the_app(leaver)
    with pytest.raises(Transient):
        shop.says_farewell()
    assert shop.secrets() == 3
    late = datetime.now(UTC) + PATIENCE + timedelta(seconds=1)
    assert shop.says_farewell(now=lambda: late) == [0]
    assert (shop.secrets(), len(shop.hooks)) == (0, 1)
    told = shop.accounts.audit.of_account(leaver.id)[0]
    assert (told.what, told.actor, told.why != "") == (HOOKS_LEFT, "worker", True)


def test_shop_that_refuses_us_keeps_no_secret_of_it_here(shop: Shop) -> None:
    leaver = shop.give(consumer_secret="cs_of_somebody_else")
    shop.removes_the_app(leaver)
    assert shop.says_farewell() == [0]
    assert shop.secrets() == 0


def test_secrets_wait_for_a_process_with_their_key(shop: Shop) -> None:
    """One that has another key must not wipe what it cannot use."""
    leaver = shop.give()
    shop.removes_the_app(leaver)
    with shop.worker.ledger.transactions.write() as connection:
        sealed = SEALER.sealed("x", account=new_public_id(), name="consumer_key")
        change = text("UPDATE account_secret SET sealed = :sealed")
        connection.execute(change, {"sealed": sealed})
    with pytest.raises(Held, match="does not open"):
        shop.says_farewell()
    assert shop.secrets() == 3


def test_cloned_site_begins_empty_and_gets_no_account_of_its_origin(shop: Shop) -> None:
    """Products and contacts have other ids there: two sites on one shop would write each
    other's ratings.
    """
    origin = shop.give()
    shop.worker.ledger.directory.add_entity(origin.site_id, WIX_ENTITY, EXTERNAL_ENTITY)
    heard = shop.hears(Change.APP_INSTALLED, "copy", originInstanceId="instance-1")
    assert heard == "done site_installed"
    copy = shop.worker.admin.sites.find("copy")
    assert (copy.why_at_rest, copy.fields, copy.connector) == ("no_account", (), "")
    assert shop.worker.admin.mappings.entities(copy.id) == []
    again = NewAccount(new_public_id(), copy.id, "shop", "shop-1", {})
    with pytest.raises(Misconfigured, match=f"serves site {origin.site_id} already, and two sites"):
        shop.accounts.add(again, "ada")
    assert shop.hears(Change.UPSERT, "copy") == "held no_account"


def test_site_that_comes_back_goes_on_with_its_account_given_again(shop: Shop) -> None:
    """What Wix told meanwhile is looked at; a late farewell takes nothing of the new account."""
    leaver = shop.give()
    shop.worker.ledger.directory.add_entity(leaver.site_id, WIX_ENTITY, EXTERNAL_ENTITY)
    shop.hook(f"shop/{leaver.public_id}")
    shop.removes_the_app(leaver)
    assert shop.hears(Change.UPSERT, "instance-1") == "done site_removed"
    assert shop.hears(Change.APP_INSTALLED, "instance-1") == "done site_installed"
    assert shop.worker.ledger.inbox.due(9) != []
    fresh = shop.give_again(leaver)
    shop.hook(f"shop/{fresh.public_id}")
    assert shop.says_farewell() == [1]
    assert shop.hooks == [fresh.public_id]
    assert set(shop.accounts.sealed_of(fresh.id)) == set(leaver.secret_names)
    site = shop.worker.admin.sites.find(fresh.public_id)
    assert (site.id, site.is_at_work) == (leaver.site_id, True)
    assert len(shop.worker.admin.mappings.entities(site.id)) == 1
