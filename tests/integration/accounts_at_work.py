"""A worker's remotes of accounts, over one Redis."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import Engine

from sync_worker.core.errors import RateLimited
from sync_worker.core.ports.remote import Connection, Remote
from sync_worker.core.values import Account, Side, Site
from sync_worker.ledger.accounts.upkeep import SqlAccountUpkeep
from sync_worker.ledger.database import open_engine
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.wiring.accounts.upkeep import AccountUpkeep
from sync_worker.wiring.redis_parts import RedisParts
from sync_worker.wiring.remotes import Remotes
from tests.integration.account_ground import AccountGround, small_manifest
from tests.integration.remote_server import Asked, RemoteServer, Reply

DAY_SECONDS = 86_400.0
FAST = {"pace": "100000"}


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
        self.remotes = Remotes(
            ground.settings,
            ground.connectors,
            self.redis,
            ground.book,
            lambda: ground.admin.sites,
        )
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
