"""Keeps a worker process on one core, and away from a core that others keep busy.

Python runs one thread of a process at a time. Where its threads may run on every core, each of
their turns wakes another one with cold caches: on a machine at rest that was a fifth of a worker's
processor time (docs/benchmarks.md). On two cores that others kept busy it brought nothing: 3 and
29 % more processor time for a rating on PostgreSQL, 22 % more on SQLite (medians of nine rounds of
``python -m benchmarks probation``). ``WORKER_ONE_CORE=false`` switches it off.

Made for CPython 3.11 to 3.13 with its lock. Only Linux has what this needs: ``sched_setaffinity``
and ``/proc`` (https://man7.org/linux/man-pages/man5/proc_stat.5.html).
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

BETTER_SHARE = 0.2  # of a core's time that others must use less on another core before we go there
MOVE_CHANCE = 0.5  # two of us on one core then part, sooner or later
IDLE_FIELDS = (3, 4)  # of a core's line: idle, and waiting for a disk


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds so far: the wall's, of our own processor time, and those that each core was busy."""

    wall: float
    own: float
    busy: Mapping[int, float]


def read_times() -> Times:
    """Read them now. Raises OSError."""
    each_second = os.sysconf("SC_CLK_TCK")
    busy = {}
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name != "cpu":
            # The first eight: time of guests, which comes after, is in them already.
            ticks = sum(
                int(text) for place, text in enumerate(fields[:8]) if place not in IDLE_FIELDS
            )
            busy[int(name.removeprefix("cpu"))] = ticks / each_second
    return Times(time.monotonic(), time.process_time(), busy)


@dataclass(slots=True)
class CpuAffinity:
    """The core of this process.

    ``allowed``: those that it may use; ``mine``: the one that it uses.
    """

    allowed: frozenset[int]
    move: Callable[[int], None]
    times: Callable[[], Times] = read_times
    chance: Callable[[], float] = random.random
    mine: int = field(init=False)
    _before: Times = field(init=False)

    def __post_init__(self) -> None:
        """Take any of them: processes that start together must not all take the same."""
        self._before = self.times()
        self.mine = sorted(self.allowed)[int(self.chance() * len(self.allowed))]
        self.move(self.mine)

    def look(self) -> None:
        """Move to the core that others have used least since the last look, if it is clearly less.

        Two of us on one core both see this: each stays with even chances, so that they part. Raises
        OSError.
        """
        before, now = self._before, self.times()
        self._before = now
        if now.wall <= before.wall:
            return
        shares = self._shares_of_others(before, now)
        best = min(shares, key=shares.__getitem__, default=self.mine)
        gain = shares.get(self.mine, 1.0) - shares.get(best, 1.0)
        if gain > BETTER_SHARE and self.chance() < MOVE_CHANCE:
            self.move(best)
            self.mine = best

    def _shares_of_others(self, before: Times, now: Times) -> dict[int, float]:
        """The share of each core's time that others took between two looks."""
        passed = now.wall - before.wall
        shares = {
            core: (now.busy[core] - before.busy[core]) / passed
            for core in self.allowed
            if core in now.busy and core in before.busy
        }
        if self.mine in shares:
            shares[self.mine] -= (now.own - before.own) / passed
        return shares


def cpu_affinity() -> CpuAffinity | None:
    """Keep this process to one core from now on; ``None`` where it has no choice of cores."""
    try:
        allowed = frozenset(os.sched_getaffinity(0))
        return CpuAffinity(allowed, move_to) if len(allowed) > 1 else None
    except (AttributeError, OSError):
        return None


def move_to(core: int) -> None:
    """Move all threads of this process; new ones follow the thread that starts them.

    Raises OSError.
    """
    # Twice: a thread that was just being started may have followed one that had not moved yet.
    for _ in range(2):
        for thread in Path("/proc/self/task").iterdir():
            try:
                os.sched_setaffinity(int(thread.name), {core})
            except ProcessLookupError:  # it has just ended
                continue
