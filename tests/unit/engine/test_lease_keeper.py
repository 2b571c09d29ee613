"""A look begins only under a lease that outlives it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from sync_worker.core.errors import LeaseLost, Transient
from sync_worker.core.ports.links import Commit
from sync_worker.engine.lease_keeper import RUN_SECONDS, YOUNG_SECONDS, LeaseKeeper
from sync_worker.remotes.http.budget import NEXT_CALL_SECONDS
from sync_worker.remotes.http.options import HttpOptions
from tests.integration.ledger.ground import Ground
from tests.twins.memory_ledger import MemoryLedger, memory_ledger


@dataclass
class Elapsed:
    """Implements Clock, and serves the ledger as its clock, too."""

    seconds: float = 1_000.0

    def monotonic(self) -> float:
        return self.seconds

    def cpu_seconds(self) -> float:
        return 0.0


@dataclass
class Hands:
    """A link under a lease that was taken at the beginning."""

    clock: Elapsed
    ledger: MemoryLedger
    keeper: LeaseKeeper

    @property
    def seconds_left(self) -> float:
        row = self.ledger.state.link_rows[self.keeper.lease.link_id]
        return row.lease_until - self.clock.seconds


@pytest.fixture
def hands() -> Hands:
    clock = Elapsed()
    ledger = memory_ledger(clock.monotonic)
    lease = Ground(ledger, None).set_up().leased().lease
    keeper = LeaseKeeper(ledger.links, lease, clock, asked_at=clock.seconds)
    return Hands(clock, ledger, keeper)


def test_look_under_a_young_lease_asks_the_ledger_nothing(hands: Hands) -> None:
    hands.clock.seconds += YOUNG_SECONDS
    hands.keeper.begin_look()
    assert hands.seconds_left == 15.0 - YOUNG_SECONDS


def test_young_lease_outlives_the_longest_look(hands: Hands) -> None:
    """The wait for a token and the call at its deadline, and then its result goes on file."""
    hands.clock.seconds += YOUNG_SECONDS
    hands.keeper.begin_look()
    hands.clock.seconds += NEXT_CALL_SECONDS + HttpOptions().deadline_seconds
    hands.keeper.commit(Commit(release=True))


def test_look_under_an_older_lease_renews_it(hands: Hands) -> None:
    hands.clock.seconds += YOUNG_SECONDS + 0.01
    hands.keeper.begin_look()
    assert hands.seconds_left == 15.0


def test_lease_is_young_again_once_it_was_renewed(hands: Hands) -> None:
    hands.clock.seconds += 10.0
    hands.keeper.begin_look()
    hands.clock.seconds += 0.5
    hands.keeper.begin_look()
    assert hands.seconds_left == 14.5
    hands.clock.seconds += YOUNG_SECONDS
    hands.keeper.begin_look()
    assert hands.seconds_left == 15.0


def test_lease_of_unknown_age_is_renewed(hands: Hands) -> None:
    """Whoever was given a lease, and does not say when it was asked for."""
    keeper = LeaseKeeper(hands.ledger.links, hands.keeper.lease, hands.clock)
    hands.clock.seconds += 0.5
    keeper.begin_look()
    assert hands.seconds_left == 15.0


def test_no_look_begins_once_the_lease_is_lost(hands: Hands) -> None:
    hands.clock.seconds += 16.0
    assert hands.ledger.links.lease(hands.keeper.lease.link_id) is not None
    with pytest.raises(LeaseLost):
        hands.keeper.begin_look()


def test_run_that_takes_too_long_ends_also_under_a_young_lease(hands: Hands) -> None:
    for _ in range(5):
        hands.clock.seconds += RUN_SECONDS / 5 - 0.1
        hands.keeper.begin_look()
    hands.clock.seconds += YOUNG_SECONDS
    with pytest.raises(Transient):
        hands.keeper.begin_look()
