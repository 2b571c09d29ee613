"""Puts the gateway's figures into words."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.charts import Bars
from benchmarks.gateway import BARE, OURS, PLAIN, STEADY_SHARE, Figures, Server, Size, measure
from benchmarks.load import Load
from benchmarks.report import Bound, Section, Table, at_least, at_most

HEAD = (
    "server",
    "Redis",
    "÷ plain",
    "÷ bare",
    "200s a second",
    "answered 200",
    "p50",
    "p99",
    "longest",
)


def run(size: Size) -> Section:
    """Measures, on each database."""
    all_figures = [measure(database, size) for database in size.databases]
    return Section(
        "gateway",
        "The gateway",
        f"{size.clients} clients that wait for each answer, as Wix does, for 1,250 ms at most;"
        f" {size.webhooks} signed webhooks in a turn, {size.turns} turns, the servers one after the"
        " other in each; the median turn counts. The plain gateway verifies the same JWT and"
        " publishes with Celery's own defaults; it stores nothing. Ours commits each delivery,"
        f" durably, before it answers. Steady: at {STEADY_SHARE:.0%} of the server's own capacity,"
        " spaced by chance.",
        [bound for figures in all_figures for bound in _bounds(figures)],
        [_table(figures) for figures in all_figures],
        [_chart(figures) for figures in all_figures],
        [_as_json(figures) for figures in all_figures],
    )


def _bounds(figures: Figures) -> list[Bound]:
    ours, on = figures.servers[OURS], f"gateway on {figures.database}"
    ratio = ours.capacity / figures.servers[PLAIN].capacity
    least = min(load.answered for load in ours.loads) * 100
    return [
        at_least(f"{on}: throughput", 0.6, ratio, "× the plain one that stores nothing"),
        at_least(f"{on}: throughput, aim", 1.0, ratio, "× the plain one", is_hard=False),
        at_least(f"{on}: answered with Redis healthy, frozen, dead", 100, least, "%"),
        at_least(
            f"{on}: of those found in the inbox",
            100,
            100 * figures.stored / max(1, figures.answered),
            "%",
        ),
        at_most(
            f"{on}: p99 at {STEADY_SHARE:.0%} of its capacity",
            100,
            ours.steady.percentile(0.99),
            "ms",
        ),
    ]


def _table(figures: Figures) -> Table:
    rows = []
    for server in figures.servers.values():
        rows.append(_row(figures, server, "healthy", server.usual))
        rows.append(_row(figures, server, f"healthy, steady {STEADY_SHARE:.0%}", server.steady))
        rows += [_row(figures, server, fault, load) for fault, load in server.faults.items()]
    memory = ", ".join(
        f"{name} {server.memory_mb:.0f} MB" for name, server in figures.servers.items()
    )
    processes, threads = figures.pool
    return Table(
        HEAD,
        rows,
        f"On {figures.database}; each server with {processes} process(es) of {threads} threads."
        f" Memory of a process: {memory}. Deliveries answered 200 by ours: {figures.answered};"
        f" found in its inbox: {figures.stored}.",
    )


def _row(figures: Figures, server: Server, redis: str, load: Load) -> Sequence[str]:
    ratios = [load.each_second / figures.servers[other].capacity for other in (PLAIN, BARE)]
    return (
        server.name,
        redis,
        *(f"{ratio:.2f}" for ratio in ratios),
        f"{load.each_second:,.0f}",
        f"{load.answered:.1%}",
        *(f"{load.percentile(share):.0f} ms" for share in (0.5, 0.99, 1.0)),
    )


def _chart(figures: Figures) -> Bars:
    bars = {server.name: server.capacity for server in figures.servers.values()}
    for fault in ("frozen", "dead"):
        bars |= {
            f"{name}, Redis {fault}": figures.servers[name].faults[fault].each_second
            for name in (PLAIN, OURS)
        }
    least = 0.6 * figures.servers[PLAIN].capacity
    return Bars(
        f"gateway-{figures.database}",
        f"The gateway on {figures.database}",
        "200s a second",
        bars,
        least,
    )


def _as_json(figures: Figures) -> dict[str, object]:
    servers = {
        server.name: {
            "each_second": server.capacity,
            "memory_mb": server.memory_mb,
            "steady_p99_ms": server.steady.percentile(0.99),
            "statuses": [dict(load.statuses) for load in server.loads],
        }
        for server in figures.servers.values()
    }
    return {
        "database": figures.database,
        "answered": figures.answered,
        "stored": figures.stored,
        "servers": servers,
    }
