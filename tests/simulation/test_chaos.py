"""Seeded chaos over the real engine: no schedule of faults breaks an invariant.

More seeds by command: ``python -m tests.simulation.chaos --seeds 100000``.
"""

from __future__ import annotations

import pytest

from tests.simulation.chaos import SCENES, run_seed

SEEDS_PER_SCENE = 20


@pytest.mark.parametrize("scene", sorted(SCENES))
def test_no_seed_breaks_an_invariant(scene: str) -> None:
    for seed in range(SEEDS_PER_SCENE):
        assert run_seed(scene, seed) == []
