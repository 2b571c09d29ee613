"""A site that hangs and one that floods hold up nobody else, by the clock."""

from __future__ import annotations

import pytest

from tests.simulation.ablations import without
from tests.simulation.neighbours import MANY, MOST_SECONDS, RATINGS, Neighbours
from tests.simulation.oracles import broken_invariants
from tests.simulation.oracles.waiting import waited_for_others

OF_NEIGHBOURS = ("share of the slots", "turns of sites")


def who_waits(neighbours: Neighbours) -> list[str]:
    now = neighbours.world.now
    found = (waited_for_others(shop, now, MOST_SECONDS) for shop in neighbours.quiet)
    return [one for some in found for one in some]


def test_quiet_sites_wait_for_no_neighbour_and_no_rating_is_lost() -> None:
    neighbours = Neighbours()
    neighbours.play()
    assert who_waits(neighbours) == []
    neighbours.end()
    brought = [len(shop.external.records) for shop in neighbours.world.shops]
    assert brought == [MANY, MANY, RATINGS, RATINGS, RATINGS]
    assert broken_invariants(neighbours.world) == []


@pytest.mark.parametrize("mechanism", OF_NEIGHBOURS)
def test_wait_for_a_neighbour_is_noticed(mechanism: str) -> None:
    with without(mechanism):
        neighbours = Neighbours()
        neighbours.play()
        assert len(who_waits(neighbours)) == 3 * RATINGS
