"""Sites that share one ledger, one loop guard and all workers, and whose people, products and
records have the same names: each ends as if it were alone.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from sync_worker.core.values import Side
from tests.simulation.ablations import without
from tests.simulation.both_ledgers import BOTH_LEDGERS
from tests.simulation.chaos import LEDGERS, run_seed
from tests.simulation.oracles import broken_invariants
from tests.simulation.world import CALM, Options, Shop, World
from tests.twins.memory_ledger import memory_ledger

W, E = Side.WIX, Side.EXTERNAL
BY_ACCOUNT = ("remotes by account", "site by account")
OF_SITES = (
    *BY_ACCOUNT,
    "deliveries of an ended account",
    "sweep after a gap",
    "end of what is told of a removed site",
)


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


@pytest.fixture(params=BOTH_LEDGERS)
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


def tell_late(world: World) -> Shop:
    """A process takes a webhook for an account that has just ended, while another one is given."""
    shop = world.shops[1]
    rate(shop, E, 4)
    shop.owner.change_accounts()
    world.chance.random.seed(1)  # so the door lets it in
    shop.post.deliver(0)
    assert [(E, one.source) for one in shop.post.sent] == shop.post.earlier
    world.drain()
    return shop


def test_late_delivery_goes_to_the_account_that_followed(world: World) -> None:
    assert shown(tell_late(world)) == (["80"], ["4"])
    assert broken_invariants(world) == []


def test_late_delivery_that_waits_for_an_ended_account_is_noticed() -> None:
    with without("deliveries of an ended account"):
        world = World(0, Options(CALM, sites=2, people=1), memory_ledger)
        tell_late(world)
        assert any(broken.startswith("I31") for broken in broken_invariants(world))


def test_what_comes_while_an_account_rests_waits_for_it(world: World) -> None:
    shop = world.shops[1]
    for rest in (shop.owner.pause, shop.owner.revoke):
        rest()
        rate(shop, W, 80)
        world.drain()
        assert shown(shop) == (["80"], [])
        shop.owner.restore()
        world.drain()
        assert shown(shop) == (["80"], ["4"])
        shop.wix.visitor_deletes(next(iter(shop.wix.records)))
        world.drain()
    assert broken_invariants(world) == []


def test_account_that_ends_under_a_delivery_and_comes_back_is_gone_on_with(world: World) -> None:
    """Revoked after the site was read, and given again before the delivery is held for that."""
    shop = world.shops[1]
    acts = {"after ledger.open_delivery": shop.owner.revoke, "before ledger.hold": shop.owner.give}

    def act(place: str) -> None:
        if place in acts:
            acts.pop(place)()

    rate(shop, W, 80)
    world.on_step = act
    world.drain()
    assert not acts
    assert shown(shop) == (["80"], ["4"])
    assert broken_invariants(world) == []


@pytest.mark.parametrize("mechanism", BY_ACCOUNT)
def test_call_that_reaches_another_sites_account_is_noticed(mechanism: str) -> None:
    with without(mechanism):
        world = World(0, Options(CALM, sites=2, people=1), memory_ledger)
        rate(world.shops[1], E, 4)
        world.settle()
        assert any(broken.startswith("I28") for broken in broken_invariants(world))


@pytest.mark.parametrize("mechanism", BY_ACCOUNT)
def test_seeds_of_two_sites_miss_the_mechanism(mechanism: str) -> None:
    with without(mechanism):
        assert any(run_seed("two sites", seed) for seed in range(3))


# -- the app is removed and installed again


def nothing(*_: object) -> None:
    """What does not happen."""


def leave(world: World) -> Shop:
    """Both sides were compared, and a rating has crossed; then the owner removes the app."""
    shop = world.shops[1]
    world.sweep()
    rate(shop, W, 80)
    world.drain()
    shop.owner.remove()
    world.drain()
    return shop


def come_back(world: World, shop: Shop) -> None:
    """The app is installed again, and the shop gives its account again."""
    shop.owner.install()
    world.now += 30.0
    world.drain()
    shop.owner.restore()
    shop.wix.refused_until = 0.0
    world.drain()


def edit_outside(shop: Shop, value: int) -> None:
    shop.external.visitor_changes(next(iter(shop.external.records)), {"value": Decimal(value)})


def test_edit_that_nobody_told_crosses_by_the_sweep_on_return(world: World) -> None:
    """Whatever the schedule says, and only of the site that was away."""
    shop = leave(world)
    edit_outside(shop, 2)
    world.drain()
    assert [world.is_sweep_due(one) for one in world.shops] == [False, False]
    come_back(world, shop)
    assert shown(shop) == (["80"], ["2"])
    assert [world.is_sweep_due(one) for one in world.shops] == [False, True]
    world.sweep([shop])
    world.drain()
    assert shown(shop) == (["40"], ["2"])
    assert not world.is_sweep_due(shop)
    assert broken_invariants(world) == []


def test_edit_that_nobody_told_is_missed_without_the_sweep() -> None:
    with without("sweep after a gap"):
        world = World(0, Options(CALM, sites=2, people=1), memory_ledger)
        shop = leave(world)
        edit_outside(shop, 2)
        come_back(world, shop)
        assert not world.is_sweep_due(shop)
        assert any(broken.startswith("I1") for broken in broken_invariants(world))


def told_as_it_left(world: World) -> Shop:
    """The last that Wix told before the removal is taken up after it."""
    shop = world.shops[1]
    rate(shop, W, 80)
    shop.post.deliver(0)
    shop.owner.remove()
    shop.post.deliver(0)
    # Newest first: the removal comes before the rating.
    for inbox_id in sorted(set(world.queue), reverse=True):
        world.queue = [inbox_id]
        world.drain()
    return shop


def test_what_wix_told_last_crosses_after_the_return_without_a_sweep(world: World) -> None:
    """It ended without content; its record is looked at as the site comes back."""
    shop = told_as_it_left(world)
    assert shown(shop) == (["80"], [])
    assert world.ledger.held_reasons(shop.site.id) == []
    come_back(world, shop)
    assert shown(shop) == (["80"], ["4"])
    assert broken_invariants(world) == []


def test_last_that_wix_told_is_missed_where_it_ends_for_good() -> None:
    with without("end of what is told of a removed site"):
        world = World(0, Options(CALM, sites=2, people=1), memory_ledger)
        shop = told_as_it_left(world)
        come_back(world, shop)
        assert shown(shop) == (["80"], [])
        assert broken_invariants(world) != []


def return_without_one(side: Side, act: Callable[[World, Shop], None] = nothing) -> World:
    """Two ratings had crossed; one was deleted on a side while the app was removed. It is back.

    ``act``: what else happens before the sweep.
    """
    world = World(0, Options(CALM, sites=2, people=2), memory_ledger)
    shop = world.shops[1]
    shop.wix.visitor_rates(shop.entities[0][0], shop.persons[1], {"overall": Decimal(80)})
    leave(world)
    shop.remotes[side].visitor_deletes(next(iter(shop.remotes[side].records)))
    world.drain()
    come_back(world, shop)
    act(world, shop)
    world.sweep([shop])
    world.drain()
    return world


@pytest.mark.parametrize("side", list(Side))
def test_deletion_that_nobody_told_crosses_by_the_sweep_on_return(side: Side) -> None:
    world = return_without_one(side)
    assert shown(world.shops[1]) == (["80"], ["4"])
    assert broken_invariants(world) == []


def refuse_to_say(world: World, shop: Shop) -> None:
    """Looks by id are answered 404, not in the system's own words."""
    shop.external.fault = lambda operation: "false_gone" if operation == "get" else None


def test_deletion_that_a_system_does_not_say_waits_for_a_second_sweep() -> None:
    """One listing, and an answer that is none of its own words: nothing is deleted for that."""
    world = return_without_one(E, refuse_to_say)
    shop = world.shops[1]
    assert shown(shop) == (["80", "80"], ["4"])
    assert world.ledger.open_count() == 0
    shop.external.fault = nothing
    world.sweep([shop])
    world.drain()
    assert shown(shop) == (["80"], ["4"])


def test_seeds_miss_the_sweep_after_a_gap() -> None:
    scene = "two sites, accounts and the app come and go, due sweeps only"
    with without("sweep after a gap"):
        assert any(run_seed(scene, seed) for seed in range(20))
