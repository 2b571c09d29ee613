"""Records that the owner of a shop gives to other people and puts under other products."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sync_worker.core.values import (
    Person,
    Side,
)
from tests.simulation.scenes import NO_REVISION
from tests.simulation.world import CALM, LedgerMaker, Options, World
from tests.twins.memory_ledger import memory_ledger

W, E = Side.WIX, Side.EXTERNAL
ACCURATE, SHOP = Options().external, NO_REVISION
WAYS = ("event", "poll", "sweep")


def a_world(make_ledger: LedgerMaker = memory_ledger, **options: Any) -> World:
    """Two people, two products; the first person has rated the first product outside."""
    options = {"external": SHOP} | options
    world = World(0, Options(CALM, people=2, entities=2, **options), make_ledger)
    world.external.visitor_rates(world.entities[0][1], world.persons[0], {"value": Decimal(4)})
    world.drain()
    assert on_wix(world) == {"product-0 contact-0": "80"}
    return world


def on_wix(world: World) -> dict[str, str]:
    """What Wix shows of which thing by whom."""
    return {
        f"{one.entity.entity_id} {one.person.contact_id}": str(one.values["overall"])
        for one in world.wix.records.values()
        if one.entity is not None
    }


def gives_to(world: World, number: int) -> None:
    """The shop's owner gives the record to another person."""
    world.external.owner_moves("e1", person=world.persons[number])


def puts_under(world: World, number: int) -> None:
    """The shop's owner puts the record under another product."""
    world.external.owner_moves("e1", entity=world.entities[number][1])


def gives_address(world: World, email: str | None) -> None:
    world.external.owner_moves("e1", person=Person(email=email))


def look(world: World, way: str) -> None:
    """What changed outside comes to us one way."""
    if way != "event":
        world.post.webhooks.clear()
        world.now += 3600.0
    if way == "poll":
        world.poll()
    if way == "sweep":
        world.sweep()
    world.drain()
