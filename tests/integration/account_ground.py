"""Accounts on file in a real ledger, and a gateway and remotes that take them up."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import Engine

from sync_worker.config import load_settings
from sync_worker.core.values import Account, AccountChange, NewAccount, NewDelivery
from sync_worker.ledger.accounts.sealing import Opener, Sealer, new_key, public_of
from sync_worker.ledger.accounts.store import SqlAccountStore, new_public_id
from sync_worker.ledger.administration.admin import ledger_admin
from sync_worker.ledger.sql_ledger import sql_ledger
from sync_worker.remotes.wix.public_keys import load_public_keys
from sync_worker.telemetry.exposition import exposition
from sync_worker.wiring.accounts.book import AccountBook
from sync_worker.wiring.accounts.own_shops import OwnShops
from sync_worker.wiring.connectors import Connectors
from tests.integration.gateway_door import Rings
from tests.unit.manifest.test_settings import SMALL, written
from tests.unit.signed import APP_ID, pem
from webhook_gateway.app import create_app
from webhook_gateway.settings import GatewayConfig

KEY = new_key()
SEALER = Sealer(public_of(KEY))
ACTOR = "test"


def small_manifest(folder: Path, **changes: Any) -> Path:
    """The small connector, whose records are read one by one and may be on this machine."""
    return written(folder, SMALL | {"allow_private_hosts": True} | changes)


@dataclass
class AccountGround:
    """One gateway process over a ledger with accounts, and a clock that tests turn."""

    engine: Engine
    manifest: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    key: str = KEY
    at: float = 0.0

    def __post_init__(self) -> None:
        self.ledger, self.bell = sql_ledger(self.engine), Rings()
        self.admin = ledger_admin(self.engine)
        self.store = SqlAccountStore(self.ledger.transactions)
        environ = {"CONNECTORS": f"{self.manifest},okendo", "SECRETS_KEY": KEY, **self.environ}
        self.settings = load_settings(environ)
        self.connectors = Connectors(self.settings, environ)
        self.book = self.a_book()
        self.client = self.a_client()

    def a_book(self) -> AccountBook:
        """What another process knows of the same accounts."""
        return AccountBook(
            lambda: self.store,
            self.connectors,
            lambda: Opener([self.key]),
            now=lambda: datetime.now(UTC) + timedelta(seconds=self.at),
            clock=lambda: self.at,
        )

    def a_client(self) -> FlaskClient:
        own_shops = OwnShops(self.connectors, self.ledger.transactions, lambda: self.at)
        config = GatewayConfig(
            wix_keys=load_public_keys(pem()),
            wix_app_id=APP_ID,
            manifests=self.connectors.manifests,
            store=self.ledger.inbox.store_all,
            bell=self.bell,
            is_ledger_up=lambda: True,
            account_at=self.book.manifest_at,
            connectors_of_accounts=list(self.connectors.names),
            is_lost=own_shops.is_lost,
            has_left=own_shops.has_left,
        )
        return create_app(config).test_client()

    def add(
        self, name: str = "one", connector: str = "small-shop", url: str = "", **given: str
    ) -> Account:
        """An account of a new site; its secrets are ``t-NAME`` and ``s-NAME``."""
        site, _ = self.admin.sites.add(f"instance-{name}", "", [], {})
        public_id = new_public_id()
        secrets = {"token": f"t-{name}", "hook_secret": f"s-{name}"}
        sealed = {key: self.sealed(public_id, key, text) for key, text in secrets.items()}
        settings = {"base_url": url or f"https://{name}.example.org", "region": "eu", **given}
        new = NewAccount(public_id, site.id, connector, name, settings, sealed)
        return self.store.add(new, ACTOR)

    def sealed(self, public_id: str, name: str, text: str) -> str:
        return SEALER.sealed(text, account=public_id, name=name)

    def give_secret(self, of: Account, name: str, text: str, keep_seconds: float = 0.0) -> None:
        sealed = {name: self.sealed(of.public_id, name, text)}
        change = AccountChange(sealed=sealed, keep_old_seconds=keep_seconds)
        self.store.change(of.public_id, change, actor=ACTOR)

    def a_second_later(self) -> None:
        self.at += 1.0

    def post(
        self, address: str, secret: str, record: str = "r-1", connector: str = "small-shop"
    ) -> tuple[int, Any]:
        """A signed webhook; status and body of the answer."""
        answer = self.sent(address, secret, record, connector)
        return answer.status_code, answer.get_json()

    def sent(self, address: str, secret: str, record: str, connector: str = "small-shop") -> Any:
        body = json.dumps({"event": "changed", "id": record}).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        path = f"/webhooks/external/{connector}/{address}"
        return self.client.post(path, data=body, headers={"X-Sig": signature})

    def post_to_own_shop(self, secret: str, record: str = "r-1") -> tuple[int, Any]:
        """The same at the address of the shop of the environment."""
        body = json.dumps({"event": "changed", "id": record}).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Sig": signature}
        answer = self.client.post("/webhooks/external/small-shop", data=body, headers=headers)
        return answer.status_code, answer.get_json()

    def stored(self) -> list[NewDelivery]:
        opened = [self.ledger.inbox.open_delivery(inbox_id) for inbox_id in self.bell.rung]
        return [one[0].new for one in opened if one is not None]

    def metrics(self) -> str:
        """All metrics of this process as they are exposed."""
        return exposition().decode()
