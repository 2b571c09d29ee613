"""A delivery that only a newer version can read: left to its workers, as a fleet is upgraded."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text, update

from sync_worker.core.errors import OfNewerVersion
from sync_worker.core.values import Intent, Operation
from sync_worker.core.values.decisions import decision_in
from sync_worker.ledger.tables import inbox
from tests.integration.ledger.ground import ADA, EXTERNAL_SLOT, Ground
from tests.twins.observed_ledger import ObservedLedger

TOMORROW = "of_tomorrow"


@pytest.fixture
def sql_ground(ledgers: list[ObservedLedger]) -> Ground:
    return Ground(ledgers[0], None).set_up()


def become(ground: Ground, inbox_id: int, change: str) -> None:
    with ground.ledger.transactions.write() as connection:
        connection.execute(update(inbox).where(inbox.c.id == inbox_id).values(change=change))


def row(ground: Ground, inbox_id: int) -> tuple[Any, ...]:
    asked = text("SELECT state, reason, attempts, link_id FROM inbox WHERE id = :id")
    with ground.ledger.engine.connect() as connection:
        return tuple(connection.execute(asked, {"id": inbox_id}).one())


def test_older_worker_leaves_it_as_it_is(sql_ground: Ground) -> None:
    newer = sql_ground.stored(1)
    become(sql_ground, newer, TOMORROW)
    before = row(sql_ground, newer)
    with pytest.raises(OfNewerVersion):
        sql_ground.ledger.inbox.open_delivery(newer)
    assert row(sql_ground, newer) == before
    # The newer one reads it.
    become(sql_ground, newer, "upsert")
    assert sql_ground.ledger.inbox.open_delivery(newer) is not None


def test_rest_of_its_rating_waits_for_the_newer_worker(sql_ground: Ground) -> None:
    """A person may have decided there what becomes of all of it."""
    run = sql_ground.leased(1)
    link_id = run.lease.link_id
    sql_ground.ledger.links.release(run.lease)
    newer, other = sql_ground.stored(2), sql_ground.stored(3)
    with sql_ground.ledger.transactions.write() as connection:
        its = update(inbox).where(inbox.c.id == newer)
        connection.execute(its.values(change=TOMORROW, link_id=link_id))
    with pytest.raises(OfNewerVersion):
        sql_ground.ledger.links.attach(other, sql_ground.key)
    # Whether this attempt has taken them or not: they are due again, and none has failed.
    for inbox_id in (newer, other):
        state, reason, attempts, _ = row(sql_ground, inbox_id)
        assert (state in ("new", "taken"), reason, attempts) == (True, "", 0)


KEPT_WORDS = {
    "state of a link": "UPDATE link SET state = :word",
    "state of a record outside": "UPDATE link SET external_state = :word",
    "state of a record on Wix": "UPDATE link_value SET wix_state = :word",
    "who made a record on Wix": "UPDATE link_value SET wix_standing = :word",
    "what an open write does": "UPDATE intent SET operation = :word",
}


@pytest.mark.parametrize("words", KEPT_WORDS.values(), ids=KEPT_WORDS.keys())
def test_rating_with_a_word_of_tomorrow_waits_for_the_newer_worker(
    sql_ground: Ground, words: str
) -> None:
    """No attempt counts; a lease that this one may have taken ends by itself."""
    run = sql_ground.link(ADA, 1)
    targets, sources = {"overall": Decimal(5)}, {"overall": Decimal(100)}
    intent = Intent("intent-1", EXTERNAL_SLOT, Operation.UPDATE, targets, sources)
    sql_ground.ledger.links.open_intent(run.lease, intent)
    sql_ground.ledger.links.release(run.lease)
    with sql_ground.ledger.transactions.write() as connection:
        assert connection.execute(text(words), {"word": TOMORROW}).rowcount
    other = sql_ground.stored(2)
    with pytest.raises(OfNewerVersion):
        sql_ground.ledger.links.attach(other, sql_ground.key)
    state, reason, attempts, _ = row(sql_ground, other)
    assert (state in ("new", "taken"), reason, attempts) == (True, "", 0)


def test_it_counts_as_no_failed_attempt() -> None:
    assert not OfNewerVersion.is_failure


def test_decision_of_a_kind_of_tomorrow_is_left() -> None:
    with pytest.raises(OfNewerVersion):
        decision_in({"asked": TOMORROW})
