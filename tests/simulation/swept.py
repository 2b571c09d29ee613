"""Worlds in which sweeps alone find out what happened."""

from __future__ import annotations

from decimal import Decimal

from sync_worker.core.values import Policy, Side
from tests.simulation.world import CALM, Faults, Options, World
from tests.twins.memory_ledger import memory_ledger

W, E = Side.WIX, Side.EXTERNAL
OF_SWEEPS = {
    "two sweeps",
    "by-id confirmation",
    "complete listing",
    "half of the listing",
    "brake of a sweep",
    "brake of an hour",
    "page that brings nothing new",
    "three tries of a listing",
}


def many(people: int, policy: Policy | None = None, *, loses: bool = True) -> World:
    """Everybody has rated the one product on Wix, and it has crossed; from now on no webhook
    arrives.
    """
    options = Options(CALM, people=people, policy=policy or Policy())
    world = World(0, options, memory_ledger)
    for person in world.persons:
        world.wix.visitor_rates(world.entities[0][0], person, {"overall": Decimal(80)})
    world.drain()
    world.sweep()
    if loses:
        world.chance.faults = Faults(drop=1.0)
    return world


def live(world: World) -> tuple[int, int]:
    return len(world.wix.records), len(world.external.records)


def delete_on_wix(world: World, count: int) -> None:
    for remote_id in list(world.wix.records)[:count]:
        world.wix.visitor_deletes(remote_id)


def sweep(world: World, times: int = 1) -> None:
    for _ in range(times):
        world.sweep()
        world.drain()
