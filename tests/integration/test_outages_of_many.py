"""One site whose calls hang, and a whole host that hangs, over real HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sync_worker.core.errors import Away, Transient
from sync_worker.ledger.database import open_engine
from sync_worker.remotes.http.outage import MAX_SILENT, MAX_SILENT_ACCOUNTS, SLOW_SECONDS
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.wiring.redis_parts import RedisParts
from sync_worker.wiring.remotes import Remotes
from tests.integration.account_ground import AccountGround, small_manifest
from tests.integration.remote_server import Asked, RemoteServer, Reply

pytestmark = [pytest.mark.any_redis, pytest.mark.full]


HANGS_SECONDS = SLOW_SECONDS + 0.1


@pytest.fixture
def remotes(
    sqlite_url: str, tmp_path: Path, server: RemoteServer, redis_server: EmbeddedRedis
) -> Iterator[Remotes]:
    environ = {
        "REDIS_URL": redis_server.url,
        "WIX_API_BASE_URL": server.url,
        "WIX_APP_ID": "app",
        "WIX_APP_SECRET": "app-secret",
        "CLIENT": "app",
    }
    engine = open_engine(sqlite_url)
    ground = AccountGround(engine, small_manifest(tmp_path), environ)
    redis = RedisParts(ground.settings)
    yield Remotes(
        ground.settings, ground.connectors, redis, ground.book, lambda: ground.admin.sites
    )
    engine.dispose()


def answer(asked: Asked) -> Reply:
    """As Wix does; to a site whose name says so it never answers."""
    if asked.path != "/oauth2/token":
        return Reply(body={"site": {"siteId": "s-1"}})
    instance = asked.json["instance_id"]
    if instance.startswith("hangs"):
        time.sleep(HANGS_SECONDS)
        return Reply(hangs_up=True)
    return Reply(body={"access_token": f"t-{instance}", "expires_in": 3600})


def ask_in_vain(remotes: Remotes, instances: Sequence[str]) -> None:
    """One call for each, all at once."""

    def ask(instance: str) -> None:
        with pytest.raises(Transient):
            remotes.wix_api(instance, time.sleep).site_id()

    with ThreadPoolExecutor(len(instances)) as pool:
        list(pool.map(ask, instances))


@pytest.mark.usefixtures("redis")
def test_site_that_hangs_on_wix_stops_no_other_site(remotes: Remotes, server: RemoteServer) -> None:
    server.answer = answer
    ask_in_vain(remotes, ["hangs"] * MAX_SILENT)
    with pytest.raises(Away):
        remotes.wix_api("hangs", time.sleep).site_id()
    assert remotes.wix_api("well", time.sleep).site_id() == "s-1"


@pytest.mark.usefixtures("redis")
def test_wix_that_hangs_for_three_sites_is_left_alone_by_all(
    remotes: Remotes, server: RemoteServer
) -> None:
    server.answer = answer
    ask_in_vain(remotes, [f"hangs-{number}" for number in range(MAX_SILENT_ACCOUNTS)])
    calls = len(server.asked)
    with pytest.raises(Away):
        remotes.wix_api("well", time.sleep).site_id()
    assert len(server.asked) == calls
