"""Every directed story ends as it must: undisturbed, repeated, and crashed after each single step
(also twice).
"""

from __future__ import annotations

import pytest

from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import SCENARIOS, Scenario, ending_of
from tests.simulation.steps import Choice, in_three_parts
from tests.simulation.world import World

NAMES = sorted(SCENARIOS)


def played(scenario: Scenario, crashes: tuple[int, ...] = ()) -> World:
    world = scenario.world()
    world.crash_steps = set(crashes)
    scenario.play(world)
    return world


@pytest.mark.parametrize("name", NAMES)
def test_story_ends_as_it_must(name: str) -> None:
    world = played(SCENARIOS[name])
    assert ending_of(world) == SCENARIOS[name].ending
    assert broken_invariants(world) == []


@pytest.mark.parametrize("name", NAMES)
def test_replaying_every_delivery_changes_nothing(name: str) -> None:
    world = played(SCENARIOS[name])
    writes = [len(remote.journal) for remote in world.remotes.values()]
    world.replay(list(world.post.sent))
    assert [len(remote.journal) for remote in world.remotes.values()] == writes


@in_three_parts()
@pytest.mark.parametrize("name", NAMES)
def test_crash_after_any_step_ends_the_same(name: str, chosen: Choice) -> None:
    scenario = SCENARIOS[name]
    steps = played(scenario).steps
    assert steps > 4
    for step in chosen(range(1, steps + 1)):
        world = played(scenario, (step,))
        assert world.crashes, f"step {step} of {steps} was never reached"
        assert (step, ending_of(world)) == (step, scenario.ending)
        assert (step, broken_invariants(world)) == (step, [])


@in_three_parts(pytest.mark.full)
@pytest.mark.parametrize("name", NAMES)
def test_second_crash_during_recovery_ends_the_same(name: str, chosen: Choice) -> None:
    scenario = SCENARIOS[name]
    steps = played(scenario).steps
    for step in chosen(range(1, steps + 1, 3)):
        for second in (step + 3, step + 7):
            world = played(scenario, (step, second))
            assert (step, second, ending_of(world)) == (step, second, scenario.ending)
            assert (step, second, broken_invariants(world)) == (step, second, [])
