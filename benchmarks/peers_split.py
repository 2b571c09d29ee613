"""Where the processor time of one rating goes in our worker, part by part."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.ground import ground, raised_budgets
from benchmarks.queue import check_that_all_crossed, store
from benchmarks.report import Table
from benchmarks.workers import workers_at
from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.core.ports.doorbell import DELIVERY_TASK

if TYPE_CHECKING:
    from benchmarks.peers import Size

REST = "Celery: receive, acknowledge, events"


@dataclass(frozen=True, slots=True)
class Split:
    """Milliseconds of processor and of the clock for each rating, by part."""

    database: str
    slots: int
    latency_ms: int
    count: int
    worked_ms: dict[str, float]
    elapsed_ms: dict[str, float]

    def table(self) -> Table:
        rows = [
            (part, f"{ms:.2f}", f"{self.elapsed_ms[part]:.1f}" if part in self.elapsed_ms else "–")
            for part, ms in self.worked_ms.items()
        ]
        total = sum(self.worked_ms.values())
        return Table(
            ("part of the worker", "CPU ms", "elapsed ms"),
            [*rows, ("worker", f"{total:.2f}", "")],
            f"One new rating of {self.count} to the shop on {self.database}: {self.slots} slots,"
            f" remotes of {self.latency_ms} ms over HTTP. Each part without those that it calls;"
            " the noting costs some, too.",
        )


def split_on(database: str, size: Size) -> Split:
    """A burst with the last latency and the first number of slots of the comparison."""
    slots, latency, count = size.slots[0], size.latencies_ms[-1], 2 * size.count
    with ground(database) as at, Sandbox(SandboxOptions(rate_per_minute=None)) as box:
        box.reviews.faults.latency_ms = latency
        file = at.folder / "split.json"
        settings = {**box.settings(), **raised_budgets(at.folder), "SPLIT_FILE": str(file)}
        ids = store(at, "own-service", count)
        with workers_at(at, "benchmarks.split_app", slots, 1, **settings) as queue:
            queue.drain(DELIVERY_TASK, ids)
            check_that_all_crossed(at, ids)
        found = json.loads(file.read_text(encoding="utf-8"))
    worked = {part: seconds / count * 1000 for part, seconds in found["worked"].items()}
    elapsed = {part: seconds / count * 1000 for part, seconds in found["elapsed"].items()}
    worked[REST] = found["process"] / count * 1000 - sum(worked.values())
    return Split(database, slots, latency, count, worked, elapsed)
