"""The oracles excuse what a decision of a support person explains, and nothing beside it.

Each story has a write of ours that no engine makes, beside one that was decided.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from sync_worker.core.values import Draft, Side
from sync_worker.services.deciding.choice import Choice
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import E, W, deletes, rates
from tests.simulation.test_decisions import ANNA, BERT, decisions, stars
from tests.simulation.world import CALM, OVERALL, QUALITY, Options, World
from tests.twins.memory_ledger import memory_ledger


def decided(options: Options) -> World:
    """80 on Wix and 4 outside, in step; then Anna has decided 85, to the digit."""
    world = World(0, options, memory_ledger)
    rates(W, overall=80)(world)
    world.drain()
    decisions(world).make_both(ANNA, 1, stars(W, 85), "as they said")
    world.drain()
    assert broken_invariants(world) == []
    return world


def we_write(world: World, side: Side, remote_id: str, **values: int) -> None:
    remote = world.remotes[side]
    record = remote.records[remote_id]
    numbers = {name: Decimal(value) for name, value in values.items()}
    assert record.entity is not None
    remote.update(remote_id, Draft(numbers, record.entity, record.person), record.revision)


def found(world: World) -> set[str]:
    """Names of the oracles that found something."""
    return {broken.partition(" ")[0] for broken in broken_invariants(world)}


def test_rewrite_of_another_person_in_one_class_is_found() -> None:
    """The very number that was decided for somebody else."""
    world = decided(Options(CALM, people=2))
    world.wix.visitor_rates(world.entities[0][0], world.persons[1], {"overall": Decimal(80)})
    world.drain()
    we_write(world, W, "w2", overall=85)
    world.drain()
    assert "I16" in found(world)


def test_write_beyond_what_was_decided_is_found() -> None:
    """One decision is no leave to write for ever."""
    world = decided(Options(CALM, people=1))
    for value in (20, 85):
        we_write(world, W, "w1", overall=value)
    assert "I3" in found(world)


def test_rating_that_comes_back_after_a_decision_is_found() -> None:
    """It was written before the deletion, and so explains nothing after it."""
    world = decided(Options(CALM, people=1))
    deletes(W)(world)
    world.drain()
    entity, person = world.entities[0][0], replace(world.persons[0], email=None)
    world.wix.create(Draft({"overall": Decimal(85)}, entity, person), "again")
    assert "I9" in found(world)


def test_decided_value_that_is_lost_beside_another_edit_is_found() -> None:
    """Somebody has edited another attribute of the rating since."""
    world = decided(Options(CALM, people=1, fields=(OVERALL, QUALITY)))
    (external_id,) = world.external.records
    world.external.visitor_changes(external_id, {"quality": Decimal(7)})
    world.drain()
    we_write(world, W, "w1", overall=20)
    we_write(world, E, external_id, value=1, quality=7)
    assert "D2" in found(world)


def stopped_half_way(world: World) -> None:
    """Anna decides both attributes; Bert stops the rating as one of them is written."""

    def stops_and_fails(operation: str) -> str | None:
        if operation != "update" or world.wix.records["w1"].values["overall"] != Decimal(20):
            return None
        world.wix.fault = lambda operation: None
        decisions(world).stop(BERT, 1, "wait")
        return "refused_connection"

    world.wix.fault = stops_and_fails
    choice = Choice(W, {"overall": Decimal(20), "quality": Decimal(40)})
    decisions(world).make_both(ANNA, 1, choice, "both were wrong")
    world.drain()
    decisions(world).go_on(BERT, 1, "go on")
    world.settle()


def test_only_what_a_stopped_decision_has_written_is_asked_of_it() -> None:
    """Of two attributes one was written; that one is not to be lost."""
    world = decided(Options(CALM, people=1, fields=(OVERALL, QUALITY)))
    (external_id,) = world.external.records
    world.external.visitor_changes(external_id, {"quality": Decimal(7)})
    world.drain()
    stopped_half_way(world)
    written = [one for one in world.ledger.history_entries() if "both were wrong" in one.reason]
    assert {one.attribute for one in written if one.what == "update"} == {"overall"}
    assert broken_invariants(world) == []
    we_write(world, W, "w1", overall=60)
    we_write(world, E, external_id, value=3, quality=7)
    assert "D2" in found(world)
