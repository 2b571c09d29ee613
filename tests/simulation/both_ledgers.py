"""The simulator on the twin in memory and on the SQL ledger, which `make test-all` adds.

That both do the same is shown by tests/integration/ledger, and here by some seeds of each kind.
"""

from __future__ import annotations

import pytest

from tests.simulation.chaos import LEDGERS

# By their names, and as what makes them.
BOTH_LEDGERS = ["memory", pytest.param("sql", marks=pytest.mark.full)]
MAKERS = [
    pytest.param(LEDGERS["memory"], id="memory"),
    pytest.param(LEDGERS["sql"], id="sql", marks=pytest.mark.full),
]
