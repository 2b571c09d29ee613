"""The clock of the ledger's database is set back by a day, and ahead by a year, again and again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync_worker.core.values import Side
from tests.simulation.ablations import without
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import ending_of, rates
from tests.simulation.scenes import SCENES
from tests.simulation.world import CALM, STORM, Faults, LedgerMaker, Options, World
from tests.twins.memory_ledger import memory_ledger

pytestmark = pytest.mark.full
SET_BACK = replace(STORM, clock_set_back=0.05)
SET_AHEAD = replace(STORM, clock_set_back=0.01, clock_set_ahead=0.05)


def put_off_and_set_back(make_ledger: LedgerMaker) -> World:
    """A rating waits for its budget when the clock is set back."""
    world = World(0, Options(CALM, people=1), make_ledger)
    rates(Side.WIX, overall=80)(world)
    world.chance.faults = replace(CALM, limited=1.0)
    while world.step_in_order():
        pass
    world.set_clock_back()
    return world


def test_what_was_put_off_crosses_after_the_clock_was_set_back(make_ledger: LedgerMaker) -> None:
    world = put_off_and_set_back(make_ledger)
    world.settle()
    assert ending_of(world) == ("80", "4")
    assert broken_invariants(world) == []


def test_what_was_put_off_waits_for_a_day_without_the_steady_clock() -> None:
    with without("clock that never goes back"):
        world = put_off_and_set_back(memory_ledger)
        with pytest.raises(AssertionError, match="did not come to rest"):
            world.settle()


@pytest.mark.parametrize("faults", [SET_BACK, SET_AHEAD], ids=["back", "ahead"])
@pytest.mark.parametrize("scene", ["storm", "storm, sweeps all the time", "woocommerce"])
def test_storm_ends_in_step_while_the_clock_is_set(
    make_ledger: LedgerMaker, scene: str, faults: Faults
) -> None:
    options = replace(SCENES[scene], faults=faults)
    for seed in range(6):
        world = World(seed, options, make_ledger)
        world.run()
        assert broken_invariants(world) == [], seed
        assert world.set_back_by > 0 or world.is_ahead_until > 0 or seed


def fail_while_ahead(make_ledger: LedgerMaker) -> World:
    """The other side is down, before and while a sweep sees the clock of next year."""
    world = World(0, Options(CALM, people=1), make_ledger)
    rates(Side.WIX, overall=80)(world)
    world.chance.faults = replace(CALM, refused_connection=1.0)
    for _ in range(2):
        while world.step_in_order():
            pass
        world.set_clock_ahead(30.0)
        world.start_sweep()
        world.now += 20.0
        world.queue += world.ledger.inbox.due(20)
    while world.step_in_order():
        pass
    world.now += 20.0
    world.notice_clock()
    return world


def test_what_failed_while_the_clock_was_ahead_crosses(make_ledger: LedgerMaker) -> None:
    world = fail_while_ahead(make_ledger)
    world.settle()
    assert ending_of(world) == ("80", "4")
    assert broken_invariants(world) == []


def test_what_failed_meanwhile_is_given_up_without_the_bound() -> None:
    with without("bound of a jump ahead"):
        world = fail_while_ahead(memory_ledger)
    assert world.ledger.closed_with("attempts_exhausted")
