"""What more than one file of these tests asks for."""

from __future__ import annotations

import pytest

from tests.simulation.both_ledgers import BOTH_LEDGERS
from tests.simulation.chaos import LEDGERS
from tests.simulation.world import LedgerMaker


@pytest.fixture(params=BOTH_LEDGERS)
def make_ledger(request: pytest.FixtureRequest) -> LedgerMaker:
    return LEDGERS[request.param]
