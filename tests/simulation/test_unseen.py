"""Wix Reviews that leaves out what is not published, without a word: rejected, or deleted?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sync_worker.core.values import Policy
from tests.simulation.ablations import without
from tests.simulation.both_ledgers import MAKERS
from tests.simulation.moderated import (
    KEEPS,
    PENDING,
    PUBLISHED,
    REJECTED,
    E,
    W,
    assert_at_rest,
    on_wix,
    played,
    reviews,
    stands,
    swept,
    writes,
)
from tests.simulation.scenarios import Story, changes, deletes, moderates, rates
from tests.simulation.world import LedgerMaker, World
from tests.twins.memory_ledger import memory_ledger

LEAVES_OUT: dict[str, Any] = {"wix": replace(KEEPS, shows_hidden=False), "leaves_out": True}
IMPORTED = (rates(E, value=4), on_wix(PUBLISHED))
make = pytest.mark.parametrize("make", MAKERS)


def seen(*acts: Story, make_ledger: LedgerMaker = memory_ledger, **more: object) -> World:
    """An import is published and known as such; then nothing but sweeps tells."""
    world = swept(*IMPORTED, make_ledger=make_ledger, **{**LEAVES_OUT, **more})
    for act in acts:
        act(world)
        for _ in range(2):
            world.now += 3600.0
            world.sweep()
            world.drain()
    return world


@make
def test_import_rejected_unseen_keeps_its_source_and_is_held(make: LedgerMaker) -> None:
    world = seen(on_wix(REJECTED), make_ledger=make)
    assert stands(world) == (("80", "rejected"), ("4", "published"))
    assert set(world.ledger.held_reasons()) == {"maybe_unpublished"}
    world.settle()
    assert set(world.ledger.held_reasons()) == {"maybe_unpublished"}
    assert writes(world) == {"create on wix": 1}


@make
def test_hold_ends_when_the_review_is_shown_again(make: LedgerMaker) -> None:
    world = seen(on_wix(REJECTED), on_wix(PUBLISHED), make_ledger=make)
    assert stands(world) == (("80", "published"), ("4", "published"))
    assert_at_rest(world)


@make
def test_hold_ends_when_we_are_shown_that_it_is_rejected(make: LedgerMaker) -> None:
    """The app was given the permission that it lacked."""

    def may_read_all(world: World) -> None:
        world.wix.leaves_out = False

    world = seen(on_wix(REJECTED), may_read_all, make_ledger=make)
    assert stands(world) == (("80", "rejected"), ("4", "published"))
    assert_at_rest(world)


@make
def test_deletion_that_wix_tells_of_crosses(make: LedgerMaker) -> None:
    world = seen(on_wix(REJECTED), make_ledger=make)
    world.chance.faults = replace(world.chance.faults, drop=0.0)
    on_wix(PUBLISHED)(world)
    world.drain()
    deletes(W)(world)
    world.drain()
    assert stands(world) == (None, None)
    world.settle()
    assert_at_rest(world)


def test_deletion_that_wix_tells_of_ends_the_hold() -> None:
    """Nobody has shown it again before: it was published when we last saw it."""
    world = seen(on_wix(REJECTED))
    world.chance.faults = replace(world.chance.faults, drop=0.0)
    deletes(W)(world)
    world.drain()
    assert stands(world) == (None, None)
    world.settle()
    assert_at_rest(world)


def test_edit_outside_waits_beside_the_hold_without_a_storm() -> None:
    world = seen(on_wix(REJECTED), changes(E, value=2))
    assert stands(world) == (("80", "rejected"), ("2", "published"))
    before = sum(world.wix.calls.values())
    assert "maybe_unpublished" in world.ledger.held_reasons()
    assert world.wix.calls["update"] == 0
    world.now += 24 * 3600.0
    world.drain()
    assert sum(world.wix.calls.values()) == before
    on_wix(PUBLISHED)(world)
    world.settle()
    assert stands(world) == (("40", "published"), ("2", "published"))
    assert_at_rest(world)


def test_edit_outside_before_any_sweep_tells_us_that_it_is_rejected() -> None:
    """Our update is answered with the review as it is."""
    world = seen()
    on_wix(REJECTED)(world)
    world.chance.faults = replace(world.chance.faults, drop=0.0)
    world.wix.on_event = lambda event: None
    changes(E, value=2)(world)
    world.drain()
    assert stands(world) == (("40", "rejected"), ("2", "published"))
    assert_at_rest(world)


@pytest.mark.parametrize("act", [deletes(E), moderates(PENDING)], ids=["deleted", "hidden"])
def test_source_that_goes_takes_the_copy_out_of_sight_along(act: Story) -> None:
    world = seen(on_wix(REJECTED), act)
    wix, external = stands(world)
    assert wix is None or wix[1] == "rejected"
    assert external is None or external[1] == "pending"
    world.settle()
    assert "maybe_unpublished" not in world.ledger.held_reasons()


def test_deletion_found_by_sweeps_crosses_where_wix_shows_what_is_hidden() -> None:
    world = seen(deletes(W), wix=KEEPS)
    assert stands(world) == (None, None)


def test_policy_that_takes_sources_along_asks_nobody() -> None:
    policy = Policy.of({"rejected_import": "delete"})
    world = seen(on_wix(REJECTED), policy=policy)
    assert stands(world)[1] is None


def test_visitors_review_that_is_not_shown_any_more_goes_outside() -> None:
    """Rejected or deleted: either takes it along, as policy says."""
    world = swept(rates(W, overall=80), on_wix(PUBLISHED), on_wix(REJECTED), **LEAVES_OUT)
    assert stands(world) == (("80", "rejected"), None)


def unseen_keeps_its_source() -> bool:
    return stands(seen(on_wix(REJECTED)))[1] == ("4", "published")


MISSED: dict[str, Callable[[], bool]] = {"hidden from us": unseen_keeps_its_source}


@pytest.mark.parametrize("mechanism", sorted(MISSED))
def test_story_misses_the_mechanism(mechanism: str) -> None:
    assert MISSED[mechanism]()
    with without(mechanism):
        assert not MISSED[mechanism]()


def test_import_heard_of_by_events_is_held_too() -> None:
    """The event of the rejection is lost; the sweeps do not see the review."""
    world = played(*IMPORTED, **LEAVES_OUT, people=4)
    world.wix.on_event = lambda event: None
    on_wix(REJECTED)(world)
    for _ in range(3):
        world.now += 3600.0
        world.sweep()
        world.drain()
    assert stands(world)[1] == ("4", "published")


# -- a twin that nobody is shown stands in the way


def twin_out_of_sight(*, make_ledger: LedgerMaker = memory_ledger) -> World:
    world = World(0, reviews(**LEAVES_OUT), make_ledger)
    rates(W, overall=80)(world)
    world.drain()
    rates(E, value=4)(world)
    world.drain()
    return world


@make
def test_create_refused_for_a_twin_that_no_look_shows_is_held(make: LedgerMaker) -> None:
    """After few calls, with what the remote said; it was tried for 48 hours."""
    world = twin_out_of_sight(make_ledger=make)
    assert world.ledger.held_reasons() == ["duplicate_unseen"]
    assert world.wix.calls["create"] == 4
    assert world.wix.calls.total() <= 8
    refusals = [one for one in world.ledger.history_entries() if one.what == "refused"]
    assert len(refusals) == 1
    before = world.wix.calls.total()
    world.now += 48 * 3600.0
    world.drain()
    assert world.wix.calls.total() == before


@make
def test_hold_for_an_unseen_twin_ends_when_it_is_shown(make: LedgerMaker) -> None:
    world = twin_out_of_sight(make_ledger=make)
    on_wix(PUBLISHED)(world)
    world.settle()
    assert stands(world) == (("80", "published"), ("4", "published"))
    assert_at_rest(world)


def test_look_at_an_unseen_twin_asks_once() -> None:
    world = twin_out_of_sight()
    before = world.wix.calls["create"]
    world.now += 3600.0
    world.sweep()
    world.drain()
    assert world.wix.calls["create"] == before + 1
    assert set(world.ledger.held_reasons()) == {"duplicate_unseen"}


def test_search_that_lags_for_a_moment_holds_nothing() -> None:
    world = World(0, reviews(new_on_wix=PUBLISHED, wix=KEEPS), memory_ledger)
    world.wix.on_event = lambda event: None
    rates(W, overall=80)(world)
    world.wix.on_event = world.tell
    lags = [None, None]
    world.wix.find_lags = lambda: bool(lags) and lags.pop() is None
    rates(E, value=4)(world)
    world.drain()
    assert stands(world) == (("80", "published"), ("4", "published"))
    assert_at_rest(world)
