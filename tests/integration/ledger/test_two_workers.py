"""Two workers, or three, with the same deliveries in hand: whatever they do, all words stand."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from tests.integration.ledger.ground import Ground
from tests.integration.ledger.two_workers import (
    BEGINNINGS,
    STEPS,
    Hands,
    broken,
    rows_in_memory,
    rows_in_sql,
    take,
)
from tests.ledgers import empty_tables
from tests.twins.memory_ledger import memory_ledger
from tests.twins.observed_ledger import ObservedLedger

MAX_STEPS = 10
Story = list[str]


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Grounds:
    """One ledger in SQL for all stories of a test, emptied before each; its clock is virtual."""

    sql: ObservedLedger
    clock: Clock = field(default_factory=Clock)

    def begun(self, ledger: Any, beginning: str) -> Hands:
        ground = Ground(ledger, None).set_up()
        hands = Hands(ledger, ground.site_id, ground.key)
        BEGINNINGS[beginning](hands)
        hands.look()
        return hands

    def in_sql(self, beginning: str) -> Hands:
        empty_tables(self.sql.engine)
        self.sql.accounts.cache.clear()
        return self.begun(self.sql, beginning)

    def in_memory(self, beginning: str) -> Hands:
        return self.begun(memory_ledger(self.clock), beginning)


@pytest.fixture(scope="module")
def grounds() -> Iterator[Grounds]:
    clock = Clock()
    engine = open_engine("sqlite://", clock=clock)
    upgrade(engine)
    yield Grounds(ObservedLedger(engine), clock)
    engine.dispose()


def chosen(seed: int) -> tuple[str, Story]:
    dice = random.Random(seed)
    story = [dice.choice(["look", *STEPS]) for _ in range(MAX_STEPS)]
    return dice.choice(list(BEGINNINGS)), story


def told(grounds: Grounds, beginning: str, story: Story) -> None:
    """Step by step in SQL and in memory: both end alike each time, and every word stands."""
    both = grounds.in_sql(beginning), grounds.in_memory(beginning)
    so_far: Story = []
    for name in story:
        so_far.append(name)
        grounds.clock.now += 5.0
        if name == "look":
            for hands in both:
                hands.look()
            continue
        failed = [take(STEPS[name], hands) for hands in both]
        assert failed[0] == failed[1], (beginning, so_far)
        rows = rows_in_sql(both[0].ledger)
        assert broken(rows) == [], (beginning, so_far)
        assert rows_in_memory(both[1].ledger) == rows, (beginning, so_far)


@pytest.mark.parametrize("first_seed", range(0, 40, 20))
def test_twin_ends_as_sql_does_whatever_workers_do(grounds: Grounds, first_seed: int) -> None:
    for seed in range(first_seed, first_seed + 20):
        told(grounds, *chosen(seed))


@pytest.mark.full
@pytest.mark.parametrize("first_seed", range(40, 290, 125))
def test_twin_ends_as_sql_does_in_hundreds_of_ways(grounds: Grounds, first_seed: int) -> None:
    for seed in range(first_seed, first_seed + 125):
        told(grounds, *chosen(seed))


@pytest.mark.long
@pytest.mark.parametrize("first_seed", range(290, 10_290, 500))
def test_twin_ends_as_sql_does_in_thousands_of_ways(grounds: Grounds, first_seed: int) -> None:
    for seed in range(first_seed, first_seed + 500):
        told(grounds, *chosen(seed))
