"""``python -m benchmarks``: measures, and prints tables with ratios."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from benchmarks import workers as workers_bench
from benchmarks.ground import machine


@click.group()
def main() -> None:
    """Benchmarks of ratings-sync. Each command is one run; compare only what stands in one table."""
    Console().print(machine())


@main.command()
@click.option("--database", type=click.Choice(["sqlite", "postgresql"]), multiple=True, default=["sqlite"])
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
    Console().print(table)


if __name__ == "__main__":
    main()
