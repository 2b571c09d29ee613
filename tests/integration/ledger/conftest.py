"""The three ledgers: in memory, on SQLite with a clock that jumps, and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from tests.integration.ledger.ground import Ground, SweepGround
from tests.twins.memory_ledger import memory_ledger
from tests.twins.observed_ledger import ObservedLedger


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    now = [1_000_000.0]

    def jump(seconds: float) -> None:
        now[0] += seconds

    if request.param == "memory":
        yield Ground(memory_ledger(lambda: now[0]), jump).set_up()
        return
    is_sqlite = request.param == "sqlite"
    url = request.getfixturevalue("sqlite_url" if is_sqlite else "postgres_url")
    engine = open_engine(url, clock=lambda: now[0])
    upgrade(engine)
    yield Ground(ObservedLedger(engine), jump if is_sqlite else None).set_up()
    engine.dispose()


@pytest.fixture
def field(ground: Ground) -> SweepGround:
    return SweepGround(ground)


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def ledgers(database_url: str) -> Iterator[list[ObservedLedger]]:
    """Two ledgers over one database, as two processes have them."""
    engines = [open_engine(database_url, pool_size=16) for _ in range(2)]
    upgrade(engines[0])
    yield [ObservedLedger(engine) for engine in engines]
    for engine in engines:
        engine.dispose()
