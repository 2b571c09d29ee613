"""What a sweep costs for ratings that wait for a person, while nothing changes on either side."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sync_worker.core.values import Change, NewDelivery, Policy, RatingKey, Side
from tests.simulation.scenarios import E, W, changes, ending_of, rates
from tests.simulation.test_decisions import ANNA, decisions
from tests.simulation.test_held_again import OUTSIDE, puts_it_right, quietly
from tests.simulation.world import CALM, LedgerMaker, Options, World

SWEEPS_BEFORE = 3  # the one that finds the rating held, and those that hear what it wrote


def a_world(make_ledger: LedgerMaker, outside: str, **policy: str) -> World:
    options = Options(CALM, people=1, external=OUTSIDE[outside], policy=Policy.of(policy))
    world = World(0, options, make_ledger)
    rates(W, overall=80)(world)
    world.drain()
    return world


def braked(make_ledger: LedgerMaker, outside: str) -> World:
    world = a_world(make_ledger, outside)
    (wix_id,) = world.wix.records
    quietly(world, lambda one: one.wix.visitor_deletes(wix_id))
    told = NewDelivery(W, "instance-1", "delete-1", Change.DELETE, wix_id, {})
    inbox_id = world.ledger.inbox.store(told).inbox_id
    entity = world.ledger.directory.entity(world.site.id, W, world.entities[0][0])
    run = world.ledger.links.attach(inbox_id, RatingKey(world.site.id, entity.id, "contact-0")).run
    world.ledger.inbox.hold([inbox_id], "delete_brake")
    world.ledger.links.release(run.lease)
    return world


def rounded(make_ledger: LedgerMaker, outside: str) -> World:
    world = a_world(make_ledger, outside)
    world.external.normalise = lambda name, value: max(value, type(value)(2))
    changes(W, overall=20)(world)
    world.drain()
    return world


def stopped(make_ledger: LedgerMaker, outside: str) -> World:
    world = a_world(make_ledger, outside)
    decisions(world).stop(ANNA, 1, "wait")
    world.drain()
    changes(E, value=1)(world)
    world.drain()
    return world


def differs(make_ledger: LedgerMaker, outside: str) -> World:
    """Rated on both sides before anybody looked, and a person is to decide."""
    policy = Policy.of({"first_difference": "hold"})
    options = Options(CALM, people=1, external=OUTSIDE[outside], policy=policy)
    world = World(0, options, make_ledger)
    quietly(world, rates(W, overall=80))
    quietly(world, rates(E, value=1))
    return world


HELD: dict[str, Callable[[LedgerMaker, str], World]] = {
    "delete_brake": braked,
    "normalised_by_remote": rounded,
    "stopped": stopped,
}


def looks(world: World) -> int:
    return sum(world.remotes[side].calls["get"] for side in Side)


def sweeps(world: World, times: int) -> int:
    """How many looks at single records they cost."""
    before = looks(world)
    for _ in range(times):
        world.now += 3600.0
        world.sweep()
        world.drain()
    return looks(world) - before


@pytest.mark.parametrize("outside", sorted(OUTSIDE))
@pytest.mark.parametrize("reason", sorted(HELD))
def test_rating_that_waits_for_a_person_costs_sweeps_no_look(
    reason: str, outside: str, make_ledger: LedgerMaker
) -> None:
    world = HELD[reason](make_ledger, outside)
    assert reason in world.ledger.held_reasons()
    sweeps(world, SWEEPS_BEFORE)
    held = sorted(world.ledger.held_reasons())
    assert sweeps(world, 3) == 0
    assert sorted(world.ledger.held_reasons()) == held


@pytest.mark.parametrize("outside", sorted(OUTSIDE))
def test_change_that_nobody_told_is_looked_at_all_the_same(
    outside: str, make_ledger: LedgerMaker
) -> None:
    """As soon as the listing shows something else than the last look was told of."""
    world = rounded(make_ledger, outside)
    sweeps(world, SWEEPS_BEFORE + 1)
    quietly(world, puts_it_right)
    assert sweeps(world, 1) > 0
    assert ending_of(world) == ("20", "1")
    assert world.ledger.held_reasons() == []


def test_record_that_shows_again_what_it_showed_before_is_looked_at(
    make_ledger: LedgerMaker,
) -> None:
    """Without numbers, and with an event in between: the last look was at something else."""
    world = rounded(make_ledger, "without")
    sweeps(world, SWEEPS_BEFORE + 1)
    changes(E, value=5)(world)
    world.drain()
    quietly(world, changes(E, value=2))
    assert sweeps(world, 1) > 0


@pytest.mark.parametrize("outside", sorted(OUTSIDE))
def test_rating_that_waits_for_long_has_one_line_of_its_history(
    outside: str, make_ledger: LedgerMaker
) -> None:
    """However many sweeps look at it; and one more once it differs in another way."""
    world = differs(make_ledger, outside)
    sweeps(world, 3)
    assert [one.reason for one in world.ledger.history_entries()] == ["first_difference"]
    quietly(world, changes(E, value=2))
    sweeps(world, 2)
    assert [one.after for one in world.ledger.history_entries()] == [1, 2]
