"""A side of a site as the engine meets it: in memory, or over HTTP with a stand-in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from sync_sandbox.faults import Faults
from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.config import load_settings
from sync_worker.core.errors import (
    RateLimited,
)
from sync_worker.core.ports.people import People
from sync_worker.core.ports.remote import Remote
from sync_worker.core.values import Draft, EntityRef, Person, Policy, Record, Side, Site
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.wiring import Wiring
from tests.twins.memory_remote import MemoryRemote
from tests.twins.memory_system import OWN_SERVICE_CAPABILITIES, WIX_CAPABILITIES

BEANS = {Side.WIX: EntityRef("beans", "stores", "reviews"), Side.EXTERNAL: EntityRef("SKU-1")}
NAME = {Side.WIX: "overall", Side.EXTERNAL: "value"}
VALUES = {Side.WIX: (Decimal(80), Decimal(20)), Side.EXTERNAL: (Decimal(4), Decimal("1.5"))}


@dataclass
class Ground:
    remote: Remote
    person: Person
    faults: Faults | None = None
    people: People | None = None
    box: Sandbox | None = None

    def draft(self, number: int = 0, **changes: Any) -> Draft:
        side = self.remote.side
        draft = Draft(
            {NAME[side]: VALUES[side][number]},
            BEANS[side],
            self.person,
            mapped=frozenset({NAME[side]}),
        )
        return replace(draft, **changes)

    def value(self, record: Record | None) -> Decimal | None:
        return None if record is None else record.values[NAME[self.remote.side]]


@pytest.fixture
def real(
    tmp_path: Path, redis: Redis, redis_server: EmbeddedRedis
) -> Iterator[tuple[Sandbox, Wiring, Person]]:
    with Sandbox(SandboxOptions(rate_per_minute=None)) as box:
        settings = box.settings() | {
            "RATINGS_SYNC_HOME": str(tmp_path),
            "REDIS_URL": redis_server.url,
            "WIX_BUDGET_PER_MINUTE": "60000",
        }
        wiring = Wiring(load_settings(settings), settings)
        contact_id = str(box.wix.add_contact("ada@example.com", "Ada")["id"])
        yield box, wiring, Person(contact_id=contact_id, email="ada@example.com", name="Ada")


@pytest.fixture(params=["memory wix", "memory external", "real wix", "real external"])
def ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    if request.param.startswith("memory"):
        side = Side(request.param.split()[1])
        capabilities = WIX_CAPABILITIES if side is Side.WIX else OWN_SERVICE_CAPABILITIES
        yield Ground(
            MemoryRemote(side, capabilities),
            Person(contact_id="c-1", email="ada@example.com", name="Ada"),
        )
        return
    yield _real_ground(request.getfixturevalue("real"), Side(request.param.split()[1]))


def _real_ground(real: tuple[Sandbox, Wiring, Person], side: Side) -> Ground:
    box, wiring, person = real
    own = "own-service"
    site = Site(1, box.wix.instance_id, own, Policy(), (), external_source=own)
    connection = wiring.remotes.connect(site)
    with pytest.raises(RateLimited):
        connection.remotes[
            side
        ].reserve_request()  # the bucket starts empty, as after a wiped Redis
    time.sleep(0.2)
    faults = box.wix.faults if side is Side.WIX else box.reviews.faults
    return Ground(connection.remotes[side], person, faults, connection.people, box)


@pytest.fixture
def wix(real: tuple[Sandbox, Wiring, Person]) -> Ground:
    return _real_ground(real, Side.WIX)


@pytest.fixture
def outside(real: tuple[Sandbox, Wiring, Person]) -> Ground:
    return _real_ground(real, Side.EXTERNAL)


def list_all(remote: Remote) -> list[str]:
    page = remote.list_page()
    listed = [record.remote_id for record in page.records]
    while page.cursor is not None:
        page = remote.list_page(page.cursor)
        listed += [record.remote_id for record in page.records]
    return listed
