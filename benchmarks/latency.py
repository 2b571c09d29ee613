"""How long a rating takes from one side to the other while nothing else happens: real processes,
both stand-ins.

Measured beyond the remotes' own time: a rating that crosses costs one remote call. Half its
latency, the way there, is subtracted: then the record stands.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from decimal import Decimal

from benchmarks.charts import Lines
from benchmarks.ground import a_stage
from benchmarks.report import Section, Table, at_most
from sync_sandbox.stage import Stage

PAUSE_SECONDS = 0.1
END_SECONDS = 20.0
WARM_UP = 3  # token, scripts, connections
WAY_THERE = 0.5  # of the latency of the one call, the create: then the stand-ins carry it out
WAYS = ("Wix to external", "external to Wix")


@dataclass(frozen=True, slots=True)
class Size:
    databases: tuple[str, ...] = ("postgresql", "sqlite")
    latencies_ms: tuple[int, ...] = (0, 80)
    count: int = 50  # ratings each way


QUICK = Size(("sqlite",), (20,), 3)


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from a visitor's act on one side until the record stands on the other, less the
    remote's; sorted.
    """

    database: str
    way: str
    remote_ms: int
    milliseconds: list[float]

    def at(self, share: float) -> float:
        return self.milliseconds[int((len(self.milliseconds) - 1) * share)]


def measure(database: str, size: Size) -> list[Latency]:
    with a_stage(database, products(size)) as stage:
        return measure_on(stage, database, size)


def products(size: Size) -> dict[str, str]:
    """What is rated: each once."""
    count = (size.count + WARM_UP) * len(WAYS) * len(size.latencies_ms)
    return {f"idle-{number}": f"IDLE-{number}" for number in range(count)}


def measure_on(stage: Stage, database: str, size: Size) -> list[Latency]:
    """New ratings, each seen through before the next. Raises RuntimeError if one does not cross."""
    ada = stage.add_person("ada@example.com", "Ada")
    fresh = iter(products(size))

    def on_wix() -> None:
        stage.rate_on_wix(ada, next(fresh), 80)

    def outside() -> None:
        stage.rate_on_external("ada@example.com", "Ada", next(fresh), Decimal(4))

    found = []
    for remote_ms in size.latencies_ms:
        stage.box.wix.faults.latency_ms = stage.box.reviews.faults.latency_ms = remote_ms
        acts = [(on_wix, stage.box.reviews.ratings), (outside, stage.box.wix.ratings)]
        for way, (act, other_side) in zip(WAYS, acts, strict=True):
            times = _times(size.count + WARM_UP, act, other_side.__len__)[WARM_UP:]
            found.append(
                Latency(
                    database, way, remote_ms, sorted(ms - WAY_THERE * remote_ms for ms in times)
                )
            )
    return found


def _times(count: int, act: Callable[[], None], there: Callable[[], int]) -> list[float]:
    times = []
    for _ in range(count):
        before, started = there(), time.monotonic()
        act()
        while there() == before:
            if time.monotonic() - started > END_SECONDS:
                raise RuntimeError("a rating did not cross")
            time.sleep(0.0005)
        times.append((time.monotonic() - started) * 1000)
        time.sleep(PAUSE_SECONDS)  # the echo comes, is recognised and ends
    return times


def run(size: Size) -> Section:
    return section(size, [one for database in size.databases for one in measure(database, size)])


def section(size: Size, found: list[Latency]) -> Section:
    head = ("database", "way", "remotes' latency", "median beyond it", "9 of 10", "longest")
    rows = [
        (
            one.database,
            one.way,
            f"{one.remote_ms} ms",
            *(f"{one.at(share):.0f} ms" for share in (0.5, 0.9, 1.0)),
        )
        for one in found
    ]
    curves = {
        f"{one.database}, {one.way}, {one.remote_ms} ms": [
            (value, 100 * (place + 1) / len(one.milliseconds))
            for place, value in enumerate(one.milliseconds)
        ]
        for one in found
    }
    return Section(
        "latency",
        "From one side to the other, idle",
        "From a visitor's act on one side until the record stands on the other, less the way there"
        f" of the one remote call (half its latency); {size.count} new ratings each way, one at a"
        " time, each with its echo seen through. The time includes what the stand-ins need to sign"
        " and to answer.",
        [
            at_most(
                f"{one.database}, {one.way}, remotes of {one.remote_ms} ms: median beyond",
                50,
                one.at(0.5),
                "ms",
            )
            for one in found
        ],
        [Table(head, rows)],
        [
            Lines(
                "latency",
                "Ratings that have crossed",
                "ms beyond the remote's latency",
                "%",
                curves,
            )
        ],
        [asdict(one) for one in found],
    )
