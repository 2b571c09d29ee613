"""All benchmarks with hardly any work, to see that they run; those that need a whole installation
share one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache

from benchmarks import (
    calls,
    gateway,
    gateway_report,
    latency,
    links,
    memory,
    replay,
    workers,
    workers_report,
)
from benchmarks.ground import a_stage
from benchmarks.report import Part, Section
from sync_sandbox.replay import products_of
from sync_sandbox.stage import Stage
from sync_worker.runtime.local.free_port import free_port


@contextmanager
def quick_parts() -> Iterator[list[Part]]:
    """The installation starts with the first part that needs it, and stops at the end."""
    ratings = replay.ratings_of(replay.QUICK)
    products = {**products_of(ratings), **latency.products(latency.QUICK)}
    with ExitStack() as stack:

        @cache
        def stage() -> Stage:
            return stack.enter_context(a_stage("sqlite", products, flower_port=free_port()))

        def of_latency() -> Section:
            return latency.section(
                latency.QUICK, latency.measure_on(stage(), "sqlite", latency.QUICK)
            )

        def of_memory() -> Section:
            size = memory.Size("sqlite", len(ratings))
            return memory.section(size, list(memory.memories(stage())))

        yield [
            ("gateway", lambda: gateway_report.run(gateway.QUICK)),
            ("calls", lambda: calls.run(calls.QUICK)),
            ("workers", lambda: workers_report.run(workers.QUICK)),
            ("links", lambda: links.run(links.QUICK)),
            ("replay", lambda: replay.play_on(stage(), ratings, replay.QUICK)),
            ("latency", of_latency),
            ("memory", of_memory),
        ]
