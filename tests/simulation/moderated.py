"""A world of Wix Reviews, where whether a record is published is part of its state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from sync_worker.core.values import RecordState, Side
from tests.simulation.scenarios import Story, moderates
from tests.simulation.world import CALM, LedgerMaker, Options, World
from tests.twins.memory_ledger import memory_ledger
from tests.twins.memory_system import REVIEWS_CAPABILITIES

W, E = Side.WIX, Side.EXTERNAL
PENDING, REJECTED = RecordState.PENDING, RecordState.REJECTED
PUBLISHED = RecordState.PUBLISHED
KEEPS = REVIEWS_CAPABILITIES
BUMPS = replace(REVIEWS_CAPABILITIES, revision_covers_state=True)
either = pytest.mark.parametrize("wix", [KEEPS, BUMPS], ids=["keeps", "bumps"])


def reviews(**more: object) -> Options:
    options = Options(CALM, people=1, wix=KEEPS, new_on_wix=PENDING)
    return replace(options, **more)  # type: ignore[arg-type]  # of many types


def on_wix(state: RecordState) -> Story:
    """The owner decides."""

    def act(world: World) -> None:
        world.wix.moderator_sets(wix_id(world), state)

    return act


def wix_id(world: World) -> str:
    (record,) = world.wix.of(world.entities[0][0], world.persons[0])
    return record.remote_id


def played(*acts: Story, make_ledger: LedgerMaker = memory_ledger, **more: object) -> World:
    """Each act is told before the next one."""
    world = World(0, reviews(**more), make_ledger)
    for act in acts:
        act(world)
        world.drain()
    return world


def swept(*acts: Story, make_ledger: LedgerMaker = memory_ledger, **more: object) -> World:
    """No event arrives: two sweeps after each act tell."""
    world = World(0, reviews(people=4, **more), make_ledger)
    world.chance.faults = replace(CALM, drop=1.0)
    rate_beside(world)
    for act in acts:
        act(world)
        for _ in range(2):
            world.now += 3600.0
            world.sweep()
            world.drain()
    return world


def rate_beside(world: World) -> None:
    """Two others on both sides: a listing that shows under half of what is on file is not
    believed.
    """
    for number in range(2, 4):
        for side, name in ((W, "overall"), (E, "value")):
            entity, value = world.entities[0][side is E], {W: 80, E: 4}[side]
            made = world.remotes[side].visitor_rates(
                entity, world.persons[number], {name: Decimal(value)}
            )
            world.remotes[side].moderator_sets(made.remote_id, PUBLISHED)


by_either_way = pytest.mark.parametrize("way", [played, swept], ids=["events", "sweeps"])
Way = Callable[..., World]


def stands(world: World) -> tuple[tuple[str, str] | None, tuple[str, str] | None]:
    """What each side holds, whoever sees it, and in which state."""
    shown = []
    for side, name in ((W, "overall"), (E, "value")):
        entity = world.entities[0][side is E]
        records = world.remotes[side].of(entity, world.persons[0])
        assert len(records) < 2
        shown.append(next(((str(one.values[name]), str(one.state)) for one in records), None))
    return shown[0], shown[1]


def assert_at_rest(world: World) -> None:
    assert world.ledger.held_reasons() == []
    assert world.ledger.open_intents() == 0


def writes(world: World) -> Counter[str]:
    return Counter(
        f"{entry.operation} on {side}"
        for side, remote in world.remotes.items()
        for entry in remote.journal
        if entry.by_us
    )


# -- the tests are tested: each mechanism, switched off, is missed

PUBLISHED_ON_WIX, REJECTED_ON_WIX = on_wix(PUBLISHED), on_wix(REJECTED)
HIDDEN, SHOWN = moderates(PENDING), moderates(PUBLISHED)
