"""Our webhooks at shops that we leave: where an account was before, and the environment's shop.

Over real HTTP, with stand-ins of WooCommerce that keep webhooks of others, too.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import text

from sync_sandbox.platforms.woocommerce import WooCommerce
from sync_worker.core.errors import Away, Transient
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import Account, SiteState
from sync_worker.ledger.accounts.audit import HOOKS_LEFT
from sync_worker.ledger.accounts.own_hooks import SqlOwnHooks
from sync_worker.ledger.sweeps import SqlSweeps
from sync_worker.runtime.celery.site_faults import OLD_SHOP
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.services.leaving import PATIENCE
from sync_worker.wiring.farewells import say_farewells
from tests.integration.leaving_shop import TOPIC, Shop, a_shop, a_woocommerce

GATEWAY = "https://gw.example"
OWN_URL = f"{GATEWAY}/webhooks/external/shop"


@pytest.fixture
def shop(
    sqlite_url: str, tmp_path: Path, redis: Redis, redis_server: EmbeddedRedis
) -> Iterator[Shop]:
    with a_shop(sqlite_url, tmp_path, redis_server.url, GATEWAY_PUBLIC_URL=GATEWAY) as shop:
        yield shop


@pytest.fixture
def another() -> Iterator[tuple[WooCommerce, str]]:
    with a_woocommerce() as (store, url):
        store.key, store.key_secret = "ck_another", "cs_another"
        yield store, url


def kept(shop: Shop) -> int:
    """Shops that are to be left."""
    with shop.worker.ledger.engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM old_shop")).scalar_one())


def is_sweep_due(shop: Shop, site_id: int) -> bool:
    return runs_of(shop).is_due(site_id, RunKind.SWEEP, math.inf)


def runs_of(shop: Shop) -> SqlSweeps:
    ledger = shop.worker.ledger
    return SqlSweeps(ledger.transactions, ledger.site_cache)


# -- another address of an account


def given(shop: Shop) -> Account:
    """An account as people give it, with our webhooks at its shop and others'."""
    site, _ = shop.worker.admin.sites.add("instance-1", "", [])
    values = {"base_url": shop.url, "webhook_secret": shop.store.webhook_secret}
    values |= {"consumer_key": shop.store.key, "consumer_secret": shop.store.key_secret}
    account = shop.people.add(site, "shop", values, "ada")
    shop.hook(f"shop/{account.public_id}")
    shop.hook("another-app")
    return account


def check_hooks(shop: Shop, account: Account) -> None:
    """A worker looks at them, once it knows what the account has now: within two seconds.

    A look that failed amid its work has claimed them: for a minute no other one makes them.
    """
    for _ in eventually(5.0):
        with suppress(Away):
            if not shop.worker.accounts.check_hooks(account.source).missing:
                return
            forget_claims(shop)


def eventually(seconds: float) -> Iterator[None]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield
        time.sleep(0.05)
    raise AssertionError("the change is not known")


def moves(shop: Shop, account: Account, **values: str) -> Account:
    return shop.people.change(account, values, "ada", is_same_shop=True)


def test_hooks_at_the_shop_before_go_with_the_secrets_of_then(
    shop: Shop, another: tuple[WooCommerce, str]
) -> None:
    store, url = another
    account = given(shop)
    fresh = shop.accounts.rotate_address(account.public_id, 0.0, "ada")
    shop.hook(f"shop/{fresh}")
    values = {"consumer_key": store.key, "consumer_secret": store.key_secret}
    moves(shop, account, base_url=url, **values)
    assert kept(shop) == 1
    assert say_farewells(shop.worker) == "1 shops left, 2 webhooks removed"
    assert (shop.hooks, kept(shop)) == (["another-app"], 0)
    assert say_farewells(shop.worker) == ""
    # The account is at work at the other one.
    assert shop.worker.accounts.hooks_changed() == [account.source]
    check_hooks(shop, account)
    assert {hook.url.rpartition("/")[2] for hook in store.hooks.values()} == {fresh}


def test_shop_under_another_name_has_its_hooks_again_and_a_sweep(shop: Shop) -> None:
    """What was taken away at the old address led to the account of today."""
    account = given(shop)
    check_hooks(shop, account)
    made = len(shop.hooks)
    moves(shop, account, base_url=shop.url.replace("127.0.0.1", "localhost"))
    assert say_farewells(shop.worker).startswith("1 shops left")
    assert shop.hooks == ["another-app"]
    baseline_done(shop, account.site_id)
    forget_claims(shop)
    assert shop.worker.accounts.hooks_changed() == [account.source]
    check_hooks(shop, account)
    assert len(shop.hooks) == made
    assert is_sweep_due(shop, account.site_id)


def forget_claims(shop: Shop) -> None:
    """A minute later."""
    redis = shop.worker.redis.cache.redis
    for key in redis.scan_iter("*token-refresh:*"):
        redis.delete(key)


def baseline_done(shop: Shop, site_id: int) -> None:
    runs = runs_of(shop)
    sweep = runs.begin(site_id, RunKind.SWEEP)
    assert sweep is not None
    runs.end(sweep)
    assert not is_sweep_due(shop, site_id)


def test_shop_before_that_does_not_answer_is_told_of_after_an_hour(shop: Shop) -> None:
    account = given(shop)
    shop.store.faults.set("page_not_found", chance=1.0)
    moves(shop, account, base_url="https://elsewhere.example.com")
    old_shops = shop.worker.old_shops
    (left,) = old_shops.due(OLD_SHOP).values()
    with pytest.raises(Transient):
        old_shops.say(left)
    assert kept(shop) == 1
    late = datetime.now(UTC) + PATIENCE + timedelta(seconds=1)
    assert replace(old_shops, now=lambda: late).say(left) == 0
    assert (kept(shop), len(shop.hooks)) == (0, 2)
    told = shop.accounts.audit.of_account(account.id)[0]
    assert (told.what, told.before["settings"]["base_url"]) == (HOOKS_LEFT, shop.url)


@pytest.mark.parametrize(
    "change", [{"consumer_secret": "cs_new"}, {"base_url": "{url}/"}], ids=["secret", "same place"]
)
def test_account_that_stays_at_its_shop_leaves_none(shop: Shop, change: dict[str, str]) -> None:
    account = given(shop)
    values = {name: value.format(url=shop.url) for name, value in change.items()}
    moves(shop, account, **values)
    assert kept(shop) == 0


# -- the shop of the environment


@pytest.fixture
def own(
    sqlite_url: str, tmp_path: Path, redis: Redis, redis_server: EmbeddedRedis
) -> Iterator[Shop]:
    """Its site is at work, and has our webhooks and one of another app."""
    with a_woocommerce() as (store, url):
        environ = {**store.settings(), "WOO_BASE_URL": url, "GATEWAY_PUBLIC_URL": GATEWAY}
        with a_shop(sqlite_url, tmp_path, redis_server.url, **environ) as shop:
            own = replace(shop, store=store, url=url)
            own.worker.admin.sites.add("operators-own", "shop", [])
            store.connect(OWN_URL)
            own.hook("another-app")
            yield own


def set_state(own: Shop, state: SiteState) -> int:
    site = own.worker.admin.sites.find("operators-own")
    own.worker.ledger.sites.note_lifecycle(site.id, state, None)
    return site.id


def test_own_hooks_go_with_the_app_and_come_back_with_it(own: Shop) -> None:
    before = sorted((hook.topic, hook.url) for hook in own.store.hooks.values())
    assert say_farewells(own.worker) == ""
    site_id = set_state(own, SiteState.REMOVED)
    assert own.worker.managed_hooks == [], "nobody enables what the shut door disables"
    assert say_farewells(own.worker) == "1 shops left, 3 webhooks removed"
    assert own.hooks == ["another-app"]
    forget_claims(own)
    assert say_farewells(own.worker) == ""
    set_state(own, SiteState.ACTIVE)
    baseline_done(own, site_id)
    assert say_farewells(own.worker) == "webhooks made again: shop"
    after = sorted((hook.topic, hook.url) for hook in own.store.hooks.values())
    assert (after, own.worker.managed_hooks) == (before, ["shop"])
    assert is_sweep_due(own, site_id)
    forget_claims(own)
    assert say_farewells(own.worker) == ""


def test_own_shop_that_does_not_answer_is_told_of_after_an_hour(own: Shop) -> None:
    site_id = set_state(own, SiteState.REMOVED)
    own.store.faults.set("page_not_found", chance=1.0)
    with pytest.raises(Transient):
        own.worker.own_hooks.say("shop")
    with own.worker.ledger.transactions.write() as connection:
        first = "UPDATE hook_state SET farewell_since = farewell_since - 3601"
        # A removal that is an hour old, whose first try was then.
        connection.execute(text(first))
        connection.execute(text("UPDATE site SET removed_at = removed_at - 7200"))
    forget_claims(own)
    assert own.worker.own_hooks.say("shop") == 0
    told = own.accounts.audit.of_site(site_id)[0]
    assert (told.what, told.before) == (HOOKS_LEFT, {"connector": "shop"})
    assert own.worker.own_hooks.due("farewell") == {}


def test_own_hooks_taken_away_as_the_site_comes_back_are_made_again(own: Shop) -> None:
    """A slow farewell ends after those of the return were made."""
    set_state(own, SiteState.REMOVED)
    late = SqlOwnHooks(own.worker.ledger.transactions)
    late.begin("shop")
    late.note_urls("shop", [OWN_URL])
    set_state(own, SiteState.ACTIVE)
    assert say_farewells(own.worker) == "webhooks made again: shop"
    own.store.forget_hooks()
    late.note_gone("shop", [OWN_URL])
    forget_claims(own)
    assert say_farewells(own.worker) == "webhooks made again: shop"
    assert own.hooks == ["shop"] * 3


def test_another_process_at_the_own_hooks_is_not_disturbed(own: Shop) -> None:
    set_state(own, SiteState.REMOVED)
    assert own.worker.redis.tokens.claim("own-hooks:shop", 60)
    assert own.worker.own_hooks.say("shop") == 0
    assert len(own.hooks) == 4


def test_hook_at_the_door_of_another_app_is_never_ours(own: Shop) -> None:
    own.store.add_hook(TOPIC, f"{GATEWAY}/webhooks/external/shop-of-others", "s")
    set_state(own, SiteState.REMOVED)
    say_farewells(own.worker)
    assert own.hooks == ["another-app", "shop-of-others"]
