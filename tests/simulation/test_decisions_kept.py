"""Decisions through crashes and lost answers, and what breaks without each mechanism."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.simulation.ablations import without
from tests.simulation.chaos import run_seed, sql_ledger
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import E, W, changes, deletes, ending_of, rates
from tests.simulation.scenes import SCENES
from tests.simulation.steps import in_three_parts
from tests.simulation.test_decisions import ANNA, BERT, decisions, lines_by, newest_line, stars
from tests.simulation.world import CALM, Options, World
from tests.twins.memory_ledger import memory_ledger

Act = Callable[[World], None]


def in_step() -> World:
    world = World(0, Options(CALM, people=1), memory_ledger)
    rates(W, overall=80)(world)
    world.drain()
    return world


def makes(world: World) -> None:
    decisions(world).make_both(ANNA, 1, stars(W, 20), "why")


def undoes_an_edit(world: World) -> None:
    changes(W, overall=100)(world)
    world.drain()
    decisions(world).undo(ANNA, newest_line(world), "why")


def undoes_a_delete(world: World) -> None:
    deletes(E)(world)
    world.drain()
    decisions(world).undo(ANNA, newest_line(world), "why")


STORIES: dict[str, tuple[Act, tuple[str, str]]] = {
    "make": (makes, ("20", "1")),
    "undo of an edit": (undoes_an_edit, ("80", "4")),
    "undo of a delete": (undoes_a_delete, ("80", "4")),
}


def played(story: str, crash: int) -> World:
    """A worker dies at this step after the decision was stored; 0: none does."""
    world = in_step()
    act, _ = STORIES[story]
    act(world)
    world.crash_steps = {world.steps + crash} if crash else set()
    world.settle()
    return world


def steps_of(story: str) -> int:
    world = in_step()
    STORIES[story][0](world)
    before = world.steps
    world.drain()
    return world.steps - before


@in_three_parts()
@pytest.mark.parametrize("story", sorted(STORIES))
def test_decision_ends_the_same_after_a_crash_at_any_step(
    story: str, chosen: Callable[[range], list[int]]
) -> None:
    """The history names who decided each write, also of one that is found out by a look."""
    for crash in chosen(range(steps_of(story) + 1)):
        world = played(story, crash)
        assert ending_of(world) == STORIES[story][1], crash
        assert broken_invariants(world) == [], crash
        assert {line.side for line in lines_by(world, "anna")} == {W, E}, crash


@pytest.mark.parametrize("story", sorted(STORIES))
def test_doubled_doorbell_of_a_decision_writes_once(story: str) -> None:
    world = in_step()
    STORIES[story][0](world)
    world.queue += world.queue * 3
    world.settle()
    assert ending_of(world) == STORIES[story][1]
    assert broken_invariants(world) == []


def edited_while_half_written(world: World) -> None:
    """Wix is as decided, the worker dies, and then somebody edits the other side."""
    makes(world)
    half_written(world)
    world.workers.clear()
    changes(E, value=5)(world)
    world.post.webhooks.clear()
    world.settle()


def test_undo_ends_where_the_rating_came_and_went_while_it_was_carried_out() -> None:
    """It was of a rating that was gone; somebody rated anew, on both sides, and took that back."""
    world = in_step()
    deletes(E)(world)
    world.drain()
    decisions(world).undo(ANNA, newest_line(world), "why")
    # Nobody hears its doorbell: the run of the new rating has it in hand, too.
    world.queue.clear()
    rates(W, overall=20)(world)
    rates(E, value=5)(world)
    world.post.deliver(0)
    world.post.webhooks.clear()

    def take_back(place: str) -> None:
        if place in ("before wix.update", "before external.update"):
            world.on_step = lambda place: None
            deletes(W)(world)
            deletes(E)(world)

    world.on_step = take_back
    world.drain()
    assert (ending_of(world), world.ledger.held_reasons()) == ((None, None), [])
    world.settle()
    assert broken_invariants(world) == []


def half_written(world: World) -> None:
    """Until Wix is as decided."""
    while not any(entry.by_us for entry in world.wix.journal):
        world.step_in_order()


def test_edit_beside_a_half_written_decision_is_the_newer_one() -> None:
    world = in_step()
    edited_while_half_written(world)
    assert ending_of(world) == ("100", "5")
    assert broken_invariants(world) == []


# -- what breaks without


def a_newer_edit(world: World) -> None:
    makes(world)
    changes(E, value=5)(world)


def test_newer_edit_is_covered_without_what_was_seen() -> None:
    with without("what whoever decided has seen"):
        world = in_step()
        a_newer_edit(world)
        world.settle()
        assert any(broken.startswith("D3") for broken in broken_invariants(world))


def test_half_written_decision_wins_without_the_rule_of_the_newer_edit() -> None:
    with without("newer edit than what was begun"):
        world = in_step()
        edited_while_half_written(world)
        assert ending_of(world) != ("100", "5")


def test_nobody_is_named_without_the_decision_in_hand() -> None:
    """A write that is found out by a look is a person's, too."""
    with without("decision in hand as a write is settled"):
        worlds = [played("make", crash) for crash in range(steps_of("make") + 1)]
        assert any({line.side for line in lines_by(one, "anna")} != {W, E} for one in worlds)


def test_half_written_decision_passes_for_agreed_without_its_sources() -> None:
    """Dropped then, it would leave both sides different for good."""
    with without("first write agrees to nothing"):
        world = in_step()
        makes(world)
        half_written(world)
        for _ in range(12):
            world.step_in_order()
        base = world.ledger.state.link_rows[1].link.bases["overall"]
        assert base.wix == Decimal(20)


def test_stopped_rating_is_written_without_standing_still() -> None:
    def stopped_and_edited() -> World:
        world = in_step()
        decisions(world).stop(ANNA, 1, "why")
        world.drain()
        changes(W, overall=20)(world)
        world.drain()
        return world

    assert ending_of(stopped_and_edited()) == ("20", "4")
    with without("standing still where a person stopped it"):
        assert ending_of(stopped_and_edited()) == ("20", "1")


def decided_after_a_fight() -> World:
    world = in_step()
    for value in (20, 40, 60, 80, 100, 20, 40, 60, 80, 100, 20, 40):
        changes(W, overall=value)(world)
        world.drain()
    decisions(world).make_both(BERT, 1, stars(W, 80), "enough")
    world.drain()
    return world


def test_decision_after_many_writes_is_no_fight() -> None:
    assert ending_of(decided_after_a_fight()) == ("80", "4")
    with without("decision passes the loop breaker"):
        assert ending_of(decided_after_a_fight()) != ("80", "4")


@pytest.mark.full
@pytest.mark.parametrize("scene", [name for name in sorted(SCENES) if name.startswith("decisions")])
def test_no_decision_breaks_an_invariant_on_the_sql_ledger(scene: str) -> None:
    seeds = range(500, 503)
    assert [(seed, broken) for seed in seeds if (broken := run_seed(scene, seed, sql_ledger))] == []
