"""A create of ours whose record somebody deletes before we know that we made it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.simulation.ablations import without
from tests.simulation.chaos import run_seed
from tests.simulation.moderated import (
    PUBLISHED,
    REJECTED,
    E,
    W,
    assert_at_rest,
    on_wix,
    reviews,
    stands,
    writes,
)
from tests.simulation.oracles import broken_invariants
from tests.simulation.scenarios import Story, deletes, ending_of, rates
from tests.simulation.steps import in_three_parts
from tests.simulation.test_ablation import work_until
from tests.simulation.world import CALM, LedgerMaker, Options, World
from tests.twins.memory_ledger import memory_ledger

PLAIN = Options(CALM, people=1)


def cut_short(rating: Story, options: Options, make_ledger: LedgerMaker = memory_ledger) -> World:
    """The worker dies at its create."""
    world = World(0, options, make_ledger)
    rating(world)
    work_until(world, lambda: all(remote.records for remote in world.remotes.values()))
    return world


def told_of_both(make_ledger: LedgerMaker, **more: object) -> World:
    """What it made is deleted before anybody looks."""
    world = cut_short(rates(E, value=4), reviews(**more), make_ledger)
    hear_all(world)
    deletes(W)(world)
    hear_all(world)
    return world


def deleted_at_once(make_ledger: LedgerMaker, crash: int = 0, **more: object) -> World:
    """``crash``: at which step whoever looks then dies; 0: nobody does."""
    world = told_of_both(make_ledger, **more)
    world.crash_steps = {crash}
    world.settle()
    return world


def hear_all(world: World) -> None:
    """While the lease of the dead worker lasts: nobody can work on the rating."""
    while world.step_in_order():
        pass


def test_import_deleted_before_it_was_known_keeps_its_source(make_ledger: LedgerMaker) -> None:
    """Nobody has seen it on Wix: as where its write was known, it is none that goes outside."""
    world = deleted_at_once(make_ledger)
    assert stands(world) == (None, ("4", "published"))
    assert writes(world) == {"create on wix": 1}
    lines = [(line.what, line.reason) for line in world.ledger.history_entries()]
    assert lines.count(("ignore", "rejected_import")) == 1
    assert_at_rest(world)


@in_three_parts()
def test_source_stays_wherever_a_worker_dies_that_finds_its_import_gone(
    chosen: Callable[[range], list[int]],
) -> None:
    """Also between the commit that finds it gone and the plan."""
    first = told_of_both(memory_ledger).steps + 1
    for crash in chosen(range(first, deleted_at_once(memory_ledger).steps + 1)):
        world = deleted_at_once(memory_ledger, crash)
        assert stands(world) == (None, ("4", "published")), crash
        assert writes(world) == {"create on wix": 1}, crash
        assert broken_invariants(world) == [], crash


def test_published_import_deleted_before_it_was_known_goes(make_ledger: LedgerMaker) -> None:
    world = deleted_at_once(make_ledger, new_on_wix=PUBLISHED)
    assert stands(world) == (None, None)


def test_import_that_was_only_rejected_at_once_agrees_with_its_source(
    make_ledger: LedgerMaker,
) -> None:
    """Told of it before us, the ledger took it for gone: a look finds it, as it was made."""
    world = cut_short(rates(E, value=4), reviews(), make_ledger)
    world.wix.names_origin = False
    (record,) = world.wix.records.values()
    world.wix.records[record.remote_id] = replace(record, is_ours=None)
    world.post.webhooks.clear()
    on_wix(REJECTED)(world)
    hear_all(world)
    world.settle()
    assert stands(world) == (("80", "rejected"), ("4", "published"))
    assert_at_rest(world)


def test_source_goes_where_nobody_remembers_what_was_deleted_at_once() -> None:
    with without("what was deleted at once"):
        world = deleted_at_once(memory_ledger)
        assert stands(world) == (None, None)


# -- its deletion is heard before its creation


def deleted_and_told_backwards(
    rating: Story, made_on: Story, make_ledger: LedgerMaker = memory_ledger
) -> World:
    """All is told before anybody looks."""
    world = cut_short(rating, PLAIN, make_ledger)
    made_on(world)
    world.post.webhooks.reverse()
    hear_all(world)
    world.settle()
    return world


WAYS = pytest.mark.parametrize(
    ("rating", "made_on"),
    [(rates(E, value=4), deletes(W)), (rates(W, overall=80), deletes(E))],
    ids=["made on wix", "made outside"],
)


@WAYS
def test_create_whose_deletion_is_heard_first_is_sent_once(
    rating: Story, made_on: Story, make_ledger: LedgerMaker
) -> None:
    """It had landed: the deletion crosses, and nothing is made anew that somebody deleted."""
    world = deleted_and_told_backwards(rating, made_on, make_ledger)
    assert ending_of(world) == (None, None)
    assert sorted(writes(world).values()) == [1, 1]
    assert_at_rest(world)


def test_create_is_sent_twice_where_nobody_asks_whose_record_is_gone() -> None:
    with without("deletion heard before its creation"):
        world = deleted_and_told_backwards(rates(E, value=4), deletes(W))
        assert ending_of(world) == ("80", "4")


@pytest.mark.parametrize("seed", [5, 70095])
def test_seeds_that_deleted_a_source_for_nothing(seed: int) -> None:
    assert run_seed("reviews, pictures, no revisions outside", seed) == []
