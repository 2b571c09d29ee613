"""The gateway with a ledger and a bell of its own, and a client at its door."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from flask.testing import FlaskClient

from sync_worker.core.ports.inbox import Stored
from sync_worker.core.values import NewDelivery
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.sql_ledger import SqlLedger, sql_ledger
from sync_worker.manifest.loader import load_manifest, shipped_manifest
from sync_worker.remotes.wix.public_keys import load_public_keys
from tests.unit.signed import (
    APP_ID,
    OWN_SERVICE,
    a_token,
    pem,
)
from webhook_gateway.app import create_app
from webhook_gateway.group_commit import Store
from webhook_gateway.settings import GatewayConfig

WIX, OWN = "/webhooks/wix", "/webhooks/external/own-service"
LIMIT = 4096


@dataclass
class Rings:
    """A doorbell that remembers."""

    rung: list[int] = field(default_factory=list)

    def ring(self, inbox_ids: Sequence[int]) -> None:
        self.rung += inbox_ids


def into(stored: list[NewDelivery]) -> Store:
    """A ledger that takes everything."""

    def store(new: Sequence[NewDelivery]) -> Sequence[Stored]:
        stored.extend(new)
        return [Stored(1, False) for _ in new]

    return store


@dataclass
class Gateway:
    client: FlaskClient
    ledger: SqlLedger
    bell: Rings

    def wix(self, body: bytes | None = None) -> tuple[int, str]:
        answer = self.client.post(WIX, data=a_token() if body is None else body)
        return answer.status_code, answer.get_json().get("result", "")


def make_gateway(store: Store, bell: Rings, **changes: object) -> FlaskClient:
    config = GatewayConfig(
        wix_keys=load_public_keys(pem()),
        wix_app_id=APP_ID,
        manifests={"own-service": load_manifest(shipped_manifest("own-service"), OWN_SERVICE)},
        store=store,
        bell=bell,
        max_body_bytes=LIMIT,
        **({"is_ledger_up": lambda: True} | changes),  # type: ignore[arg-type]  # as one dict
    )
    return create_app(config).test_client()


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def gateway(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    engine = open_engine(request.getfixturevalue(request.param))
    upgrade(engine)
    ledger, bell = sql_ledger(engine), Rings()
    yield Gateway(make_gateway(ledger.inbox.store_all, bell), ledger, bell)
    engine.dispose()
