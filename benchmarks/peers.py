"""Bursts of new ratings through ours and through the flow of a tutorial, with equal calls in flight
and in turns: rate, calls, processor time of all processes, memory, and what each loses.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import memory_of, processor_seconds_of
from benchmarks.peers_flows import (
    OURS,
    TUTORIAL,
    Flow,
    Person,
    our_flow,
    people_of,
    rate,
    tutorial_flow,
)
from sync_worker.runtime.waiting import wait_until

WAYS = ("Wix to shop", "shop to Wix")
FAULTS: dict[str, Callable[[Flow], None]] = {
    "worker killed": lambda flow: flow.kill_worker(),
    "Redis wiped": lambda flow: flow.wipe_redis(),
}
FAULT_AT = 0.25  # of the burst: so much has crossed when the fault strikes
FAULT_LATENCY_MS = 20
END_SECONDS = 120.0  # of a burst without faults
PRESSURE = Path("/proc/pressure/cpu")


@dataclass(frozen=True, slots=True)
class Size:
    """``count``: ratings in a burst; ``patience``: seconds without any progress after which what
    has not crossed counts as lost.
    """

    databases: tuple[str, ...] = ("postgresql", "sqlite")
    slots: tuple[int, ...] = (8, 16)
    latencies_ms: tuple[int, ...] = (0, 80)
    rounds: int = 5
    count: int = 150
    faults: tuple[str, ...] = ("worker killed", "Redis wiped")
    patience: float = 75.0

    @property
    def products(self) -> dict[str, str]:
        """One for each burst."""
        bursts = len(WAYS) * (1 + len(self.latencies_ms) * self.rounds) + len(self.faults)
        return {f"peer-{number}": f"PEER-{number}" for number in range(bursts)}


QUICK = Size(("sqlite",), (4,), (20,), 1, 12, ("Redis wiped",), 15.0)


@dataclass(frozen=True, slots=True)
class Burst:
    """``calls``: to remotes, for each rating. ``cpu_ms``: of each process, for each rating, echoes
    seen through; ``stand_ins_ms``: of the stand-ins and the visitors. ``pressure``: share of the
    time in which somebody waited for a core.
    """

    flow: str
    way: str
    latency_ms: int
    each_second: float
    calls: float
    cpu_ms: dict[str, float]
    stand_ins_ms: float
    pressure: float

    @property
    def total_cpu_ms(self) -> float:
        return sum(self.cpu_ms.values())


@dataclass(frozen=True, slots=True)
class Loss:
    """What a fault in the middle of a burst left. ``doubled``: creates beyond one a rating."""

    flow: str
    fault: str
    ratings: int
    lost: int
    doubled: int


@dataclass(frozen=True, slots=True)
class Match:
    """All turns of both on one database with so many calls in flight. ``memory_mb``: own memory of
    all processes together, by flow.
    """

    database: str
    slots: int
    bursts: Sequence[Burst]
    losses: Sequence[Loss]
    memory_mb: dict[str, float]

    def of(self, flow: str, way: str, latency_ms: int) -> list[Burst]:
        """In the order of the rounds."""
        case = (flow, way, latency_ms)
        return [one for one in self.bursts if (one.flow, one.way, one.latency_ms) == case]

    def ratio(self, way: str, latency_ms: int) -> float:
        """How many times as fast ours was: the median of the rounds, each against its own turn."""
        pairs = zip(self.of(OURS, way, latency_ms), self.of(TUTORIAL, way, latency_ms), strict=True)
        return statistics.median(ours.each_second / theirs.each_second for ours, theirs in pairs)


def measure(size: Size) -> list[Match]:
    """Raises RuntimeError if a burst without faults does not get through."""
    return [_match(database, slots, size) for database in size.databases for slots in size.slots]


def _match(database: str, slots: int, size: Size) -> Match:
    with ExitStack() as stack:
        flows: list[Flow] = [
            stack.enter_context(our_flow(database, slots, size.products)),
            stack.enter_context(tutorial_flow(slots, size.products)),
        ]
        players = {flow.name: Player(flow, people_of(flow, size.count)) for flow in flows}
        for player in players.values():  # tokens, connections, and the maps of people
            for way in WAYS:
                player.burst(way, 0)
        bursts = []
        for latency in size.latencies_ms:
            for turn in range(size.rounds):
                order = list(players.values())[:: 1 if turn % 2 == 0 else -1]
                bursts += [one.burst(way, latency) for way in WAYS for one in order]
        memory = {name: player.memory_mb() for name, player in players.items()}
        losses = [
            player.suffer(fault, FAULTS[fault], size.patience)
            for fault in size.faults
            for player in players.values()
        ]
        return Match(database, slots, bursts, losses, memory)


class Player:
    """One of the two, and what is left to be rated on its stand-ins."""

    def __init__(self, flow: Flow, people: Sequence[Person]) -> None:
        self._flow, self._people = flow, people
        self._products: Iterator[str] = iter(flow.products)

    def burst(self, way: str, latency_ms: int) -> Burst:
        """Everybody rates one product at once. Raises RuntimeError."""
        box, count = self._flow.box, len(self._people)
        box.wix.faults.latency_ms = box.reviews.faults.latency_ms = latency_ms
        there, before = self._records(way), len(self._records(way))
        calls, worked, own = self._calls(), self._worked(), time.process_time()
        waited, started = _waited_seconds(), time.monotonic()
        self._rate(way)
        if not wait_until(lambda: len(there) - before >= count, END_SECONDS, pause_seconds=0.002):
            raise RuntimeError(f"{self._flow.name}: {len(there) - before} of {count} have crossed")
        seconds = time.monotonic() - started
        if not wait_until(self._flow.is_quiet, END_SECONDS, pause_seconds=0.02):
            raise RuntimeError(f"{self._flow.name} does not come to rest")
        whole, waited = time.monotonic() - started, _waited_seconds() - waited
        cpu = {
            name: (after - worked.get(name, 0.0)) / count * 1000
            for name, after in self._worked().items()
        }
        return Burst(
            self._flow.name,
            way,
            latency_ms,
            count / seconds,
            (self._calls() - calls) / count,
            cpu,
            (time.process_time() - own) / count * 1000,
            waited / whole,
        )

    def suffer(self, fault: str, strike: Callable[[Flow], None], patience: float) -> Loss:
        """A burst from Wix to the shop, with a fault in the middle."""
        box, count = self._flow.box, len(self._people)
        box.wix.faults.latency_ms = box.reviews.faults.latency_ms = FAULT_LATENCY_MS
        there, before = self._records(WAYS[0]), len(self._records(WAYS[0]))
        created = self._created_outside()
        product = self._rate(WAYS[0])
        wait_until(
            lambda: len(there) - before >= FAULT_AT * count, END_SECONDS, pause_seconds=0.002
        )
        strike(self._flow)
        self._wait_while_it_goes_on(lambda: len(there) - before, count, patience)
        external = self._flow.products[product]
        who = {
            one["author"]["email"]
            for one in list(there.values())
            if one["subject"]["id"] == external
        }
        doubled = self._created_outside() - created - len(who)
        return Loss(self._flow.name, fault, count, count - len(who), doubled)

    def memory_mb(self) -> float:
        processes = self._flow.processes().values()
        return sum(memory_of(pid, "").own for family in processes for pid in family)

    def _wait_while_it_goes_on(
        self, crossed: Callable[[], int], count: int, patience: float
    ) -> None:
        last, until = crossed(), time.monotonic() + patience
        while last < count and time.monotonic() < until:
            time.sleep(0.05)
            if crossed() > last:
                last, until = crossed(), time.monotonic() + patience

    def _rate(self, way: str) -> str:
        """The product that everybody has rated."""
        product = next(self._products)
        for person in self._people:
            rate(self._flow, way, person, product)
        return product

    def _records(self, way: str) -> dict[str, Any]:
        """What there is on the side where the way ends."""
        box = self._flow.box
        return box.reviews.ratings if way == WAYS[0] else box.wix.ratings

    def _created_outside(self) -> int:
        journal = list(self._flow.box.reviews.journal)
        return sum(one["by"] == "app" and one["operation"] == "create" for one in journal)

    def _calls(self) -> int:
        calls = Counter(self._flow.box.wix.calls) + Counter(self._flow.box.reviews.calls)
        return sum(count for name, count in calls.items() if "oauth" not in name)

    def _worked(self) -> dict[str, float]:
        return {
            name: sum(processor_seconds_of(pid) for pid in family)
            for name, family in self._flow.processes().items()
        }


def _waited_seconds() -> float:
    """Time in which at least one process waited for a core; 0 where the system does not tell."""
    try:
        total = PRESSURE.read_text(encoding="utf-8").partition("total=")[2]
    except OSError:
        return 0.0
    return int(total.split()[0]) / 1_000_000
