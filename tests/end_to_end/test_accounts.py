"""Accounts on running processes: given, changed and revoked while gateway and worker go on."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from pathlib import Path

import pytest
import requests

from sync_worker.core.values import Account
from sync_worker.ledger.database import open_engine
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.runtime.local.free_port import free_port
from sync_worker.runtime.local.processes import Processes
from tests.end_to_end.test_processes import wait_for
from tests.integration.account_ground import ACTOR, KEY, AccountGround, small_manifest
from tests.integration.remote_server import Asked, RemoteServer, Reply, remote_server
from tests.unit.signed import APP_ID, pem

pytestmark = pytest.mark.full

NEWS_SECONDS = 2.0


class Shops:
    """All shops of the platform at one address, known by the token of their account."""

    def __init__(self, server: RemoteServer) -> None:
        self.server = server
        server.answer = lambda asked: Reply(
            body={"id": asked.path.rpartition("/")[2], "stars": 4, "product": "p"}
        )

    def called_with(self, record: str) -> str:
        """With which token a record was read."""
        first: Asked = wait_for(lambda: self.reads_of(record))[0]
        return first.headers["authorization"].removeprefix("Bearer ")

    def reads_of(self, record: str) -> list[Asked]:
        return [asked for asked in self.server.asked if asked.path.endswith(f"/{record}")]


def test_running_processes_take_up_accounts_and_let_go_of_them(
    tmp_path: Path, environ: dict[str, str], redis_server: EmbeddedRedis, postgres_url: str
) -> None:
    """Two processes of the gateway and a worker, none of which is started again."""
    bind, lines = f"127.0.0.1:{free_port()}", list[str]()
    manifest = small_manifest(tmp_path)
    settings = {
        **environ,
        "RATINGS_SYNC_HOME": str(tmp_path / "home"),
        "DATABASE_URL": postgres_url,
        "REDIS_URL": redis_server.url,
        "WIX_APP_ID": APP_ID,
        "WIX_APP_SECRET": "app-secret",
        "WIX_PUBLIC_KEY": pem().replace("\n", "\\n"),
        "CONNECTORS": str(manifest),
        "SECRETS_KEY": KEY,
        "GATEWAY_BIND": bind,
        "GATEWAY_PROCESSES": "2",
    }
    engine = open_engine(postgres_url)
    ground = AccountGround(engine, manifest)

    def post(account: Account, secret: str, record: str) -> int:
        body = json.dumps({"event": "changed", "id": record}).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        url = f"http://{bind}/webhooks/external/small-shop/{account.public_id}"
        return requests.post(url, data=body, headers={"X-Sig": signature}, timeout=5).status_code

    def settled(account: Account, secret: str, status: int) -> None:
        """From two seconds after a change every process answers so."""
        time.sleep(NEWS_SECONDS)
        assert {post(account, secret, "settled") for _ in range(12)} == {status}

    with (
        remote_server() as server,
        Processes(lambda name, line: lines.append(f"{name} {line}"), tmp_path) as processes,
    ):
        processes.start("gateway", ["-m", "webhook_gateway"], settings)
        worker = ["-m", "celery", "-A", "sync_worker.tasks", "worker"]
        processes.start("worker", worker, settings)
        wait_for(lambda: requests.get(f"http://{bind}/readyz", timeout=2).ok, 60)
        shops = Shops(server)
        one, two = (ground.add(name, url=server.url, pace="100000") for name in ("one", "two"))
        assert post(one, "s-one", "a-1") == 200
        assert post(two, "s-two", "b-1") == 200
        assert (shops.called_with("a-1"), shops.called_with("b-1")) == ("t-one", "t-two")
        assert post(one, "s-two", "forged") == 401

        ground.give_secret(one, "hook_secret", "s-new", keep_seconds=3600.0)
        ground.give_secret(one, "token", "t-new")
        settled(one, "s-new", 200)
        assert post(one, "s-one", "a-2") == 200
        assert shops.called_with("a-2") == "t-new"

        ground.store.revoke(one.public_id, ACTOR)
        settled(one, "s-new", 404)
        assert post(one, "s-one", "a-3") == 404
        assert post(two, "s-two", "b-3") == 200
        assert shops.called_with("b-3") == "t-two"
        assert shops.reads_of("a-3") == []
        assert processes.dead() is None
    engine.dispose()
    assert [line for line in lines if "Traceback" in line] == []
