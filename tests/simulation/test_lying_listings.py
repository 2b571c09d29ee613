"""What sweeps never do, whatever a listing shows, and listings that never end."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from sync_worker.core.ports.remote import Capabilities, Page
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import Side
from sync_worker.reconcile.listing import MAX_EMPTY_PAGES
from sync_worker.reconcile.reconcile import Reconcile
from tests.simulation.ablations import without
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import changes, deletes, ending_of
from tests.simulation.swept import OF_SWEEPS, E, delete_on_wix, live, many, sweep
from tests.simulation.world import CALM, Faults, Options, World
from tests.twins.memory_ledger import memory_ledger
from tests.twins.memory_remote import MemoryRemote

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
