"""I27: events, sweeps, polls and a baseline of one history end the same on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest

from sync_worker.core.ports.remote import Capabilities
from tests.simulation.ablations import without
from tests.simulation.histories import a_history
from tests.simulation.oracles.same_end import Act, ends_differently
from tests.simulation.scenes import NO_REVISION
from tests.simulation.world import CALM, Options, World
from tests.twins.memory_system import REVIEWS_CAPABILITIES

NUMBERED = Capabilities(many_fields=True)
SHOP = Options(CALM, people=7, entities=2, external=NO_REVISION, moves=1.0)
SERVICE = Options(CALM, people=7, entities=2, external=NUMBERED, moves=1.0)
SCENES = {
    "shop": SHOP,
    "service": SERVICE,
    "reviews": Options(CALM, people=7, wix=REVIEWS_CAPABILITIES, moderation=True),
    "moderated shop": Options(CALM, people=7, external=NO_REVISION, moderation=True),
}


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize(
    "seeds", [range(4), pytest.param(range(4, 40), marks=pytest.mark.full)], ids=str
)
def test_every_way_ends_the_same(scene: str, seeds: range) -> None:
    options = SCENES[scene]
    for seed in seeds:
        assert list(ends_differently(options, a_history(seed, options))) == [], seed


def rates(world: World, made: dict[int, str]) -> None:
    entity, person = world.entities[0][1], world.persons[1]
    made[0] = world.external.visitor_rates(entity, person, {"value": Decimal(4)}).remote_id


def writes_again_without_stars(world: World, made: dict[int, str]) -> None:
    entity, person = world.entities[0][1], world.persons[1]
    made[1] = world.external.visitor_rates(entity, person, {}).remote_id


def gives_stars_to_it(world: World, made: dict[int, str]) -> None:
    world.external.visitor_changes(made[1], {"value": Decimal(1)})


def moves(world: World, made: dict[int, str]) -> None:
    world.external.owner_moves(made[0], person=world.persons[2])


def test_follow_up_that_gets_its_stars_later_counts_by_every_way() -> None:
    acts: Sequence[Act] = (rates, writes_again_without_stars, gives_stars_to_it)
    assert list(ends_differently(SHOP, acts)) == []


# -- the oracle is tested: each of these is wrong by one way only


@pytest.mark.parametrize(
    ("mechanism", "acts"),
    [
        ("rated before unrated", (rates, writes_again_without_stars)),
        ("whose a listed record is", (rates, moves)),
        ("whose a record is", (rates, moves)),
    ],
)
def test_oracle_misses_the_mechanism(mechanism: str, acts: Sequence[Act]) -> None:
    with without(mechanism):
        assert list(ends_differently(SHOP, acts))
