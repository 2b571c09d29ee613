"""Answers that say more than happened: a success that was none, a 404 of a record that is there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.values import Side
from tests.simulation.ablations import without
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import changes, deletes, ending_of, rates
from tests.simulation.world import CALM, Options, World
from tests.twins.memory_ledger import memory_ledger

W, E = Side.WIX, Side.EXTERNAL
NUMBERED = Capabilities(many_fields=True)
UNNUMBERED = Capabilities(
    has_revision=False, update_precondition=False, trusts_payload=False, is_unique=False
)
BOTH = pytest.mark.parametrize("external", [NUMBERED, UNNUMBERED], ids=["numbered", "unnumbered"])


def in_step(external: Capabilities) -> World:
    """80 on both sides."""
    world = World(0, Options(CALM, people=1, external=external), memory_ledger)
    rates(W, overall=80)(world)
    world.drain()
    return world


def fails(times: int, operation: str, fault: str) -> Callable[[str], str | None]:
    """So many calls of an operation meet a fault."""
    left = [fault] * times

    def strike(called: str) -> str | None:
        return left.pop() if called == operation and left else None

    return strike


def release_all(world: World) -> None:
    held = [i for i, row in world.ledger.rows.items() if str(row.delivery.state) == "held"]
    world.queue += world.ledger.inbox.release_held(world.site.id, inbox_ids=held)
    world.drain()


def is_held(world: World) -> bool:
    return world.is_held(world.entities[0][0], world.persons[0])


# -- updates


@BOTH
def test_update_that_was_not_applied_is_tried_again_on_release(external: Capabilities) -> None:
    """Held, not in step: the change is still to be carried over, however often it was refused."""
    world = in_step(external)
    world.external.fault = fails(2, "update", "not_done")
    changes(W, overall=20)(world)
    world.drain()
    assert (ending_of(world), is_held(world)) == (("20", "4"), True)
    release_all(world)
    assert (ending_of(world), is_held(world)) == (("20", "4"), True), "a release is no agreement"
    release_all(world)
    assert (ending_of(world), is_held(world)) == (("20", "1"), False)
    world.settle()
    assert broken_invariants(world) == []


@BOTH
@pytest.mark.parametrize("side", list(Side))
def test_sweep_carries_over_what_was_not_applied(side: Side, external: Capabilities) -> None:
    world = in_step(external)
    world.remotes[side].fault = fails(1, "update", "not_done")
    if side is E:
        changes(W, overall=20)(world)
    else:
        changes(E, value=1)(world)
    world.drain()
    assert ending_of(world) == (("20", "4") if side is E else ("80", "1"))
    assert is_held(world)
    world.sweep()
    world.drain()
    assert ending_of(world) == ("20", "1")


@BOTH
def test_edit_after_an_update_that_was_not_applied_counts(external: Capabilities) -> None:
    """Nobody's edit vanishes: the later one wins, the earlier one is in the history."""
    world = in_step(external)
    world.external.fault = fails(1, "update", "not_done")
    changes(W, overall=20)(world)
    world.drain()
    changes(E, value=3)(world)
    world.drain()
    assert ending_of(world) == ("60", "3")
    assert 20 in [entry.loser for entry in world.ledger.history_entries()]


def test_update_that_was_not_applied_is_in_step_where_it_is_the_base() -> None:
    with without("check of what was returned"):
        world = in_step(NUMBERED)
        world.external.fault = fails(1, "update", "not_done")
        changes(W, overall=20)(world)
        world.drain()
        release_all(world)
        assert (ending_of(world), is_held(world)) == (("20", "4"), False)


def lost_pictures() -> World:
    """An update of ours has taken the pictures of a review, which it did not touch."""
    world = in_step(NUMBERED)
    world.wix.fault = fails(1, "update", "replaces")
    changes(E, value=2)(world)
    world.settle()
    return world


def test_update_that_takes_what_it_did_not_touch_stands_still() -> None:
    """What was taken is no edit of anybody: nothing goes on before a person has put it back."""
    world = lost_pictures()
    assert (ending_of(world), is_held(world)) == (("40", "2"), True)
    changes(E, value=3)(world)
    world.settle()
    assert (ending_of(world), is_held(world)) == (("40", "3"), True)
    release_all(world)
    assert (ending_of(world), is_held(world)) == (("60", "3"), False)


@pytest.mark.parametrize(
    "mechanism", ["standing still after a loss", "loss that only a person ends"]
)
def test_loss_is_forgotten_without_the_hold(mechanism: str) -> None:
    with without(mechanism):
        assert not is_held(lost_pictures())


# -- deletes


@BOTH
def test_delete_that_was_not_carried_out_is_sent_again(external: Capabilities) -> None:
    world = in_step(external)
    world.external.fault = fails(2, "delete", "not_done")
    deletes(W)(world)
    world.settle()
    assert ending_of(world) == (None, None)
    assert broken_invariants(world) == []


@BOTH
def test_delete_that_was_not_carried_out_differs_without_the_look(external: Capabilities) -> None:
    """Silently, or the rating comes back where its person has deleted it."""
    with without("look after a delete"):
        world = in_step(external)
        world.external.fault = fails(1, "delete", "not_done")
        deletes(W)(world)
        world.drain()
        assert ending_of(world) == (None, "4")


@BOTH
def test_record_that_lives_on_where_it_was_deleted_is_held_by_the_sweep(
    external: Capabilities,
) -> None:
    """The answer had the declared form, and was a lie: seen by the sweep, and not brought back."""
    with without("look after a delete"):
        world = in_step(external)
        world.external.fault = fails(1, "delete", "not_done")
        deletes(W)(world)
        world.drain()
    world.settle()
    assert ending_of(world) == (None, "4")
    assert is_held(world)
    # A person deletes it by hand.
    deletes(E)(world)
    world.drain()
    release_all(world)
    assert (ending_of(world), is_held(world)) == ((None, None), False)


@BOTH
def test_record_that_lives_on_and_is_changed_there_counts_as_restored(
    external: Capabilities,
) -> None:
    with without("look after a delete"):
        world = in_step(external)
        world.external.fault = fails(1, "delete", "not_done")
        deletes(W)(world)
        world.drain()
    world.settle()
    changes(E, value=3)(world)
    world.settle()
    assert ending_of(world) == ("60", "3")


# -- looks


@BOTH
def test_living_record_whose_look_is_a_404_is_not_deleted(external: Capabilities) -> None:
    """Five edits outside while every look is answered 404: all cross when it is over."""
    world = in_step(external)
    world.external.fault = lambda operation: "false_gone" if operation == "get" else None
    for stars in (1, 2, 3):
        changes(E, value=stars)(world)
        for _ in range(40):
            if not world.step_in_order():
                world.now += 30.0
                world.queue += world.ledger.inbox.due(10)
    assert ending_of(world)[0] is not None
    world.external.fault = lambda operation: None
    world.settle()
    assert ending_of(world) == ("60", "3")
    assert [entry for entry in world.wix.journal if entry.operation == "delete"] == []


def test_living_record_is_deleted_where_a_404_alone_says_gone() -> None:
    with without("gone in the system's words"):
        world = in_step(UNNUMBERED)
        world.external.fault = fails(1, "get", "false_gone")
        changes(E, value=1)(world)
        world.drain()
        assert [entry for entry in world.wix.journal if entry.operation == "delete"]
