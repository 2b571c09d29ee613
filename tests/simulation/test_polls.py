"""Polls in worlds where no webhook arrives: what they bring across, and what they never delete."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from sync_worker.core.ports.remote import Capabilities
from sync_worker.core.sweep_values import RunKind, Sweep, next_since
from sync_worker.core.values import Side
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import changes, deletes, ending_of
from tests.simulation.world import Faults, Options, World
from tests.twins.memory_ledger import memory_ledger

E = Side.EXTERNAL
DEAF = Options(Faults(drop=1.0), people=1)


def a_world(options: Options = DEAF) -> World:
    """Everybody has rated on the external side, and a first poll has brought it across."""
    world = World(0, options, memory_ledger)
    for person in world.persons:
        world.external.visitor_rates(world.entities[0][1], person, {"value": Decimal(4)})
    poll(world)
    return world


def poll(world: World) -> None:
    world.poll()
    world.drain()


def later(world: World, seconds: float = 3600.0) -> None:
    world.now += seconds


def test_rating_whose_webhook_was_lost_crosses_with_the_next_poll() -> None:
    assert ending_of(a_world()) == ("80", "4")


@pytest.mark.parametrize(
    "external", [DEAF.external, Capabilities(has_revision=False, update_precondition=False)]
)
def test_change_whose_webhook_was_lost_crosses_with_the_next_poll(external: Capabilities) -> None:
    world = a_world(Options(Faults(drop=1.0), people=1, external=external))
    later(world)
    changes(E, value=1)(world)
    poll(world)
    assert ending_of(world) == ("20", "1")


def test_deletion_in_the_listing_of_changes_crosses_with_the_next_poll() -> None:
    """A deletion that the listing of changes shows crosses with the next poll."""
    world = a_world(Options(Faults(drop=1.0), people=2))
    later(world)
    deletes(E)(world)
    poll(world)
    assert (len(world.wix.records), len(world.external.records)) == (1, 1)


def test_deletion_that_a_poll_shows_reaches_older_news_that_waits() -> None:
    """A deletion that a poll shows reaches older news of the record that still waits."""
    world = World(0, Options(Faults(drop=1.0), people=1), memory_ledger)
    world.external.overlap_seconds = 0.0
    poll(world)
    later(world)
    world.external.visitor_rates(world.entities[0][1], world.persons[0], {"value": Decimal(4)})
    world.on_step = lambda place: world.crash_steps.add(
        world.steps if place == "after runs.queue" else 0
    )
    world.poll()
    assert world.ledger.open_count() == 1, "what it has found waits in the inbox"
    world.on_step = lambda place: None
    world.poll()  # ends the one that crashed
    deletes(E)(world)
    poll(world)
    poll(world)
    assert (len(world.wix.records), len(world.external.records)) == (0, 0)


def test_poll_lists_only_what_changed_since_the_last_one() -> None:
    """A poll lists only what changed since the last one and writes nothing again."""
    world = a_world(Options(Faults(drop=1.0), people=6))
    later(world)
    changes(E, value=1)(world)
    world.external.overlap_seconds = 0.0
    world.external.calls.clear()
    world.wix.calls.clear()
    poll(world)
    poll(world)
    assert world.external.calls == {"changed": 2}
    assert world.wix.calls == {"update": 1}


def test_record_that_became_visible_late_is_seen_within_the_overlap() -> None:
    world = a_world(Options(Faults(drop=1.0), people=2))
    later(world)
    for remote_id, seconds in (("e1", -30.0), ("e2", 0.0)):
        world.external.visitor_changes(remote_id, {"value": Decimal(1)})
        world.external.changed_at[remote_id] = world.now + seconds
    late = world.external.records.pop("e1")
    poll(world)
    world.external.records["e1"] = late
    poll(world)
    assert {record.values["overall"] for record in world.wix.records.values()} == {Decimal(20)}


def test_poll_takes_nothing_for_deleted_that_it_does_not_show() -> None:
    world = a_world(Options(Faults(drop=1.0), people=6))
    later(world)
    world.external.list_skips = lambda: True
    for _ in range(4):
        poll(world)
    assert (len(world.wix.records), len(world.external.records)) == (6, 6)


def test_poll_that_crashes_at_any_step_is_made_good_by_the_next() -> None:
    """A poll that crashes at any step ends the same when the next one comes."""
    whole = a_world(Options(Faults(drop=1.0), people=3))
    for step in range(1, whole.steps + 1):
        world = World(0, Options(Faults(drop=1.0), people=3), memory_ledger)
        for person in world.persons:
            world.external.visitor_rates(world.entities[0][1], person, {"value": Decimal(4)})
        world.crash_steps = {step}
        poll(world)
        poll(world)
        assert broken_invariants(world) == [], f"crashed at step {step}: {world.crashes}"
        assert len(world.wix.records) == 3
        assert world.ledger.open_count() == 0


def test_polls_and_a_sweep_that_interrupts_them_end_in_agreement() -> None:
    world = a_world(Options(Faults(drop=1.0), people=4))
    later(world)
    changes(E, value=2)(world)
    world.start_sweep(RunKind.POLL)
    world.step_worker(0)
    world.now += 1.0
    world.start_sweep(RunKind.SWEEP)
    while world.workers:
        world.step_worker(len(world.workers) - 1)
    world.drain()
    assert broken_invariants(world) == []
    assert ending_of(world) == ("40", "2")


# -- where the next one begins

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("since", "newest", "begins"),
    [
        (None, None, None),
        (None, NOON - MINUTE, NOON - MINUTE),
        (NOON - 9 * MINUTE, None, NOON - 9 * MINUTE),
        (NOON - 9 * MINUTE, NOON - MINUTE, NOON - MINUTE),
        (NOON - 9 * MINUTE, NOON + 900 * MINUTE, NOON),
        (NOON - 9 * MINUTE, NOON - 99 * MINUTE, NOON - 9 * MINUTE),
    ],
)
def test_next_poll_begins_at_the_newest_time_seen_but_never_in_the_future(
    since: datetime | None, newest: datetime | None, begins: datetime | None
) -> None:
    poll = Sweep(1, 1, RunKind.POLL, 1, since=since, newest=newest)
    assert next_since(poll, NOON) == begins
