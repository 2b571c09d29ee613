"""A delivery of a site in a state that only a newer version knows: left to its workers."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from sync_worker.core.errors import OfNewerVersion
from sync_worker.core.values import Change, NewAccount
from sync_worker.intake.intake import Intake
from sync_worker.ledger.accounts.changing import insert_account
from sync_worker.ledger.sql_ledger import sql_ledger
from tests.integration.ledger.ground import Ground
from tests.twins.memory_guard import MemoryGuard
from tests.twins.observed_ledger import ObservedLedger
from tests.unit.intake.test_slots import Nobody

SITE = "UPDATE site SET state = 'of_tomorrow'"
ACCOUNT = "UPDATE account SET state = 'of_tomorrow'"


@pytest.fixture
def ground(ledgers: list[ObservedLedger]) -> Ground:
    """Its site has an account."""
    made = Ground(ledgers[0], None).set_up()
    given = NewAccount("a1", made.site_id, "own-service", "shop-1", {}, {})
    with made.ledger.transactions.write() as connection:
        insert_account(connection, given, 1)
        connection.execute(text("UPDATE site SET external_source = 'own-service/a1'"))
    return made


def rows(ground: Ground) -> list[Any]:
    with ground.ledger.transactions.read() as connection:
        asked = ("SELECT * FROM inbox", "SELECT state FROM site", "SELECT state FROM account")
        return [connection.execute(text(one)).all() for one in asked]


@pytest.mark.parametrize("words", [SITE, ACCOUNT], ids=["site", "account"])
@pytest.mark.parametrize(
    ("change", "privacy"),
    [(Change.UPSERT, False), (Change.DELETE, True), (Change.APP_REMOVED, False)],
)
def test_its_delivery_is_left_as_it_is(
    ground: Ground, words: str, change: Change, privacy: bool
) -> None:
    inbox_id = ground.stored(1, change=change, privacy=privacy)
    with ground.ledger.transactions.write() as connection:
        connection.execute(text(words))
    before, nobody = rows(ground), Nobody()
    ledger = sql_ledger(ground.ledger.engine)
    intake = Intake(ledger, MemoryGuard(), nobody, nobody, nobody, str)  # type: ignore[arg-type]
    with pytest.raises(OfNewerVersion):
        intake.process(inbox_id)
    assert rows(ground) == before
