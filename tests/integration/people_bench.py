"""Both stand-ins, a real gateway and the intake, for tests of what happens to people over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import select

from sync_sandbox.door import serve_door
from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.config import load_settings
from sync_worker.core.values import EntityRef, Site
from sync_worker.ledger.sql_ledger import sql_ledger
from sync_worker.ledger.tables import metadata
from sync_worker.manifest.default_field import default_field
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.wiring import Wiring

VISITOR = {"identityType": "MEMBER", "memberId": "visitor"}


@dataclass
class Bench:
    """Both stand-ins, a gateway on its port, and the intake, which works through its bell when
    asked.
    """

    box: Sandbox
    wiring: Wiring
    rung: list[int] = field(default_factory=list)

    def ring(self, inbox_ids: Any) -> None:
        self.rung += inbox_ids

    def add_site(self) -> Site:
        manifest = self.wiring.manifests["own-service"]
        site, _ = self.wiring.admin.sites.add(
            self.box.wix.instance_id, manifest.id, [default_field(manifest)]
        )
        self.map_products(site)
        return site

    def map_products(self, site: Site) -> None:
        pairs = [
            (EntityRef(name, "stores", "reviews"), EntityRef(name.upper()))
            for name in ("beans", "mug")
        ]
        self.ring(self.wiring.admin.mappings.import_entities(site, pairs).released)

    def settle(self) -> list[str]:
        """Until no webhook is on its way and no delivery is open. Returns the outcomes."""
        outcomes: list[str] = []
        for _ in range(500):
            assert self.box.flush()
            if self.rung:
                outcomes.append(str(self.wiring.intake(self).process(self.rung.pop(0))))
            elif self.wiring.ledger.inbox.count_open():
                time.sleep(0.01)  # the budget starts empty: the first write waits for a moment
            else:
                return outcomes
            self.rung += self.wiring.ledger.inbox.due(50)
        raise AssertionError("it did not come to rest")

    def person(self, email: str) -> str:
        return str(self.box.wix.add_contact(email, email.partition("@")[0].title())["id"])

    def rate(self, contact_id: str, value: int, product: str = "beans") -> None:
        rating = {
            "namespace": "reviews",
            "group": "stores",
            "entityId": product,
            "attributeName": "overall",
        }
        self.box.wix.create_rating(
            {**rating, "value": value, "owner": {"contactId": contact_id}}, VISITOR
        )

    def wix_values(self) -> list[int]:
        return sorted(one["value"] for one in self.box.wix.ratings.values())

    def external_scores(self) -> list[Decimal]:
        living = (
            one for one in self.box.reviews.ratings.values() if one["visibility"] != "removed"
        )
        return sorted(Decimal(one["score"]) for one in living)

    def on_file(self) -> str:
        with self.wiring.ledger.engine.connect() as connection:
            return str(
                [connection.execute(select(table)).all() for table in metadata.sorted_tables]
            )

    def state(self) -> str:
        return self.wiring.admin.sites.all()[0].state


@pytest.fixture
def bench(tmp_path: Path, redis: Redis, redis_server: EmbeddedRedis) -> Iterator[Bench]:
    with Sandbox(SandboxOptions(rate_per_minute=None, retry_scale=0.01)) as box:
        settings = box.settings() | {
            "RATINGS_SYNC_HOME": str(tmp_path),
            "REDIS_URL": redis_server.url,
            "WIX_BUDGET_PER_MINUTE": "60000",
            "WIX_BUDGET_CAPACITY": "1000",
        }
        wiring = Wiring(load_settings(settings), settings)
        bench = Bench(box, wiring)
        ledger = sql_ledger(wiring.ledger.engine)
        served = serve_door(wiring, bench, box, ledger.inbox.store_all)
        box.send_webhooks_to(served.url)
        yield bench
        served.stop()
        wiring.close()
