"""A worker keeps to one core: which one, when it moves, and that all of its threads do."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sync_worker.runtime.cpu_affinity import CpuAffinity, Times, cpu_affinity, move_to, read_times


@dataclass
class Machine:
    """A machine of three cores, of which two are ours to use; its time passes when the test says
    so.
    """

    wall: float = 0.0
    own: float = 0.0
    busy: dict[int, float] = field(default_factory=lambda: {0: 0.0, 1: 0.0, 2: 0.0})
    moves: list[int] = field(default_factory=list)
    chance: float = 0.0

    def times(self) -> Times:
        return Times(self.wall, self.own, dict(self.busy))

    def start(self) -> CpuAffinity:
        return CpuAffinity(frozenset({0, 2}), self.moves.append, self.times, lambda: self.chance)

    def passes(
        self, seconds: float, core: CpuAffinity, *, ours: float, others: dict[int, float]
    ) -> None:
        """``ours``: share of its core that the process uses; ``others``: what others use of
        each.
        """
        self.wall += seconds
        self.own += seconds * ours
        for one in self.busy:
            self.busy[one] += seconds * (others.get(one, 0.0) + (ours if one == core.mine else 0.0))
        core.look()


@pytest.mark.parametrize(("chance", "mine"), [(0.0, 0), (0.49, 0), (0.51, 2), (0.99, 2)])
def test_it_starts_on_any_core_that_it_may_use(chance: float, mine: int) -> None:
    machine = Machine(chance=chance)
    assert machine.start().mine == mine
    assert machine.moves == [mine]


def test_it_leaves_a_core_that_others_use() -> None:
    """It leaves a core that others use and its own work drives it nowhere."""
    machine = Machine()
    core = machine.start()
    machine.passes(2.0, core, ours=1.0, others={2: 0.1})
    assert core.mine == 0
    machine.passes(2.0, core, ours=0.5, others={0: 0.5, 2: 0.4})
    assert core.mine == 0, "hardly better there"
    machine.passes(2.0, core, ours=0.5, others={0: 0.5, 2: 0.1})
    assert core.mine == 2
    assert machine.moves == [0, 2]


def test_a_core_that_it_may_not_use_does_not_draw_it() -> None:
    machine = Machine()
    core = machine.start()
    machine.passes(2.0, core, ours=0.3, others={0: 0.7, 2: 0.7})
    assert core.mine == 0


def test_two_on_one_core_part_by_chance() -> None:
    machine = Machine()
    core = machine.start()
    machine.chance = 0.5
    machine.passes(2.0, core, ours=0.5, others={0: 0.5})
    assert core.mine == 0, "this one stays"
    machine.chance = 0.49
    machine.passes(2.0, core, ours=0.5, others={0: 0.5})
    assert core.mine == 2


def test_a_core_that_goes_is_left_alone() -> None:
    machine = Machine()
    core = machine.start()
    del machine.busy[2]
    machine.passes(2.0, core, ours=0.1, others={0: 0.9})
    assert core.mine == 0


def test_two_looks_in_one_moment_ask_for_nothing() -> None:
    machine = Machine()
    core = machine.start()
    machine.passes(0.0, core, ours=0.0, others={})
    assert machine.moves == [0]


@pytest.fixture
def _as_before() -> Iterator[None]:
    allowed = os.sched_getaffinity(0)
    yield
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # it has just ended
            os.sched_setaffinity(int(thread.name), allowed)


@pytest.mark.usefixtures("_as_before")
def test_all_threads_of_a_process_move_and_new_ones_follow() -> None:
    core = max(os.sched_getaffinity(0))
    asked, told = threading.Event(), []

    def tell() -> None:
        asked.wait()
        told.append(os.sched_getaffinity(0))

    before = threading.Thread(target=tell)
    before.start()
    move_to(core)
    after = threading.Thread(target=tell)
    after.start()
    asked.set()
    for one in (before, after):
        one.join()
    assert told == [{core}, {core}]


@pytest.mark.usefixtures("_as_before")
def test_a_real_process_gets_one_core_if_it_has_a_choice() -> None:
    allowed = os.sched_getaffinity(0)
    core = cpu_affinity()
    if len(allowed) == 1:
        assert core is None
    else:
        assert core is not None
        assert os.sched_getaffinity(0) == {core.mine} <= allowed
        core.look()
        assert cpu_affinity() is None, "now there is one only"


def test_the_machine_tells_how_busy_each_core_was() -> None:
    before = read_times()
    assert before.busy.keys() >= os.sched_getaffinity(0)
    assert all(seconds >= 0 for seconds in before.busy.values())
    after = read_times()
    assert all(after.busy[core] >= seconds for core, seconds in before.busy.items())
