"""What each process holds of the machine's memory, after some work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.charts import Bars
from benchmarks.ground import a_stage
from benchmarks.machine import Memory, children_of, memory_of
from benchmarks.report import Section, Table
from sync_sandbox.replay import Replay, generated_ratings, products_of
from sync_sandbox.stage import Stage
from sync_worker.runtime.local.free_port import free_port


@dataclass(frozen=True, slots=True)
class Size:
    database: str = "postgresql"
    ratings: int = 3000  # that cross before memory is looked at


def run(size: Size) -> Section:
    ratings = generated_ratings(size.ratings, seed=7)
    with a_stage(size.database, products_of(ratings), flower_port=free_port()) as stage:
        Replay(stage, ratings).play()
        return section(size, list(memories(stage)))


def memories(stage: Stage) -> Iterator[Memory]:
    """Of all that runs on a stage."""
    for name, part in stage.parts.parts.items():
        pid = part.child.process.pid
        if name != "gateway":
            yield memory_of(pid, name)
            continue
        yield memory_of(pid, "gateway, master")
        for number, child in enumerate(children_of(pid), 1):
            yield memory_of(child, f"gateway, process {number}")
    if stage.parts.redis is not None:
        yield memory_of(stage.parts.redis.pid, "Redis")
    postmaster = stage.folder / "postgresql" / "postmaster.pid"
    if postmaster.is_file():
        yield _postgresql(postmaster)


def _postgresql(postmaster: Path) -> Memory:
    pid = int(postmaster.read_text().splitlines()[0])
    each = [memory_of(one, "") for one in [pid, *children_of(pid)]]
    name = f"PostgreSQL, {len(each)} processes"
    return Memory(name, sum(one.resident for one in each), sum(one.own for one in each))


def section(size: Size, memories: list[Memory]) -> Section:
    total = Memory("all", sum(one.resident for one in memories), sum(one.own for one in memories))
    rows = [(one.name, f"{one.own:.0f} MB", f"{one.resident:.0f} MB") for one in [*memories, total]]
    return Section(
        "memory",
        "Memory",
        f"After {size.ratings:,} ratings, on {size.database}. Own: the pages of a process and its"
        " share of those that it has in common with others (PSS); resident counts common pages for"
        " each (RSS). The bound for a worker of 32 slots stands with the workers.",
        [],
        [Table(("process", "own", "resident"), rows)],
        [
            Bars(
                "memory",
                "Own memory of each process",
                "MB",
                {one.name: one.own for one in memories},
            )
        ],
        [asdict(one) for one in memories],
    )
