"""Sweeps in worlds where webhooks are lost and listings lie: what they repair, and what they never
delete.

Each mechanism against deleting by mistake is switched off once, and missed.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from sync_worker.core.ports.remote import Capabilities, Page
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import Person, Policy, Side
from sync_worker.reconcile.listing import MAX_EMPTY_PAGES
from sync_worker.reconcile.reconcile import Reconcile
from tests.simulation.ablations import without
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import changes, deletes, ending_of, rates
from tests.simulation.world import CALM, Faults, Options, World
from tests.twins.memory_ledger import memory_ledger
from tests.twins.memory_remote import MemoryRemote

W, E = Side.WIX, Side.EXTERNAL
DEAF = Options(Faults(drop=1.0), people=1)
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


# -- what they never do


def lagging_twice(world: World) -> None:
    """Two listings of Wix do not show one record, which is there."""
    world.chance.faults = CALM
    for _ in range(2):
        lagging_once(world)


def lagging_once(world: World) -> None:
    left_out = iter([True])
    world.wix.list_skips = lambda: next(left_out, False)
    sweep(world)


def failing_twice(world: World) -> None:
    """The last page of Wix's listing fails, two sweeps long."""
    for _ in range(2):
        failing_once(world)
    world.wix.fault = lambda operation: None


def failing_once(world: World) -> None:
    pages = iter([None, None, "down"])
    world.wix.fault = lambda operation: next(pages, None) if operation == "list" else None
    sweep(world)


def everything_gone(world: World) -> None:
    """Wix shows nothing any more, by listing and by id: another account, a lost permission."""
    world.wix.records, kept = {}, dict(world.wix.records)
    sweep(world, 3)
    world.wix.records = kept


def thirty_deleted(world: World) -> None:
    delete_on_wix(world, 30)
    sweep(world, 3)


def harm(world: World, story: Callable[[World], None]) -> int:
    """How many external ratings the story cost."""
    before = len(world.external.records)
    story(world)
    return before - len(world.external.records)


STORIES: dict[str, tuple[Callable[[World], None], int]] = {
    "lagging twice": (lagging_twice, 6),
    "lagging once": (lagging_once, 6),
    "failing twice": (failing_twice, 6),
    "everything gone": (everything_gone, 10),
    "thirty deleted": (thirty_deleted, 70),
}
MISSED = [
    ("lagging twice", ("by-id confirmation",)),
    ("lagging once", ("two sweeps", "by-id confirmation")),
    ("failing twice", ("complete listing", "by-id confirmation")),
    ("everything gone", ("half of the listing",)),
    ("thirty deleted", ("brake of a sweep",)),
    ("thirty deleted", ("brake of an hour", "brake of a sweep")),
]


@pytest.mark.parametrize("name", sorted(STORIES))
def test_lying_listing_deletes_nothing(name: str) -> None:
    story, people = STORIES[name]
    assert harm(many(people), story) == 0


@pytest.mark.parametrize(("name", "mechanisms"), MISSED)
def test_deletes_follow_a_lying_listing_without_the_mechanisms(
    name: str, mechanisms: tuple[str, ...]
) -> None:
    story, people = STORIES[name]
    with without(*mechanisms):
        assert harm(many(people), story) > 0


def test_brake_of_an_hour_stops_what_the_brake_of_a_sweep_lets_through() -> None:
    with without("brake of a sweep"):
        stopped = harm(many(70), thirty_deleted)
    with without("brake of a sweep", "brake of an hour"):
        assert (stopped, harm(many(70), thirty_deleted)) == (20, 30)


def test_braked_deletes_are_held_and_go_on_when_a_person_allows_them() -> None:
    world = many(70)
    thirty_deleted(world)
    held = [row.delivery for row in world.ledger.rows.values() if str(row.delivery.state) == "held"]
    assert {one.reason for one in held} == {"delete_brake"}
    assert len(held) == 30
    world.sweeper.runs.allow_deletes(world.site.id, 30)
    world.queue += world.ledger.inbox.release_held(
        world.site.id, inbox_ids=[one.id for one in held]
    )
    world.drain()
    assert live(world) == (40, 40)


# -- rows of a listing as records, where a system numbers no states

PLAIN = Capabilities(
    many_fields=True,
    has_revision=False,
    update_precondition=False,
    trusts_payload=False,
    is_unique=False,
)


def listed_world(*, told: bool, people: int = 1) -> tuple[World, Reconcile]:
    """Ratings outside that nobody knows, in a run that has listed them and not begun to write."""
    faults = CALM if told else Faults(drop=1.0)
    world = World(0, Options(Faults(drop=1.0), people=people, external=PLAIN), memory_ledger)
    for person in world.persons:
        world.external.visitor_rates(world.entities[0][1], person, {"value": Decimal(4)})
    world.chance.faults = faults
    sweep = world.sweeper.runs.begin(world.site.id, RunKind.SWEEP)
    run = world.sweeper.reconcile(sweep, world.sweeper.runs)
    assert run.list_both()
    assert run.confirm_absences()
    return world, run


def test_rating_outside_is_brought_across_without_another_look() -> None:
    world, run = listed_world(told=False)
    assert run.apply()
    assert ending_of(world) == ("80", "4")
    assert world.external.calls["get"] == 0


@pytest.mark.parametrize("told", [True, False])
def test_edit_between_listing_and_write_wins(told: bool) -> None:
    """Told by its webhook it is there first; else the next sweep finds it."""
    world, run = listed_world(told=told)
    changes(E, value=1)(world)
    world.drain()
    assert run.apply()
    world.drain()
    if not told:
        sweep(world)
    assert ending_of(world) == ("20", "1")
    assert broken_invariants(world) == []


@pytest.mark.parametrize("told", [True, False])
def test_delete_between_listing_and_write_wins(told: bool) -> None:
    """Untold it takes two sweeps, as each deletion whose webhook was lost."""
    world, run = listed_world(told=told, people=3)
    deletes(E)(world)
    world.drain()
    assert run.apply()
    world.drain()
    if not told:
        sweep(world, 2)
    assert live(world) == (2, 2)
    assert broken_invariants(world) == []


# -- listings that never end


class Endless(Exception):
    """A listing was asked for far more often than it has pages."""


def repeating(world: World, side: Side) -> None:
    """A listing that gives its first page for ever, and leads on."""
    calls = iter(range(100))

    def repeats() -> bool:
        if next(calls, None) is None:
            raise Endless
        return True

    world.remotes[side].list_repeats = repeats


@pytest.mark.parametrize("side", list(Side))
def test_listing_that_repeats_ends_and_deletes_nothing(side: Side) -> None:
    """Three tries of two pages; what it did not show counts as shown by nobody."""
    world = many(9)
    repeating(world, side)
    before = world.remotes[side].calls["list"]
    sweep(world)
    assert world.remotes[side].calls["list"] - before == 6
    world.remotes[side].list_repeats = lambda: False
    sweep(world, 2)
    assert live(world) == (9, 9)
    assert broken_invariants(world) == []


@pytest.mark.parametrize("side", list(Side))
def test_listing_of_empty_pages_ends_and_deletes_nothing(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three tries; a few empty pages between others are none of its matter."""
    world, calls = many(9), iter(range(200))
    list_page = MemoryRemote.list_page

    def leads_on(self: MemoryRemote, cursor: str | None = None) -> Page:
        if self.side is not side:
            return list_page(self, cursor)
        if next(calls, None) is None:
            raise Endless
        return Page([], f"{self.calls['list']}")

    with monkeypatch.context() as patched:
        patched.setattr(MemoryRemote, "list_page", leads_on)
        sweep(world)
    assert 200 - len(list(calls)) == 3 * (MAX_EMPTY_PAGES + 1)
    sweep(world, 2)
    assert live(world) == (9, 9)
    assert broken_invariants(world) == []


ENDLESS = ("page that brings nothing new", "three tries of a listing")


@pytest.mark.parametrize("mechanism", ENDLESS)
def test_listing_that_repeats_never_ends_without_the_mechanism(mechanism: str) -> None:
    world = many(9)
    repeating(world, Side.WIX)
    with without(mechanism), pytest.raises(Endless):
        sweep(world)


def test_mechanisms_of_sweeps_are_all_switched_off_here() -> None:
    missed = {one for _, mechanisms in MISSED for one in mechanisms}
    assert {*missed, *ENDLESS} == OF_SWEEPS
