"""An import that its owner deletes on Wix before we know that we made it."""

from __future__ import annotations

import pytest

from tests.simulation.ablations import without
from tests.simulation.chaos import run_seed
from tests.simulation.moderated import PUBLISHED, E, W, assert_at_rest, reviews, stands, writes
from tests.simulation.scenarios import deletes, rates
from tests.simulation.test_ablation import work_until
from tests.simulation.world import LedgerMaker, World
from tests.twins.memory_ledger import memory_ledger


def deleted_at_once(make_ledger: LedgerMaker, **more: object) -> World:
    """The worker dies at its create, and what it made is deleted before anybody looks."""
    world = World(0, reviews(**more), make_ledger)
    rates(E, value=4)(world)
    work_until(world, lambda: bool(world.wix.records))
    hear_all(world)
    deletes(W)(world)
    hear_all(world)
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
    assert ("ignore", "rejected_import") in lines
    assert_at_rest(world)


def test_published_import_deleted_before_it_was_known_goes(make_ledger: LedgerMaker) -> None:
    world = deleted_at_once(make_ledger, new_on_wix=PUBLISHED)
    assert stands(world) == (None, None)


def test_source_goes_where_nobody_remembers_what_was_deleted_at_once() -> None:
    with without("what was deleted at once"):
        world = deleted_at_once(memory_ledger)
        assert stands(world) == (None, None)


@pytest.mark.parametrize("seed", [5, 70095])
def test_seeds_that_deleted_a_source_for_nothing(seed: int) -> None:
    assert run_seed("reviews, pictures, no revisions outside", seed) == []
