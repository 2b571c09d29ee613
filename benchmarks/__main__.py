"""``python -m benchmarks``: measures, and prints tables with ratios."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from benchmarks import gateway as gateway_bench
from benchmarks import latency as latency_bench
from benchmarks import links as links_bench
from benchmarks import workers as workers_bench
from benchmarks.ground import machine

CONSOLE = Console(width=120)
DATABASES = click.Choice(["sqlite", "postgresql"])


@click.group()
def main() -> None:
    """Benchmarks of ratings-sync. Each command is one run; compare only what stands in one table."""
    CONSOLE.print(machine())


@main.command()
@click.option("--database", type=DATABASES, multiple=True, default=["sqlite"])
@click.option("--slots", type=int, multiple=True, default=[8], show_default=True)
@click.option(
    "--latency", "latencies", type=int, multiple=True, default=[0, 80], show_default=True, help="ms of a call."
)
@click.option("--count", type=int, default=1500, show_default=True, help="Ratings in each round.")
def workers(database: tuple[str, ...], slots: tuple[int, ...], latencies: tuple[int, ...], count: int) -> None:
    """Ratings a second of one worker process, against Celery tasks that do nothing."""
    table = Table("database", "slots", "remote", "ratings/s", "÷ tasks of nothing", "÷ slots/latency", "memory")
    for name in database:
        for number in slots:
            for rate in workers_bench.measure(name, number, latencies, count):
                table.add_row(
                    name,
                    str(number),
                    f"{rate.latency_ms} ms",
                    f"{rate.each_second:.0f}",
                    f"{rate.each_second / rate.nothing_each_second:.2f} of {rate.nothing_each_second:.0f}/s",
                    "–" if rate.bound is None else f"{rate.each_second / rate.bound:.2f}",
                    f"{rate.memory_mb:.0f} MB",
                )
    CONSOLE.print(table)


@main.command()
@click.option("--database", type=DATABASES, default="sqlite", show_default=True)
@click.option("--count", type=int, default=2000, show_default=True, help="Webhooks in each round.")
@click.option("--clients", type=int, default=8, show_default=True)
def gateway(database: str, count: int, clients: int) -> None:
    """The door against a bare route and against the plain gateway that stores nothing; Redis well, frozen, dead."""
    rounds = gateway_bench.measure(database, count, clients)
    best = {one.name: max(two.load.each_second for two in rounds if two.name == one.name) for one in rounds}
    plain = best["Flask + PyJWT + send_task, stores nothing"]
    table = Table("server", "Redis", "answered 200", "a second", "÷ plain", "p50", "p99", "max", "memory")
    for one in rounds:
        load = one.load
        table.add_row(
            one.name,
            one.redis,
            f"{load.answered:.1%}",
            f"{load.each_second:.0f}",
            f"{load.each_second / plain:.2f}",
            *(f"{load.percentile(share):.0f} ms" for share in (0.5, 0.99, 1.0)),
            f"{one.memory_mb:.0f} MB",
        )
    CONSOLE.print(table)


@main.command()
@click.option("--database", type=DATABASES, default="postgresql", show_default=True)
@click.option("--size", "sizes", type=int, multiple=True, default=[1_000, 100_000, 1_000_000], help="Links.")
@click.option("--events", type=int, default=400, show_default=True)
def links(database: str, sizes: tuple[int, ...], events: int) -> None:
    """What an event costs as the ledger grows."""
    costs = links_bench.measure(database, sorted(sizes), events)
    table = Table("links", "ms an event", f"÷ at {costs[0].links}")
    for cost in costs:
        row = (f"{cost.milliseconds:.1f}", f"{cost.milliseconds / costs[0].milliseconds:.2f}")
        table.add_row(f"{cost.links:,}", *row)
    CONSOLE.print(table)


@main.command()
@click.option("--count", type=click.IntRange(10, 90), default=50, show_default=True, help="Ratings each way.")
def latency(count: int) -> None:
    """Milliseconds from one side to the other while nothing else happens; the stand-ins answer at once."""
    table = Table("way", "p50", "p90", "max")
    for one in latency_bench.measure(count):
        table.add_row(one.way, *(f"{one.at(share):.0f} ms" for share in (0.5, 0.9, 1.0)))
    CONSOLE.print(table)


if __name__ == "__main__":
    main()
