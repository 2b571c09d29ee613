"""Pictures go along when a review is made on Wix, by policy: told by both ledgers."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from sync_worker.core.values import Policy
from tests.simulation.ablations import without
from tests.simulation.moderated import E, W
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import changes, deletes
from tests.simulation.scenes import PICTURED
from tests.simulation.test_ablation import work_until
from tests.simulation.world import CALM, LedgerMaker, World
from tests.twins.memory_ledger import memory_ledger

MUG, CUP = ("https://shop.example/mug.jpg",), ("https://shop.example/cup.jpg",)


def a_world(make_ledger: LedgerMaker = memory_ledger, pictures: str = "to_wix") -> World:
    """Somebody rates outside, with a picture."""
    options = replace(PICTURED, faults=CALM, people=1, policy=Policy.of({"pictures": pictures}))
    world = World(0, options, make_ledger)
    entity, person = world.entities[0][1], world.persons[0]
    world.external.visitor_rates(entity, person, {"value": Decimal(4)}, media=MUG)
    return world


def on_wix(world: World) -> tuple[str, ...]:
    (record,) = world.wix.records.values()
    return record.media


def test_pictures_of_a_new_review_come_to_wix_once(make_ledger: LedgerMaker) -> None:
    """What changes afterwards, on either side, is its side's own."""
    world = a_world(make_ledger)
    world.drain()
    assert on_wix(world) == MUG
    world.external.visitor_shows("e1", CUP)
    changes(E, value=2)(world)
    world.settle()
    (outside,) = world.external.records.values()
    assert (on_wix(world), outside.media) == (MUG, CUP)
    assert world.wix.calls["create"] == 1
    assert broken_invariants(world) == []


def test_pictures_survive_a_worker_that_dies_before_the_create(make_ledger: LedgerMaker) -> None:
    """Whoever goes on has the delivery alone, and reads it again."""
    world = a_world(make_ledger)
    work_until(world, lambda: world.ledger.open_intents() == 1)
    world.settle()
    assert on_wix(world) == MUG
    assert broken_invariants(world) == []


def test_review_made_again_on_wix_has_the_pictures_of_now(make_ledger: LedgerMaker) -> None:
    world = a_world(make_ledger)
    world.drain()
    world.external.visitor_shows("e1", CUP)
    changes(E, value=2)(world)
    deletes(W)(world)
    world.settle()
    assert on_wix(world) == CUP


def test_pictures_stay_outside_unless_policy_asks(make_ledger: LedgerMaker) -> None:
    world = a_world(make_ledger, pictures="off")
    world.settle()
    assert on_wix(world) == ()
    assert broken_invariants(world) == []


@pytest.mark.parametrize(
    ("mechanism", "pictures", "told"),
    [
        ("pictures go along", "to_wix", "are ()"),
        ("pictures by policy", "off", "written by us"),
    ],
)
def test_mechanism_of_pictures_is_missed_when_it_is_off(
    mechanism: str, pictures: str, told: str
) -> None:
    with without(mechanism):
        world = a_world(pictures=pictures)
        world.settle()
        assert told in "".join(broken_invariants(world))
