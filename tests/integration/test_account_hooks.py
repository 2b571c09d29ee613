"""The webhooks of accounts: made, kept and made anew by whoever looks at them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import update

from sync_worker.core.values import AccountChange
from sync_worker.ledger.administration.hook_states import SqlHookStates
from sync_worker.ledger.administration.site_faults import SqlSiteFaults
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.process_tables import hook_state, site_fault
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from tests.integration.account_ground import ACTOR
from tests.integration.accounts_at_work import (
    DAY_SECONDS,
    FAST,
    AtWork,
    at_work,
    bearer_of,
    engine,
    work,
)
from tests.integration.remote_server import Asked, RemoteServer, Reply
from tests.unit.manifest.test_settings import SMALL

__all__ = ["engine", "work"]  # fixtures

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


@pytest.mark.full
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


@pytest.mark.full
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


@pytest.mark.full
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


@pytest.mark.full
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


@pytest.mark.full
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


@pytest.mark.full
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
