"""A recovered account lets go in batches, however many deliveries wait for it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from sync_worker.core.values import Side, SiteSide
from sync_worker.ledger.accounts import site_sides as module
from sync_worker.ledger.accounts.tables import site_side
from tests.integration.ledger.ground import Ground
from tests.twins.observed_ledger import ObservedLedger


@pytest.fixture
def ground(ledgers: list[ObservedLedger], monkeypatch: pytest.MonkeyPatch) -> Ground:
    monkeypatch.setattr(module, "RELEASE_AT_ONCE", 2)
    monkeypatch.setattr(module, "RING_AT_ONCE", 3)
    return Ground(ledgers[0], None).set_up()


def a_minute_later(ground: Ground) -> None:
    """Whatever is probed again in a minute is due now."""
    soon = site_side.c.next_probe_at < module.NEVER
    with ground.ledger.transactions.write() as connection:
        connection.execute(update(site_side).where(soon).values(next_probe_at=0.0))


def dying_after(batches: int) -> Any:
    """The release of a batch, in a process that dies after so many of them."""
    release, done = module.SqlSiteSides._release_some, list[int]()

    def dies(self: module.SqlSiteSides, refused: SiteSide, waits: Any, last: int) -> list[int]:
        if len(done) == batches:
            raise KeyboardInterrupt
        done.append(last)
        return release(self, refused, waits, last)

    return dies


def test_recovery_releases_in_batches_and_returns_what_to_ring_for(ground: Ground) -> None:
    accounts, refused = ground.ledger.site_sides, SiteSide(ground.site_id, Side.EXTERNAL)
    waiting = [ground.stored(number) for number in range(5)]
    accounts.fail(refused, waiting, "401")
    assert accounts.recover(refused) == waiting[:3]
    assert ground.ledger.held_reasons() == []
    a_minute_later(ground)
    assert not accounts.are_due()


def test_recovery_that_died_goes_on_with_the_next_probe(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts, refused = ground.ledger.site_sides, SiteSide(ground.site_id, Side.EXTERNAL)
    waiting = [ground.stored(number) for number in range(3)]
    accounts.fail(refused, waiting, "401")
    with monkeypatch.context() as patched:
        patched.setattr(module.SqlSiteSides, "_release_some", dying_after(1))
        with pytest.raises(KeyboardInterrupt):
            accounts.recover(refused)
    assert len(ground.ledger.held_reasons()) == 1
    assert not accounts.wait(refused, []), "it works already"
    a_minute_later(ground)
    assert [side for _, side in accounts.to_probe()] == [Side.EXTERNAL]
    assert accounts.recover(refused) == waiting[2:]
    assert ground.ledger.held_reasons() == []
