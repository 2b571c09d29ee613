"""A delivery that costs too much is held, and stops nobody else."""

from __future__ import annotations

from decimal import Decimal

from sync_worker.core.outcome import OutcomeKind
from sync_worker.core.ports.inbox import MAX_DEATHS, TRACK_AFTER
from sync_worker.core.values import Side
from tests.simulation.ablations import without
from tests.simulation.scenarios import changes, rates
from tests.simulation.test_policies import held_reasons
from tests.simulation.world import CALM, CPU_SECONDS, LedgerMaker, Options, World

W, E = Side.WIX, Side.EXTERNAL
CALLS = ("before external.get", "before external.create", "before external.update")


def a_costly_world(make_ledger: LedgerMaker, seconds: float) -> World:
    """In step; from now on each call to the external side costs processor time."""
    world = World(0, Options(CALM, people=1, sweeps=False), make_ledger)
    rates(W, overall=80)(world)
    world.drain()

    def compute(place: str) -> None:
        if place in CALLS:
            world.cpu += seconds

    world.on_step = compute
    return world


def test_delivery_beyond_its_processor_time_is_held(make_ledger: LedgerMaker) -> None:
    world = a_costly_world(make_ledger, CPU_SECONDS + 1)
    changes(E, value=1)(world)
    changes(W, overall=40)(world)
    world.drain()
    assert held_reasons(world) == {"too_costly"}
    world.on_step = lambda place: None
    changes(W, overall=100)(world)
    world.drain()
    assert [record.values for record in world.external.records.values()] == [{"value": Decimal(5)}]


def test_delivery_within_its_processor_time_is_worked_on(make_ledger: LedgerMaker) -> None:
    """Each delivery has its own time, however much its thread has used before."""
    world = a_costly_world(make_ledger, CPU_SECONDS / 10)
    for value in (20, 40, 60, 100):
        changes(W, overall=value)(world)
        world.drain()
    assert world.cpu > CPU_SECONDS / 10
    assert held_reasons(world) == set()
    assert [record.values for record in world.external.records.values()] == [{"value": Decimal(5)}]


def test_costly_delivery_goes_on_without_the_bound(make_ledger: LedgerMaker) -> None:
    with without("bound of processor time"):
        world = a_costly_world(make_ledger, CPU_SECONDS + 1)
        changes(E, value=1)(world)
        changes(W, overall=40)(world)
        world.drain()
    assert held_reasons(world) == set()
    assert world.cpu > CPU_SECONDS


def test_delivery_that_loses_every_lease_is_held_in_the_end(make_ledger: LedgerMaker) -> None:
    """Whoever works on it stands still beyond the lease, each time; nobody dies."""
    world = World(0, Options(CALM, people=1, sweeps=False), make_ledger)

    def stand_still(place: str) -> None:
        if place == "after ledger.open_intent":
            world.now += 20.0

    world.on_step = stand_still
    rates(W, overall=80)(world)
    (webhook,) = world.post.webhooks
    world.post.webhooks.clear()
    inbox_id = world.ledger.inbox.store(webhook).inbox_id
    outcomes = []
    for _ in range(TRACK_AFTER + MAX_DEATHS + 2):
        outcomes.append(world.intake.process(inbox_id))
        world.now += 4000.0
        world.ledger.inbox.due(10)
    assert {outcome.kind for outcome in outcomes} >= {OutcomeKind.LEASE_LOST, OutcomeKind.HELD}
    assert held_reasons(world) == {"worker_died"}
