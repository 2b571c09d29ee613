"""All choices of a world, from its seed, at the odds of its faults."""

from __future__ import annotations

import random

from tests.simulation.tries import REFUSALS
from tests.simulation.world.options import Faults


class Chance:
    """``faults`` may be changed while the world goes on."""

    def __init__(self, seed: int, faults: Faults) -> None:
        self.random = random.Random(seed)
        # Its own, so that the other choices of a seed stay what they were.
        self._of_clock = random.Random(f"clock {seed}")
        self._of_jumps = random.Random(f"clock ahead {seed}")
        self.faults = faults

    def happens(self, probability: float) -> bool:
        return probability > 0 and self.random.random() < probability

    def fault_of(self, operation: str) -> str | None:
        """What goes wrong with a call of a remote."""
        faults = self.faults
        for name in ("limited", "refused_connection", "request_lost", "response_lost"):
            if self.happens(getattr(faults, name)):
                return name
        if operation == "get" and self.happens(faults.false_gone):
            return "false_gone"
        if operation in ("update", "delete") and self.happens(faults.not_done):
            return "not_done"
        return None

    def refusal_of_a_later_try(self) -> int | None:
        if not self.happens(self.faults.refused_again):
            return None
        return self.random.randrange(len(REFUSALS))

    def sets_clock_back(self) -> bool:
        return self._of_clock.random() < self.faults.clock_set_back

    def sets_clock_ahead(self) -> bool:
        return self._of_jumps.random() < self.faults.clock_set_ahead

    def seconds_ahead(self) -> float:
        """Until somebody notices: a moment, or hours."""
        return self._of_jumps.choice((1.0, 60.0, 7200.0))
