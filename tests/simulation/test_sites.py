"""Sites that share one ledger, one loop guard and all workers, and whose people, products and
records have the same names: each ends as if it were alone.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from sync_worker.core.values import Side
from tests.simulation.ablations import without
from tests.simulation.chaos import LEDGERS, run_seed
from tests.simulation.oracles import broken_invariants
from tests.simulation.world import CALM, Options, Shop, World
from tests.twins.memory_ledger import memory_ledger

W, E = Side.WIX, Side.EXTERNAL
OF_SITES = ("remotes by account", "site by account")


def rate(shop: Shop, side: Side, value: int) -> None:
    """The first person of a site rates its first product."""
    name = "overall" if side is W else "value"
    entity = shop.entities[0][side is E]
    shop.remotes[side].visitor_rates(entity, shop.persons[0], {name: Decimal(value)})


def shown(shop: Shop) -> tuple[list[str], list[str]]:
    """All that a site shows on Wix and outside."""
    wix, external = (shop.remotes[side].records.values() for side in (W, E))
    return (
        [str(record.values["overall"]) for record in wix],
        [str(record.values["value"]) for record in external],
    )


@pytest.fixture(params=sorted(LEDGERS))
def world(request: pytest.FixtureRequest) -> World:
    return World(0, Options(CALM, sites=2, people=1), LEDGERS[request.param])


def test_two_sites_of_the_same_names_keep_their_ratings(world: World) -> None:
    """The records of both have the same ids, on both sides."""
    one, other = world.shops
    rate(one, W, 80)
    rate(other, W, 20)
    world.settle()
    assert [sorted(shop.external.records) for shop in world.shops] == [["e1"], ["e1"]]
    assert [shown(shop) for shop in world.shops] == [(["80"], ["4"]), (["20"], ["1"])]
    one.external.visitor_changes("e1", {"value": Decimal(2)})
    world.settle()
    assert [shown(shop) for shop in world.shops] == [(["40"], ["2"]), (["20"], ["1"])]
    assert broken_invariants(world) == []


def test_refused_account_leaves_the_other_site_at_work(world: World) -> None:
    one, other = world.shops
    one.external.refused_until = world.now + 1_000.0
    rate(one, W, 80)
    rate(other, W, 20)
    world.drain()
    assert [shown(shop) for shop in world.shops] == [(["80"], []), (["20"], ["1"])]
    world.settle()
    assert [shown(shop) for shop in world.shops] == [(["80"], ["4"]), (["20"], ["1"])]
    assert broken_invariants(world) == []


@pytest.mark.parametrize("mechanism", OF_SITES)
def test_call_that_reaches_another_sites_account_is_noticed(mechanism: str) -> None:
    with without(mechanism):
        world = World(0, Options(CALM, sites=2, people=1), memory_ledger)
        rate(world.shops[1], E, 4)
        world.settle()
        assert any(broken.startswith("I28") for broken in broken_invariants(world))


@pytest.mark.parametrize("mechanism", OF_SITES)
def test_seeds_of_two_sites_miss_the_mechanism(mechanism: str) -> None:
    with without(mechanism):
        assert any(run_seed("two sites", seed) for seed in range(3))
