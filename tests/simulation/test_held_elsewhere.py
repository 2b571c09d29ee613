"""A copy of ours that a shop gave to a stranger, before any look, and the stranger rates on Wix.

Nobody can tell the stranger from the account of our token, which some systems show in all that we
make: the copy stays with its rating, and the stranger's own rating is held. Each way that the world
can go on ends that, and so does what a person decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from sync_worker.core.hold_reasons import HOLD_REASONS
from tests.simulation.moved import on_wix
from tests.simulation.oracles import broken_invariants
from tests.simulation.test_held_again import quietly, released
from tests.simulation.world import CALM, LedgerMaker, Options, World

FIRST, STRANGER, BESIDE = "product-0 contact-0", "product-0 contact-1", "product-1 contact-0"
HELD = "id_linked_elsewhere"
Act = Callable[[World], object]
WAYS: dict[str, Act] = {"event": World.drain, "poll": World.poll, "sweep": World.sweep}


@pytest.fixture
def world(make_ledger: LedgerMaker) -> World:
    """The first person has 80 for two products; the stranger, by now a contact, has 40 for one."""
    external = replace(Options().external, is_unique=True)
    options = Options(CALM, people=2, strangers=1, entities=2, external=external)
    world = World(0, options, make_ledger)
    for wix, _ in world.entities:
        world.wix.visitor_rates(wix, world.persons[0], {"overall": Decimal(80)})
        world.drain()
    gives(world, 1)
    world.drain()
    world.crowd.introduce_all()
    world.wix.visitor_rates(world.entities[0][0], world.persons[1], {"overall": Decimal(40)})
    world.drain()
    assert world.ledger.held_reasons() == [HELD]
    assert outside(world) == {"e1": (1, "4"), "e2": (0, "4")}
    return world


def gives(world: World, number: int) -> None:
    world.external.owner_moves("e1", person=world.persons[number])


def outside(world: World) -> dict[str, tuple[int, str]]:
    """Whose each record is, and its stars."""
    emails = [one.email for one in world.persons]
    return {
        one.remote_id: (emails.index(one.person.email), str(one.values["value"]))
        for one in world.external.records.values()
    }


def goes_on(world: World, act: Act, way: str) -> None:
    """Something happens, and one way lets us know; then come the sweeps."""
    if way == "event":
        act(world)
    else:
        quietly(world, act)
    WAYS[way](world)
    world.settle()


def wix_id_of(world: World, number: int) -> str:
    (record,) = world.wix.of(world.entities[0][0], world.persons[number])
    return record.remote_id


@pytest.mark.parametrize("way", WAYS)
def test_copy_that_comes_back_lets_the_strangers_rating_go(world: World, way: str) -> None:
    goes_on(world, lambda world: gives(world, 0), way)
    assert world.ledger.held_reasons() == []
    assert on_wix(world) == {FIRST: "80", STRANGER: "40", BESIDE: "80"}
    assert outside(world) == {"e1": (0, "4"), "e2": (0, "4"), "e3": (1, "2")}
    assert broken_invariants(world) == []


def deletes_the_copy(world: World) -> None:
    world.external.visitor_deletes("e1")


def deletes_whose_copy_it_was(world: World) -> None:
    world.wix.visitor_deletes(wix_id_of(world, 0))


@pytest.mark.parametrize("delete", [deletes_the_copy, deletes_whose_copy_it_was])
@pytest.mark.parametrize("way", WAYS)
def test_either_of_the_pair_deleted_takes_the_other_and_frees_the_stranger(
    world: World, way: str, delete: Callable[[World], None]
) -> None:
    goes_on(world, delete, way)
    assert world.ledger.held_reasons() == []
    assert on_wix(world) == {STRANGER: "40", BESIDE: "80"}
    assert outside(world) == {"e2": (0, "4"), "e3": (1, "2")}
    assert broken_invariants(world) == []


@pytest.mark.parametrize("way", WAYS)
def test_strangers_rating_that_is_deleted_is_held_no_more(world: World, way: str) -> None:
    goes_on(world, lambda world: world.wix.visitor_deletes(wix_id_of(world, 1)), way)
    assert world.ledger.held_reasons() == []
    assert on_wix(world) == {FIRST: "80", BESIDE: "80"}
    assert outside(world) == {"e1": (1, "4"), "e2": (0, "4")}


def test_merge_of_the_two_contacts_makes_one_rating_of_both(world: World) -> None:
    """They were one person: the help of the hold names this first."""
    world.crowd.merge(world.persons[0], world.persons[1])
    world.settle()
    assert world.ledger.held_reasons() == []
    assert FIRST not in on_wix(world)
    assert STRANGER in on_wix(world)
    assert broken_invariants(world) == []


def test_person_who_gives_the_copy_back_and_releases_waits_for_no_sweep(world: World) -> None:
    """As the help says; a release alone looks again, and takes nobody's record."""
    released(world)
    assert set(world.ledger.held_reasons()) == {HELD}
    assert outside(world) == {"e1": (1, "4"), "e2": (0, "4")}
    assert "give it back" in HOLD_REASONS[HELD].advice
    gives(world, 0)
    world.drain()
    released(world)
    assert world.ledger.held_reasons() == []
    assert outside(world)["e3"] == (1, "2")
    assert broken_invariants(world) == []
