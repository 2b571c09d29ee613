"""The remotes of accounts: each with its own credentials, connections, budget, tokens and hooks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import Engine, update

from sync_worker.core.errors import Away, Held, RateLimited
from sync_worker.core.hold_reasons import ACCOUNT_LOCKED, ACCOUNT_REVOKED
from sync_worker.core.ports.remote import Connection, Remote
from sync_worker.core.values import Account, AccountChange, AccountState, NewDelivery, Side, Site
from sync_worker.ledger.accounts.sealing import new_key
from sync_worker.ledger.accounts.upkeep import SqlAccountUpkeep
from sync_worker.ledger.administration.hook_states import SqlHookStates
from sync_worker.ledger.administration.site_faults import SqlSiteFaults
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.process_tables import hook_state, site_fault
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.wiring.accounts.upkeep import AccountUpkeep
from sync_worker.wiring.redis_parts import RedisParts
from sync_worker.wiring.remotes import Remotes
from tests.factories import a_delivery
from tests.integration.account_ground import ACTOR, AccountGround, small_manifest
from tests.integration.remote_server import Asked, RemoteServer, Reply
from tests.unit.manifest.test_settings import SMALL

DAY_SECONDS = 86_400.0
FAST = {"pace": "100000"}
HOOK_CALLS: dict[str, Any] = {
    "topics": ["changed"],
    "list": {
        "method": "GET",
        "path": "/hooks",
        "items_path": "hooks",
        "id": "id",
        "url": "url",
        "topic": "topic",
        "enabled": "enabled",
    },
    "register": {
        "method": "POST",
        "path": "/hooks",
        "body": {
            "url": {"from": "hook.url"},
            "topic": {"from": "hook.topic"},
            "secret": {"from": "hook.secret"},
        },
    },
    "remove": {"method": "DELETE", "path": "/hooks/{hook.id}", "answer": "any"},
}


@pytest.fixture(params=["sqlite_url"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine = open_engine(request.getfixturevalue(request.param))
    yield engine
    engine.dispose()


class AtWork:
    """A worker's remotes beside the gateway of the ground, over the same Redis."""

    def __init__(self, ground: AccountGround) -> None:
        self.ground = ground
        self.redis = RedisParts(ground.settings)
        self.remotes = Remotes(ground.settings, ground.connectors, self.redis, ground.book)
        ledger = SqlAccountUpkeep(ground.ledger.transactions)
        self.upkeep = AccountUpkeep(
            ground.settings,
            ground.connectors,
            ground.book,
            self.remotes,
            lambda: ledger,
            self.redis.tokens.claim,
        )

    def site_of(self, account: Account) -> Site:
        return self.ground.admin.sites.find(str(account.site_id))

    def connect(self, account: Account) -> Connection:
        return self.remotes.connect(self.site_of(account))

    def read(self, account: Account) -> None:
        read(self.connect(account).remotes[Side.EXTERNAL])


def read(remote: Remote) -> None:
    """A record, as soon as a bucket that begins empty has a token."""
    try:
        remote.get("7")
    except RateLimited as refusal:
        time.sleep((refusal.retry_after or 0.0) + 0.01)
        remote.get("7")


def at_work(
    engine: Engine, folder: Path, redis_url: str, *, key: str = "", **changes: Any
) -> AtWork:
    environ = {
        "REDIS_URL": redis_url,
        "WIX_APP_ID": "app",
        "WIX_APP_SECRET": "app-secret",
        "GATEWAY_PUBLIC_URL": "https://gw.example.org/",
        "CLIENT": "app",
    }
    manifest = small_manifest(folder, **changes)
    ground = AccountGround(engine, manifest, environ)
    if key:
        ground.key = key
    return AtWork(ground)


def bearer_of(asked: Asked) -> str:
    return asked.headers["authorization"].removeprefix("Bearer ")


def a_review(asked: Asked) -> Reply:
    return Reply(body={"id": "7", "stars": 4, "product": "p"})


@pytest.fixture
def work(
    engine: Engine, tmp_path: Path, redis: Redis, redis_server: EmbeddedRedis, server: RemoteServer
) -> AtWork:
    server.answer = a_review
    return at_work(engine, tmp_path, redis_server.url)


def test_each_account_is_called_with_its_own_credentials(
    work: AtWork, server: RemoteServer
) -> None:
    one = work.ground.add("one", url=server.url, **FAST)
    two = work.ground.add("two", url=server.url, **FAST)
    for account in (one, two, one):
        work.read(account)
    assert [bearer_of(asked) for asked in server.asked] == ["t-one", "t-two", "t-one"]


def test_what_was_given_anew_counts_for_the_next_call(work: AtWork, server: RemoteServer) -> None:
    """Also of work that has its connection in hand: it begins anew, with what counts now."""
    one = work.ground.add("one", url=server.url, **FAST)
    in_hand = work.connect(one).remotes[Side.EXTERNAL]
    read(in_hand)
    work.ground.give_secret(one, "token", "t-new")
    work.ground.a_second_later()
    with pytest.raises(Away, match="has changed"):
        read(in_hand)
    work.read(one)
    assert [bearer_of(asked) for asked in server.asked] == ["t-one", "t-new"]


def test_pause_and_probe_of_an_account_cost_no_connection(
    work: AtWork, server: RemoteServer
) -> None:
    one = work.ground.add("one", url=server.url, **FAST)
    before = work.connect(one)
    for state in ("paused", "active"):
        change = AccountChange(state=type(one.state)(state))
        work.ground.store.change(one.public_id, change, actor=ACTOR)
        work.ground.a_second_later()
    assert work.connect(one) is before


def test_revoked_account_is_called_no_more(work: AtWork, server: RemoteServer) -> None:
    """Not even by a sweep that is at it."""
    one = work.ground.add("one", url=server.url, **FAST)
    site = work.site_of(one)
    webhooks = work.remotes.connect(site).remotes[Side.EXTERNAL]
    sweep = work.remotes.connect_patiently(site, time.sleep).remotes[Side.EXTERNAL]
    work.ground.store.revoke(one.public_id, ACTOR)
    work.ground.a_second_later()
    for remote in (webhooks, sweep):
        with pytest.raises(Away):
            read(remote)
    with pytest.raises(Held) as held:
        work.remotes.connect(site)
    assert held.value.reason == ACCOUNT_REVOKED
    assert server.asked == []


def test_budget_of_one_account_is_not_anothers(work: AtWork, server: RemoteServer) -> None:
    one = work.ground.add("one", url=server.url, pace="1")
    two = work.ground.add("two", url=server.url, pace="1")
    remotes = [work.connect(account).remotes[Side.EXTERNAL] for account in (one, two)]
    for remote in remotes:
        # A bucket that was never used starts empty.
        with pytest.raises(RateLimited):
            remote.get("7")
    time.sleep(1.05)
    for remote in remotes:
        remote.get("7")
    assert [bearer_of(asked) for asked in server.asked] == ["t-one", "t-two"]


def test_token_of_one_account_is_not_anothers(
    engine: Engine, tmp_path: Path, redis: Redis, redis_server: EmbeddedRedis, server: RemoteServer
) -> None:
    """One client id for all, as an app has: the secrets tell them apart, also once given anew."""

    def answer(asked: Asked) -> Reply:
        if asked.path == "/token":
            secret = asked.body.decode().partition("client_secret=")[2].partition("&")[0]
            return Reply(body={"access_token": f"of-{secret}", "expires_in": 3600})
        return a_review(asked)

    server.answer = answer
    auth = {
        "type": "oauth2_client_credentials",
        "token_url": f"{server.url}/token",
        "client_id": {"env": "CLIENT"},
        "client_secret": {"setting": "token"},
    }
    for number in range(2):
        # The second process finds the tokens of the first.
        work = at_work(engine, tmp_path, redis_server.url, auth=auth)
        if number == 0:
            one = work.ground.add("one", url=server.url, **FAST)
            two = work.ground.add("two", url=server.url, **FAST)
        for account in (one, two):
            work.read(account)
    called = [bearer_of(asked) for asked in server.asked if asked.path != "/token"]
    assert called == ["of-t-one", "of-t-two"] * 2
    assert len([asked for asked in server.asked if asked.path == "/token"]) == 2
    work.ground.give_secret(one, "token", "t-new")
    work.ground.a_second_later()
    work.read(one)
    assert bearer_of(server.asked[-1]) == "of-t-new"


class HookShop:
    """Keeps webhooks, as a shop does, by the token of its account."""

    def __init__(self, server: RemoteServer) -> None:
        self.hooks: dict[str, list[dict[str, Any]]] = {}
        self.made = 0
        server.answer = self.answer

    def answer(self, asked: Asked) -> Reply:
        mine = self.hooks.setdefault(bearer_of(asked), [])
        if asked.method == "POST":
            self.made += 1
            mine.append({"id": str(self.made), "enabled": True, **asked.json})
        if asked.method == "DELETE":
            mine[:] = [hook for hook in mine if hook["id"] != asked.path.rpartition("/")[2]]
        return Reply(body={"hooks": mine})

    def urls_of(self, token: str) -> list[str]:
        return [hook["url"] for hook in self.hooks.get(token, [])]

    def secrets_of(self, token: str) -> list[str]:
        """What its hooks sign with: the secret that each was made with."""
        return [hook["secret"] for hook in self.hooks.get(token, [])]


@pytest.fixture
def hook_shop(server: RemoteServer) -> HookShop:
    return HookShop(server)


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def with_hooks(
    request: pytest.FixtureRequest, tmp_path: Path, redis: Redis, redis_server: EmbeddedRedis
) -> Iterator[AtWork]:
    engine = open_engine(request.getfixturevalue(request.param))
    webhook = {**SMALL["webhook"], "manage": HOOK_CALLS}
    yield at_work(engine, tmp_path, redis_server.url, webhook=webhook)
    engine.dispose()


def checked(work: AtWork, states: SqlHookStates) -> list[str]:
    """What a worker's minute does: the sources that it looked at."""
    sources = work.upkeep.hooks_changed()
    for source in sources:
        check = work.upkeep.check_hooks(source)
        states.note_check(source, working=len(check.working), missing=0, brought_back=0)
    return sources


def test_hooks_are_made_for_new_accounts_and_for_new_addresses(
    with_hooks: AtWork, hook_shop: HookShop, server: RemoteServer, redis: Redis
) -> None:
    work, ground = with_hooks, with_hooks.ground
    states = SqlHookStates(ground.ledger.transactions)
    one = ground.add("one", url=server.url, **FAST)
    two = ground.add("two", url=server.url, **FAST)
    base = "https://gw.example.org/webhooks/external/small-shop"
    assert sorted(checked(work, states)) == sorted([one.source, two.source])
    assert hook_shop.urls_of("t-one") == [f"{base}/{one.public_id}"]
    assert hook_shop.urls_of("t-two") == [f"{base}/{two.public_id}"]
    assert checked(work, states) == []
    fresh = ground.store.rotate_address(one.public_id, DAY_SECONDS, ACTOR)
    ground.a_second_later()
    redis.flushall()  # the claim of a minute
    assert checked(work, states) == [one.source]
    assert hook_shop.urls_of("t-one") == [f"{base}/{one.public_id}", f"{base}/{fresh}"]
    assert checked(work, states) == []
    assert len(hook_shop.urls_of("t-two")) == 1
    # Its day is over: what is left there would be answered 404 for ever.
    with ground.engine.begin() as connection:
        over = "UPDATE account_address SET valid_until = 1 WHERE valid_until IS NOT NULL"
        connection.exec_driver_sql(over)
    work.upkeep.check_hooks(one.source)
    assert hook_shop.urls_of("t-one") == [f"{base}/{fresh}"]
    assert ground.store.addresses_over(one.public_id) == []


def test_change_during_a_look_is_not_missed(
    with_hooks: AtWork, hook_shop: HookShop, server: RemoteServer
) -> None:
    """A look takes as long as a shop does; what was given meanwhile it has not seen."""
    work, ground = with_hooks, with_hooks.ground
    states = SqlHookStates(ground.ledger.transactions)
    one = ground.add("one", url=server.url, **FAST)
    states.note_check(one.source, working=1, missing=0, brought_back=0, took_seconds=60.0)
    assert work.upkeep.hooks_changed() == [one.source]
    states.note_check(one.source, working=1, missing=0, brought_back=0)
    assert work.upkeep.hooks_changed() == []


def test_hook_that_we_made_signs_with_the_new_secret(
    with_hooks: AtWork, hook_shop: HookShop, server: RemoteServer, redis: Redis
) -> None:
    """A system signs with the secret that a hook was made with: it needs another hook."""
    work, ground = with_hooks, with_hooks.ground
    states = SqlHookStates(ground.ledger.transactions)
    one = ground.add("one", url=server.url, **FAST)
    assert checked(work, states) == [one.source]
    assert hook_shop.secrets_of("t-one") == ["s-one"]
    ground.give_secret(one, "hook_secret", "s-new", DAY_SECONDS)
    ground.a_second_later()
    redis.flushall()  # the claim of a minute
    assert checked(work, states) == [one.source]
    ground.at += DAY_SECONDS
    (signs_with,) = hook_shop.secrets_of("t-one")
    assert (signs_with, ground.post(one.public_id, signs_with)[0]) == ("s-new", 200)
    hook_states = str(states.of(one.source))
    assert "s-new" not in hook_states
    made = hook_shop.made
    redis.flushall()
    work.upkeep.check_hooks(one.source)
    assert hook_shop.made == made


def test_hook_is_left_alone_when_anything_but_its_secret_changes(
    with_hooks: AtWork, hook_shop: HookShop, server: RemoteServer, redis: Redis
) -> None:
    work, ground = with_hooks, with_hooks.ground
    states = SqlHookStates(ground.ledger.transactions)
    one = ground.add("one", url=server.url, **FAST)
    checked(work, states)
    change = AccountChange(settings={**one.settings, "region": "us"})
    ground.store.change(one.public_id, change, actor=ACTOR)
    ground.a_second_later()
    redis.flushall()  # the claim of a minute
    assert checked(work, states) == [one.source]
    assert hook_shop.made == 1


def test_hook_that_its_owner_made_is_kept(
    with_hooks: AtWork, hook_shop: HookShop, server: RemoteServer
) -> None:
    """It was there before we looked, with the secret that the owner gave us, too."""
    work, ground = with_hooks, with_hooks.ground
    one = ground.add("one", url=server.url, **FAST)
    url = f"https://gw.example.org/webhooks/external/small-shop/{one.public_id}"
    hook = {"id": "own", "enabled": True, "url": url, "topic": "changed", "secret": "s-one"}
    hook_shop.hooks["t-one"] = [hook]
    checked(work, SqlHookStates(ground.ledger.transactions))
    assert hook_shop.hooks["t-one"] == [hook]


def test_hooks_of_accounts_that_are_not_in_use_are_left_alone(
    with_hooks: AtWork, hook_shop: HookShop, server: RemoteServer
) -> None:
    work, ground = with_hooks, with_hooks.ground
    revoked = ground.add("revoked", url=server.url, **FAST)
    paused = ground.add("paused", url=server.url, **FAST)
    ground.store.revoke(revoked.public_id, ACTOR)
    pause = AccountChange(state=type(paused.state).PAUSED)
    ground.store.change(paused.public_id, pause, actor=ACTOR)
    assert work.upkeep.hooks_changed() == []
    assert work.upkeep.hooks_due() == []


def test_hooks_are_looked_at_again_when_the_last_look_is_old(
    with_hooks: AtWork, hook_shop: HookShop, server: RemoteServer
) -> None:
    work, ground = with_hooks, with_hooks.ground
    one = ground.add("one", url=server.url, **FAST)
    assert work.upkeep.hooks_due() == [one.source]
    checked(work, SqlHookStates(ground.ledger.transactions))
    assert work.upkeep.hooks_due() == []
    with ground.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE hook_state SET checked_at = checked_at - 1000")
    assert work.upkeep.hooks_due() == [one.source]


def test_hooks_that_nobody_has_tried_for_longest_come_first(with_hooks: AtWork) -> None:
    """A try that failed counts as one: where many fail, the others have their turn all the same."""
    work, ground = with_hooks, with_hooks.ground
    names = ("failed", "old", "older", "new", "failed-long-ago")
    failed, old, older, new, failed_long_ago = (ground.add(name).source for name in names)
    transactions = ground.ledger.transactions
    states, faults = SqlHookStates(transactions), SqlSiteFaults(transactions)
    for source in (old, older, failed_long_ago):
        states.note_check(source, working=1, missing=0, brought_back=0)
    for source in (failed, failed_long_ago):
        faults.note("hooks", source, "Transient", 60.0)
    with ground.engine.begin() as connection:
        for source, hours in ((old, 2), (older, 3), (failed_long_ago, 5)):
            connection.execute(
                update(hook_state)
                .where(hook_state.c.source == source)
                .values(checked_at=hook_state.c.checked_at - hours * 3600)
            )
        for source, hours in ((failed, 1), (failed_long_ago, 4)):
            connection.execute(
                update(site_fault)
                .where(site_fault.c.source == source)
                .values(
                    failed_at=site_fault.c.failed_at - hours * 3600,
                    next_try_at=site_fault.c.next_try_at - hours * 3600,
                )
            )
    due = [new, failed_long_ago, older, old, failed]
    assert work.upkeep.hooks_due() == due
    assert states.longest_first(sorted(due), "hooks") == due


def test_two_workers_make_one_hook(
    with_hooks: AtWork, hook_shop: HookShop, server: RemoteServer
) -> None:
    """The second one finds it claimed, though it saw none."""
    one = with_hooks.ground.add("one", url=server.url, **FAST)
    assert with_hooks.redis.tokens.claim(f"hooks:{one.source}", 60)
    assert with_hooks.upkeep.check_hooks(one.source).missing == ["changed"]
    assert hook_shop.urls_of("t-one") == []


class Bell:
    """Remembers for which deliveries it was rung."""

    def __init__(self) -> None:
        self.rung: list[int] = []

    def ring(self, inbox_ids: Any) -> None:
        self.rung += inbox_ids


def test_deliveries_of_a_locked_account_go_on_once_its_secrets_open(
    engine: Engine, tmp_path: Path, redis: Redis, redis_server: EmbeddedRedis
) -> None:
    """Of both sides, and of no other site."""
    locked = at_work(engine, tmp_path, redis_server.url, key=new_key())
    ground, bell = locked.ground, Bell()
    one, two = ground.add("one"), ground.add("two")
    with pytest.raises(Held) as held:
        locked.connect(one)
    assert held.value.reason == ACCOUNT_LOCKED
    waiting = [
        NewDelivery(Side.EXTERNAL, one.source, "e-1", a_delivery().change, "r-1", {}),
        a_delivery(source="instance-one"),
    ]
    other = a_delivery(2, source="instance-two")
    rows = ground.ledger.inbox.store_all([*waiting, other])
    ids = [row.inbox_id for row in rows]
    ground.ledger.inbox.hold(ids[:2], ACCOUNT_LOCKED)
    ground.ledger.inbox.hold(ids[2:], "site_paused")
    assert locked.upkeep.release_opened(bell) == 0
    opened = at_work(engine, tmp_path, redis_server.url)
    assert opened.upkeep.release_opened(bell) == 2
    assert sorted(bell.rung) == sorted(ids[:2])
    assert opened.upkeep.release_opened(bell) == 0
    # By a worker that did not know yet that the account was resumed, or is another one.
    for reason in ("account_paused", "account_revoked", "no_account"):
        ground.ledger.inbox.hold(ids[:2], reason)
        assert opened.upkeep.release_opened(bell) == 2
    ground.ledger.inbox.hold(ids[:2], "account_paused")
    paused = AccountChange(state=AccountState.PAUSED)
    ground.store.change(one.public_id, paused, actor="cli:ada")
    assert opened.upkeep.release_opened(bell) == 0
    assert two.public_id != one.public_id
