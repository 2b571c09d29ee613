"""Refused credentials: an account's refusal passes by itself, a record's holds it alone."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sync_worker.core.ports.site_sides import ACCOUNT_FAILING
from sync_worker.core.values import Side
from tests.simulation.ablations import without
from tests.simulation.both_ledgers import BOTH_LEDGERS
from tests.simulation.chaos import LEDGERS
from tests.simulation.oracles import broken_invariants
from tests.simulation.world import CALM, Options, World

W, E = Side.WIX, Side.EXTERNAL


@pytest.fixture(params=BOTH_LEDGERS)
def world(request: pytest.FixtureRequest) -> World:
    return World(0, Options(CALM, people=3), LEDGERS[request.param])


def everybody_rates(world: World) -> None:
    for person in world.persons:
        world.wix.visitor_rates(world.entities[0][0], person, {"overall": Decimal(80)})


def refuse(world: World, *sides: Side, seconds: float = 15.0) -> None:
    for side in sides:
        world.remotes[side].refused_until = world.now + seconds


def crossed(world: World) -> int:
    return len(world.external.records)


@pytest.mark.parametrize("sides", [(W,), (E,), (W, E)])
def test_refusal_of_15_seconds_on_a_side_passes_by_itself(
    world: World, sides: tuple[Side, ...]
) -> None:
    """Nobody releases anything: the probe of the next minute lets all go on."""
    refuse(world, *sides)
    everybody_rates(world)
    for person in world.persons:
        world.external.visitor_rates(world.entities[0][1], person, {"value": Decimal(4)})
    world.settle()
    assert broken_invariants(world) == []
    assert world.ledger.held_reasons() == []
    assert crossed(world) == 3


def test_deliveries_wait_together_and_a_probe_a_minute_asks(world: World) -> None:
    refuse(world, E, seconds=1_000.0)
    everybody_rates(world)
    world.drain()
    assert world.ledger.held_reasons() == [ACCOUNT_FAILING] * 3
    assert world.ledger.site(world.site.id).failing == {E}
    asked = world.external.calls.total()
    for _ in range(10):
        world.now += 60.0
        world.probe()
        world.drain()
    assert world.external.calls.total() == asked + 10
    assert world.ledger.held_reasons() == [ACCOUNT_FAILING] * 3


def test_delivery_that_comes_while_the_account_fails_costs_no_call(world: World) -> None:
    refuse(world, E, seconds=1_000.0)
    everybody_rates(world)
    world.drain()
    asked = world.external.calls.total()
    for record in list(world.wix.records):
        world.wix.visitor_changes(record, {"overall": Decimal(20)})
    world.drain()
    assert world.external.calls.total() == asked
    world.settle()
    assert {record.values["value"] for record in world.external.records.values()} == {Decimal(1)}


def one_record_is_forbidden(world: World) -> None:
    everybody_rates(world)
    world.drain()
    world.external.refused_ids = {"e1"}
    for record in list(world.wix.records):
        world.wix.visitor_changes(record, {"overall": Decimal(20)})
    world.drain()


def test_record_that_is_forbidden_is_held_alone(world: World) -> None:
    """The cheap read is accepted, so the account is; all other ratings go on."""
    one_record_is_forbidden(world)
    assert world.ledger.held_reasons() == ["unauthorized"]
    assert not world.ledger.site(world.site.id).failing
    shown = sorted(record.values["value"] for record in world.external.records.values())
    assert shown == [Decimal(1), Decimal(1), Decimal(4)]


def test_without_the_cheap_read_one_record_stops_its_site(world: World) -> None:
    with without("cheap read after a refusal"):
        one_record_is_forbidden(world)
        assert world.ledger.site(world.site.id).failing == {E}


def test_without_the_probe_a_refusal_that_passes_holds_for_ever(world: World) -> None:
    with without("probe of a failing account"):
        world.options.sweeps = False  # a sweep would look again, too
        refuse(world, E)
        everybody_rates(world)
        world.settle()
        assert any(broken.startswith("I31") for broken in broken_invariants(world))
