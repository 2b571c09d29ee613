"""A value that the ledger's database refuses is no outage: it would be refused again."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from sync_worker.core.errors import Permanent
from tests.factories import a_delivery
from tests.integration.ledger.ground import Ground

REFUSED: dict[str, dict[str, Any]] = {
    "half a surrogate pair": {"remote_id": "a\ud83d"},
    "a number over 64 bits": {"revision": 2**63},
}
REFUSED_BY_POSTGRESQL: dict[str, dict[str, Any]] = {
    "NUL": {"remote_id": "a\x00"},
    "longer than its column": {"remote_id": "a" * 513},
}


class TestValuesRefused:
    @pytest.mark.parametrize("case", REFUSED)
    def test_value_that_no_database_holds_is_permanent(self, ground: Ground, case: str) -> None:
        if not hasattr(ground.ledger, "engine"):
            pytest.skip("memory holds everything")
        with pytest.raises(Permanent) as refused:
            ground.ledger.inbox.store(a_delivery(1, **REFUSED[case]))
        assert refused.value.reason == "unstorable"
        assert ground.ledger.inbox.due(10) == []

    @pytest.mark.parametrize("case", REFUSED_BY_POSTGRESQL)
    def test_value_that_one_database_refuses_is_no_outage(self, ground: Ground, case: str) -> None:
        with suppress(Permanent):
            ground.ledger.inbox.store(a_delivery(1, **REFUSED_BY_POSTGRESQL[case]))

    def test_ledger_goes_on_after_a_refusal(self, ground: Ground) -> None:
        with suppress(Permanent):
            ground.ledger.inbox.store(a_delivery(2, revision=2**63))
        assert not ground.ledger.inbox.store(a_delivery(3)).is_duplicate
