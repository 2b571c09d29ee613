"""Seeded chaos over the real engine: no schedule of faults breaks an invariant.

More seeds by command: ``python -m tests.simulation.chaos --seeds 100000``.
"""

from __future__ import annotations

import pytest

from tests.simulation.chaos import SCENES, run_seed, sql_ledger

SEEDS = 140  # for each scene: above 5,000 in all
SQL_SEEDS = 12  # the same on the real SQL ledger: several hundred in all


def test_there_are_more_than_5000_seeds() -> None:
    assert len(SCENES) * SEEDS > 5000
    assert len(SCENES) * SQL_SEEDS > 400


@pytest.mark.parametrize("scene", sorted(SCENES))
def test_no_seed_breaks_an_invariant(scene: str) -> None:
    assert [(seed, broken) for seed in range(SEEDS) if (broken := run_seed(scene, seed))] == []


@pytest.mark.parametrize("scene", sorted(SCENES))
def test_no_seed_breaks_an_invariant_on_the_sql_ledger(scene: str) -> None:
    assert [(seed, broken) for seed in range(SQL_SEEDS) if (broken := run_seed(scene, seed, sql_ledger))] == []


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("scene", sorted(SCENES))
def test_no_seed_of_many_breaks_an_invariant(scene: str) -> None:
    assert [(seed, broken) for seed in range(20_000) if (broken := run_seed(scene, seed))] == []
