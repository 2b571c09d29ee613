"""What sweeps repair."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import Person, Policy, Side
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import changes, deletes, ending_of, rates
from tests.simulation.swept import E, W, delete_on_wix, live, many, sweep
from tests.simulation.world import CALM, Faults, Options, World
from tests.twins.memory_ledger import memory_ledger

DEAF = Options(Faults(drop=1.0), people=1)


# -- what they repair


@pytest.mark.parametrize("side", list(Side))
def test_rating_whose_webhook_was_lost_crosses_with_the_next_sweep(side: Side) -> None:
    world = World(0, DEAF, memory_ledger)
    rates(side, **({"overall": 80} if side is W else {"value": 4}))(world)
    sweep(world)
    assert ending_of(world) == ("80", "4")


def test_change_whose_webhook_was_lost_crosses_with_the_next_sweep() -> None:
    world = many(1)
    changes(E, value=1)(world)
    sweep(world)
    assert ending_of(world) == ("20", "1")


def test_deletion_whose_webhook_was_lost_crosses_with_the_second_sweep() -> None:
    world = many(3)
    deletes(W)(world)
    sweep(world)
    assert live(world) == (2, 3)
    sweep(world)
    assert live(world) == (2, 2)


def test_absence_means_nothing_where_the_manifest_says_so() -> None:
    external = Capabilities(many_fields=True, absence_counts=False)
    world = World(0, Options(CALM, people=4, external=external), memory_ledger)
    for person in world.persons:
        world.wix.visitor_rates(world.entities[0][0], person, {"overall": Decimal(80)})
    world.drain()
    world.chance.faults = Faults(drop=1.0)
    deletes(E)(world)
    sweep(world, 3)
    assert live(world) == (4, 3)
    delete_on_wix(world, 2)
    sweep(world, 3)
    assert live(world) == (2, 2)


def test_twins_that_never_met_are_linked_without_a_write() -> None:
    world = World(0, DEAF, memory_ledger)
    rates(W, overall=80)(world)
    rates(E, value=4)(world)
    sweep(world)
    assert not [
        entry for remote in world.remotes.values() for entry in remote.journal if entry.by_us
    ]
    assert {name for _, name in world.ledger.records_on_file()} == {"w1", "e1"}
    assert world.external.calls["get"] + world.wix.calls["get"] == 0


@pytest.mark.parametrize(
    ("policy", "ending"), [("wix", ("80", "4")), ("external", ("20", "1")), ("hold", ("80", "1"))]
)
def test_twins_that_differ_follow_the_policy_of_first_differences(
    policy: str, ending: tuple[str, str]
) -> None:
    options = Options(Faults(drop=1.0), people=1, policy=Policy.of({"first_difference": policy}))
    world = World(0, options, memory_ledger)
    rates(W, overall=80)(world)
    rates(E, value=1)(world)
    sweep(world, 2)
    assert ending_of(world) == ending
    assert world.is_held(world.entities[0][0], world.persons[0]) == (policy == "hold")


def test_second_sweep_writes_nothing() -> None:
    world = World(0, Options(Faults(drop=1.0), people=4), memory_ledger)
    for person in world.persons:
        world.external.visitor_rates(world.entities[0][1], person, {"value": Decimal(3)})
    sweep(world)
    calls = world.wix.calls["create"]
    sweep(world)
    assert (calls, world.wix.calls["create"], world.external.calls["update"]) == (4, 4, 0)


def test_older_ratings_of_one_person_for_one_thing_are_found_once() -> None:
    """Where a system takes several, the newest is synced; the others are known from then on."""
    several = Capabilities(has_revision=False, update_precondition=False, is_unique=False)
    world = World(0, Options(Faults(drop=1.0), people=1, external=several), memory_ledger)
    for value in (1, 2, 5):
        rates(E, value=value)(world)
    sweep(world)
    assert [record.values for record in world.wix.records.values()] == [{"overall": Decimal(100)}]
    world.external.calls.clear()
    deliveries = len(world.ledger.rows)
    sweep(world)
    assert dict(world.external.calls) == {"list": 2}
    assert len(world.ledger.rows) == deliveries


def test_stranger_is_held_once_and_crosses_when_a_contact_is_there() -> None:
    """A stranger is held once, however often it is listed, and crosses when a contact is there."""
    world = World(0, DEAF, memory_ledger)
    stranger = Person(email="stranger@example.com", name="S")
    world.persons.append(Person(contact_id="contact-s", email=stranger.email))
    world.external.visitor_rates(world.entities[0][1], stranger, {"value": Decimal(3)})
    sweep(world, 3)
    held = [row for row in world.ledger.rows.values() if str(row.delivery.state) == "held"]
    assert [row.delivery.reason for row in held] == ["unknown_contact"]
    world.people.add("contact-s", stranger.email)
    sweep(world)
    assert [record.values for record in world.wix.records.values()] == [{"overall": Decimal(60)}]
    assert not [row for row in world.ledger.rows.values() if str(row.delivery.state) == "held"]


def test_addresses_are_asked_for_in_bulk() -> None:
    world = World(0, Options(Faults(drop=1.0), people=9), memory_ledger)
    world.external.page_size = 100
    world.ledger.contacts.clear()
    for person in world.persons:
        world.external.visitor_rates(world.entities[0][1], person, {"value": Decimal(3)})
    sweep(world)
    assert len(world.wix.records) == 9
    assert (world.people.calls["matches"], world.people.calls["by_email"]) == (1, 0)


def test_contacts_are_asked_for_in_bulk_and_merged_ones_by_id() -> None:
    """Contacts are asked for in bulk and one that was merged away by its id."""
    world = World(0, Options(Faults(drop=1.0), people=9), memory_ledger)
    world.wix.page_size = 100
    world.ledger.contacts.clear()
    for person in world.persons:
        world.wix.visitor_rates(world.entities[0][0], person, {"overall": Decimal(60)})
    gone, stays = (str(person.contact_id) for person in world.persons[:2])
    world.people.merged[gone] = stays
    del world.people.contacts[gone]
    sweep(world)
    assert len(world.external.records) == 8
    assert (world.people.calls["by_ids"], world.people.calls["by_id"]) == (1, 1)


def a_busy_world() -> World:
    """Two people on each side and one on both, a loss on each, all told to nobody."""
    world = World(0, Options(Faults(drop=1.0), people=5), memory_ledger)
    people = world.persons
    for person in people[:3]:
        world.wix.visitor_rates(world.entities[0][0], person, {"overall": Decimal(80)})
    for person in people[2:]:
        world.external.visitor_rates(world.entities[0][1], person, {"value": Decimal(2)})
    return world


def test_sweep_that_crashes_at_any_step_ends_the_same_when_it_goes_on() -> None:
    whole = a_busy_world()
    sweep(whole)
    assert broken_invariants(whole) == []
    for step in range(1, whole.steps + 1):
        world = a_busy_world()
        world.crash_steps = {step}
        sweep(world, 2)
        assert broken_invariants(world) == [], f"crashed at step {step}: {world.crashes}"
        assert live(world) == live(whole)
        assert world.ledger.open_count() == 0


def test_dry_run_plans_exactly_what_the_run_then_does() -> None:
    world = a_busy_world()
    dry = world.sweeper.runs.begin(world.site.id, RunKind.DRY_RUN)
    run = world.sweeper.reconcile(dry, world.sweeper.runs)
    assert run.list_both()
    assert run.confirm_absences()
    planned = [
        planned_write
        for _, forecast in run.forecasts()
        for planned_write in forecast.planned_writes
    ]
    world.sweeper.runs.end(run.sweep)
    assert not [
        entry for remote in world.remotes.values() for entry in remote.journal if entry.by_us
    ]
    sweep(world)
    assert sorted(map(str, world.sweeper.planned_writes)) == sorted(map(str, planned))
    assert len(planned) == 5


@pytest.mark.parametrize("seed", range(60))
def test_dry_run_equals_the_run_in_worlds_left_by_a_storm(seed: int) -> None:
    """After any history of faults: both sides stand still, then the plan and the writes are the
    same (I25).
    """
    options = Options(Faults(drop=0.5, duplicate=0.2), people=4, acts=14)
    world = World(seed, options, memory_ledger)
    acts = options.acts
    while acts:
        if world.chance.random.random() < 0.1:
            world.crowd.act()
            acts -= 1
        world.tick()
    world.chance.faults = CALM
    world.drain()
    dry = world.sweeper.runs.begin(world.site.id, RunKind.DRY_RUN)
    run = world.sweeper.reconcile(dry, world.sweeper.runs)
    assert run.list_both()
    assert run.confirm_absences()
    planned = [
        planned_write
        for _, forecast in run.forecasts()
        for planned_write in forecast.planned_writes
    ]
    world.sweeper.runs.end(run.sweep)
    world.sweeper.planned_writes.clear()
    sweep(world)
    assert sorted(map(str, world.sweeper.planned_writes)) == sorted(map(str, planned))
