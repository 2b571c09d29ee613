"""The remotes of accounts: each with its own credentials, connections, budget, tokens and hooks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import Engine

from sync_worker.core.errors import Away, Held, RateLimited
from sync_worker.core.hold_reasons import ACCOUNT_LOCKED, ACCOUNT_REVOKED
from sync_worker.core.values import AccountChange, AccountState, NewDelivery, Side
from sync_worker.ledger.accounts.sealing import new_key
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from tests.factories import a_delivery
from tests.integration.account_ground import ACTOR
from tests.integration.accounts_at_work import (
    FAST,
    AtWork,
    a_review,
    at_work,
    bearer_of,
    engine,
    read,
    work,
)
from tests.integration.remote_server import Asked, RemoteServer, Reply

__all__ = ["engine", "work"]  # fixtures


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
