"""Small cases, exhaustively: every order of a few events on one key, and a second run at every step
of a first.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
from greenlet import greenlet

from sync_worker.core.errors import Duplicate, Gone
from sync_worker.core.values import NewDelivery, Side
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import SCENARIOS, Story, both, changes, deletes, ending_of, rates
from tests.simulation.steps import Choice, in_three_parts
from tests.simulation.world import CALM, Options, World
from tests.twins.memory_ledger import memory_ledger

W, E = Side.WIX, Side.EXTERNAL
QUIET = Options(CALM, people=1, sweeps=False)


def a_world() -> World:
    return World(0, QUIET, memory_ledger)


# -- every order of up to five events, each also twice

STORIES: dict[str, tuple[Story, ...]] = {
    "wix: rate, change, change, delete, rate": (
        rates(W, overall=80),
        changes(W, overall=20),
        changes(W, overall=60),
        deletes(W),
        rates(W, overall=40),
    ),
    "external: rate, change, change, delete, rate": (
        rates(E, value=4),
        changes(E, value=1),
        changes(E, value=3),
        deletes(E),
        rates(E, value=2),
    ),
    "both: rate, rate, change, change, delete": (
        rates(W, overall=80),
        rates(E, value=1),
        changes(W, overall=20),
        changes(E, value=5),
        deletes(W),
    ),
    "both: rate, rate, delete, delete, rate": (
        rates(W, overall=80),
        rates(E, value=1),
        deletes(E),
        deletes(W),
        rates(E, value=3),
    ),
}


def ends_in_step(world: World) -> None:
    assert broken_invariants(world) == []


def told_in(order: Sequence[int], acts: Sequence[Story]) -> World:
    """All acts happen; then their events are processed one by one in this order."""
    world = a_world()
    for act in acts:
        act(world)
    events: list[NewDelivery] = list(world.post.webhooks)
    world.post.webhooks.clear()
    for index in order:
        world.post.webhooks.append(events[index])
        while world.post.webhooks:
            world.post.deliver(0)
            world.drain()
    world.settle()
    return world


@in_three_parts()
@pytest.mark.parametrize("name", sorted(STORIES))
def test_every_order_of_five_events_ends_in_one_allowed_state(name: str, chosen: Choice) -> None:
    """Every order of five events, and the chosen ones with every duplicate."""
    acts = STORIES[name]
    endings = set()
    orders = list(itertools.permutations(range(len(acts))))
    repeated_in = {orders[place] for place in chosen(range(len(orders)))}
    for order in orders:
        world = told_in(order, acts)
        ends_in_step(world)
        endings.add(ending_of(world))
        if order not in repeated_in:
            continue
        for again in order:  # every single event comes once more, at the end
            repeated = told_in((*order, again), acts)
            ends_in_step(repeated)
            assert ending_of(repeated) == ending_of(world), (order, again)
    if not name.startswith("both"):
        assert len(endings) == 1, "one side alone leaves nothing to decide"


# -- a second run at every step of a first

PAIRS: dict[str, tuple[Story, Story]] = {
    "rating, deleted": (rates(W, overall=80), deletes(W)),
    "rating, changed": (rates(W, overall=80), changes(W, overall=20)),
    "external rating, deleted": (rates(E, value=4), deletes(E)),
    "external rating, changed": (rates(E, value=4), changes(E, value=1)),
    "both rate, one deletes": (both(rates(W, overall=43), rates(E, value=2)), deletes(W)),
    "both rate, the other deletes": (both(rates(W, overall=43), rates(E, value=2)), deletes(E)),
    "both rate differently, one deletes": (
        both(rates(W, overall=80), rates(E, value=1)),
        deletes(W),
    ),
    "both rate differently, the other deletes": (
        both(rates(W, overall=80), rates(E, value=1)),
        deletes(E),
    ),
    "both rate, one changes": (both(rates(W, overall=80), rates(E, value=1)), changes(E, value=3)),
    "one rates, the other too": (rates(W, overall=80), rates(E, value=1)),
    "rated and deleted, the other rates": (
        both(rates(W, overall=80), deletes(W)),
        rates(E, value=1),
    ),
}


def interrupted(first: Story, second: Story, step: int) -> World:
    """At this step of the first act's processing, the second happens and is processed by another
    worker.
    """
    world = a_world()
    first(world)
    start = world.steps

    def on_step(place: str) -> None:
        if world.steps - start != step:
            return
        world.on_step = lambda place: None
        try:
            second(world)
        except (StopIteration, Duplicate, Gone):
            return  # there is nothing yet that it could act on
        while world.post.webhooks:
            world.post.deliver(0)
        for inbox_id in list(world.queue):
            world.queue.remove(inbox_id)
            worker = greenlet(lambda number=inbox_id: world.work(number))
            while not worker.dead:
                worker.switch()

    world.on_step = on_step
    world.drain()
    world.settle()
    return world


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_second_act_at_any_step_of_the_first_ends_in_step_without_a_sweep(name: str) -> None:
    first, second = PAIRS[name]
    whole = a_world()
    first(whole)
    whole.drain()
    assert whole.steps > 5
    for step in range(1, whole.steps + 1):
        world = interrupted(first, second, step)
        assert (step, broken_invariants(world)) == (step, [])


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_story_ends_as_it_must_without_a_sweep(name: str) -> None:
    scenario = SCENARIOS[name]
    quiet = replace(scenario, options=replace(scenario.options, sweeps=False))
    world = quiet.world()
    quiet.play(world)
    assert ending_of(world) == scenario.ending
    assert broken_invariants(world) == []
