"""What more than one file of these tests asks for."""

from __future__ import annotations

import pytest

from tests.simulation.chaos import sql_ledger
from tests.simulation.world import LedgerMaker
from tests.twins.memory_ledger import memory_ledger


@pytest.fixture(params=[memory_ledger, sql_ledger], ids=["memory", "sql"])
def make_ledger(request: pytest.FixtureRequest) -> LedgerMaker:
    made: LedgerMaker = request.param
    return made
