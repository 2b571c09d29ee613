"""A worker and a stand-in of WooCommerce that keeps webhooks of others, too, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import text

from sync_sandbox.control.platform import platform_app
from sync_sandbox.platforms.woocommerce import WooCommerce
from sync_sandbox.served import Served
from sync_worker.config import load_settings
from sync_worker.core.values import Account, Change, NewAccount
from sync_worker.ledger.accounts.store import SqlAccountStore, new_public_id
from sync_worker.manifest.loader import shipped_manifest
from sync_worker.runtime.celery.site_faults import FAREWELL
from sync_worker.services.accounts.accounts import Accounts
from sync_worker.services.leaving import Farewells
from sync_worker.wiring.connectors import Connectors
from sync_worker.wiring.sweeps import NoBell
from sync_worker.wiring.worker import WorkerWiring
from tests.documents import document_of
from tests.factories import a_delivery
from tests.integration.account_ground import KEY, SEALER

TOPIC = "action.woocommerce_rating_sync_created"


@dataclass
class Shop:
    """A worker, and a site with an account of the shop that the stand-in plays."""

    worker: WorkerWiring
    store: WooCommerce
    url: str
    environ: Mapping[str, str]
    told: int = 0

    @property
    def accounts(self) -> SqlAccountStore:
        return SqlAccountStore(self.worker.ledger.transactions)

    @property
    def people(self) -> Accounts:
        """What people do, in a process beside the worker."""
        connectors = Connectors(load_settings(self.environ), self.environ)
        return Accounts(self.accounts, self.worker.admin, connectors.code_of, lambda: SEALER)

    def give(self, number: int = 1, **changed: str) -> Account:
        site, _ = self.worker.admin.sites.add(f"instance-{number}", "", [])
        return self._given(site.id, f"shop-{number}", changed)

    def give_again(self, ended: Account) -> Account:
        return self._given(ended.site_id, str(ended.identity), {})

    def _given(self, site_id: int, identity: str, changed: Mapping[str, str]) -> Account:
        public_id, secrets = new_public_id(), {"consumer_key": self.store.key}
        secrets |= {"consumer_secret": self.store.key_secret}
        secrets |= {"webhook_secret": self.store.webhook_secret, **changed}
        sealed = {
            name: SEALER.sealed(secret, account=public_id, name=name)
            for name, secret in secrets.items()
        }
        settings = {"base_url": self.url}
        new = NewAccount(public_id, site_id, "shop", identity, settings, sealed)
        return self.accounts.add(new, "ada")

    def hook(self, address: str) -> None:
        self.store.add_hook(TOPIC, f"https://gw.example/webhooks/external/{address}", "s3cret")

    @property
    def hooks(self) -> list[str]:
        """The last parts of the addresses that the shop calls."""
        return [hook.url.rpartition("/")[2] for hook in self.store.hooks.values()]

    def hears(self, change: Change, instance_id: str, **payload: str) -> str:
        """Wix tells of the app; how the worker ends it."""
        self.told += 1
        told = replace(a_delivery(self.told, change=change), source=instance_id, payload=payload)
        stored = self.worker.ledger.inbox.store(told)
        return str(self.worker.intake.process(stored.inbox_id))

    def removes_the_app(self, of: Account) -> None:
        instance_id = self.worker.admin.sites.find(str(of.site_id)).instance_id
        assert self.hears(Change.APP_REMOVED, instance_id) == "done site_removed"

    def says_farewell(self, **changed: Any) -> list[int]:
        farewells = self.worker.farewells
        if changed:
            farewells = Farewells(farewells.accounts, farewells.hooks_of, **changed)
        return [farewells.say(leaver) for leaver in farewells.due(FAREWELL).values()]

    def secrets(self) -> int:
        with self.worker.ledger.engine.connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM account_secret")).scalar_one())


@contextmanager
def a_shop(ledger_url: str, folder: Path, redis_url: str, **environ: str) -> Iterator[Shop]:
    document = document_of(shipped_manifest("woocommerce").read_text())
    document |= {"id": "shop", "allow_private_hosts": True}
    document["http"]["budget"]["requests"] = 1000
    (folder / "shop.yaml").write_text(yaml.safe_dump(document))
    environ = {
        "RATINGS_SYNC_HOME": str(folder),
        "DATABASE_URL": ledger_url,
        "REDIS_URL": redis_url,
        "CONNECTORS": str(folder / "shop.yaml"),
        "SECRETS_KEY": KEY,
        **environ,
    }
    with a_woocommerce() as (store, url):
        yield Shop(WorkerWiring(load_settings(environ), environ, NoBell()), store, url, environ)


@contextmanager
def a_woocommerce() -> Iterator[tuple[WooCommerce, str]]:
    """A stand-in, and where it is."""
    store = WooCommerce()
    served = Served(platform_app(store), 0)
    yield store, served.url
    store.webhooks.stop()
    served.stop()
