"""How long a rating takes from one side to the other while nothing else happens: real processes, both stand-ins."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from sandbox.server import SandboxOptions
from sandbox.stage import Stage

PRODUCTS = {f"product-{number}": f"SKU-{number}" for number in range(200)}
PAUSE_SECONDS = 0.15
END_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from a visitor's act on one side until the record stands on the other, sorted."""

    way: str
    milliseconds: list[float]

    def at(self, share: float) -> float:
        return self.milliseconds[int((len(self.milliseconds) - 1) * share)]


def measure(count: int) -> list[Latency]:
    """``count`` new ratings each way, one after the other, each seen through before the next."""
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with tempfile.TemporaryDirectory(prefix="ratings-sync-bench-") as folder:
        settings = {"WIX_BUDGET_PER_MINUTE": "60000", "WIX_BUDGET_CAPACITY": "1000"}
        stage = Stage(Path(folder), environ, PRODUCTS, settings, SandboxOptions(rate_per_minute=None))
        with stage:
            ada = stage.add_person("ada@example.com", "Ada")
            wix, reviews = stage.box.wix.ratings, stage.box.reviews.ratings
            names = list(PRODUCTS)
            half = len(names) // 2

            def on_wix(number: int) -> None:
                stage.rate_on_wix(ada, names[number], 80)

            def outside(number: int) -> None:
                stage.rate_on_external("ada@example.com", "Ada", names[half + number], Decimal(4))

            return [
                Latency("Wix to external", _times(min(count, half), on_wix, lambda: len(reviews))),
                Latency("external to Wix", _times(min(count, half), outside, lambda: len(wix))),
            ]


def _times(count: int, act: Callable[[int], None], there: Callable[[], int]) -> list[float]:
    times = []
    for number in range(count + 3):  # the first three warm up: token, scripts, connections
        before, started = there(), time.monotonic()
        act(number)
        while there() == before:
            if time.monotonic() - started > END_SECONDS:
                raise RuntimeError("a rating did not cross")
            time.sleep(0.001)
        times.append((time.monotonic() - started) * 1000)
        time.sleep(PAUSE_SECONDS)
    return sorted(times[3:])
