"""``python -m benchmarks``: all of them, or one by its name; a report in a folder, and its tables
in the terminal.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click
import structlog
from rich.console import Console
from rich.table import Table as RichTable

from benchmarks import (
    calls,
    console,
    gateway,
    gateway_report,
    latency,
    links,
    memory,
    peers,
    peers_report,
    probation,
    probation_report,
    replay,
    servers,
    sites,
    workers,
    workers_report,
)
from benchmarks.machine import load, machine, sync_ms
from benchmarks.quick import quick_parts
from benchmarks.report import Part, Report, Run, Section, Table

S = TypeVar(
    "S",
    console.Size,
    gateway.Size,
    workers.Size,
    latency.Size,
    links.Size,
    memory.Size,
    peers.Size,
    probation.Size,
    replay.Size,
    servers.Size,
    sites.Size,
)
CONSOLE = Console(width=150)
FOLDER = Path("benchmark-report")

out_option = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=FOLDER,
    show_default=True,
    help="The report.",
)
quick_option = click.option(
    "--quick", is_flag=True, help="Hardly any work: shows that all runs, measures nothing."
)
database_option = click.option(
    "--database", type=click.Choice(["sqlite", "postgresql"]), help="By default both."
)
ratings_option = click.option(
    "--ratings",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=(
        "A CSV file of userId,movieId,rating,timestamp (MovieLens); without it ratings are drawn by"
        " chance."
    ),
)
limit_option = click.option(
    "--limit", type=click.IntRange(1), help="Only the last so many of them."
)


@click.group(invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """Benchmarks of ratings-sync. Compare only what stands in one table of one report."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    if context.invoked_subcommand is None:
        context.invoke(everything)


@main.command("all")
@ratings_option
@limit_option
@quick_option
@out_option
def everything(ratings: Path | None, limit: int | None, quick: bool, out: Path) -> None:
    """Every benchmark, the longest last (an hour or two; with --quick under a minute)."""
    if quick:
        with quick_parts() as quick_ones:
            is_complete = make_report(quick_ones, quick, out)
        sys.exit(0 if is_complete else 1)
    parts: list[Part] = [
        ("gateway", lambda: gateway_report.run(gateway.Size())),
        ("calls", lambda: calls.run(calls.Size())),
        ("latency", lambda: latency.run(latency.Size())),
        ("workers", lambda: workers_report.run(workers.Size())),
        ("memory", lambda: memory.run(memory.Size())),
        ("links", lambda: links.run(links.FULL)),
        ("replay", lambda: replay.run(_replayed(ratings, limit, quick))),
    ]
    end_with(parts, quick, out)


@main.command("gateway")
@database_option
@click.option("--webhooks", type=click.IntRange(10), help="In each turn and under each fault.")
@quick_option
@out_option
def one_gateway(database: str | None, webhooks: int | None, quick: bool, out: Path) -> None:
    """The door against a bare route and against the plain gateway that stores nothing; Redis well,
    frozen, dead.
    """
    size = _with(
        gateway.QUICK if quick else gateway.Size(),
        databases=database and (database,),
        webhooks=webhooks,
    )
    end_with([("gateway", lambda: gateway_report.run(size))], quick, out)


@main.command("servers")
@database_option
@click.option("--rounds", type=click.IntRange(1), help="Turns of each server.")
@click.option("--webhooks", type=click.IntRange(10), help="Of each server in each round.")
@quick_option
@out_option
def one_servers(
    database: str | None, rounds: int | None, webhooks: int | None, quick: bool, out: Path
) -> None:
    """The HTTP servers that the door could stand on: speed, slow clients, floods of chunks."""
    size = servers.QUICK if quick else servers.Size()
    size = _with(size, database=database, rounds=rounds, webhooks=webhooks)
    end_with([("servers", lambda: servers.run(size))], quick, out)


@main.command("workers")
@database_option
@click.option("--slots", type=click.IntRange(1), multiple=True)
@click.option("--count", type=click.IntRange(10), help="Ratings in a round.")
@quick_option
@out_option
def one_workers(
    database: str | None, slots: tuple[int, ...], count: int | None, quick: bool, out: Path
) -> None:
    """Ratings a second of the workers, against tasks that do nothing and against slots ÷
    latency.
    """
    size = _with(
        workers.QUICK if quick else workers.Size(),
        databases=database and (database,),
        slots=slots,
        http_slots=slots,
        count=count,
    )
    end_with([("workers", lambda: workers_report.run(size))], quick, out)


@main.command("latency")
@database_option
@click.option("--count", type=click.IntRange(1), help="Ratings each way.")
@quick_option
@out_option
def one_latency(database: str | None, count: int | None, quick: bool, out: Path) -> None:
    """Milliseconds from one side to the other, beyond the remotes' own, while nothing else
    happens.
    """
    size = _with(
        latency.QUICK if quick else latency.Size(), databases=database and (database,), count=count
    )
    end_with([("latency", lambda: latency.run(size))], quick, out)


@main.command("calls")
@quick_option
@out_option
def one_calls(quick: bool, out: Path) -> None:
    """Remote calls for each change, against the flow of the Wix guide."""
    end_with([("calls", lambda: calls.run(calls.QUICK if quick else calls.Size()))], quick, out)


@main.command("sites")
@quick_option
@out_option
def one_sites(quick: bool, out: Path) -> None:
    """What one site costs with 10, 1,000 and 10,000 accounts: door, worker, memory, sweeper."""
    size = sites.QUICK if quick else sites.Size()
    end_with([("sites", lambda: sites.run(size))], quick, out)


@main.command("console")
@quick_option
@out_option
def one_console(quick: bool, out: Path) -> None:
    """Every page over 10,000 sites and 1,000,000 links, and its users beside the gateway."""
    size = console.QUICK if quick else console.Size()
    end_with([("console", lambda: console.run(size))], quick, out)


@main.command("links")
@database_option
@click.option("--events", type=click.IntRange(10), help="In each ledger.")
@quick_option
@out_option
def one_links(database: str | None, events: int | None, quick: bool, out: Path) -> None:
    """What an event costs as the ledger grows."""
    size = links.QUICK if quick else links.FULL
    size = _with(size, links=database and {database: size.links[database]}, events=events)
    end_with([("links", lambda: links.run(size))], quick, out)


@main.command("memory")
@click.option("--count", type=click.IntRange(1), help="Ratings that cross first.")
@out_option
def one_memory(count: int | None, out: Path) -> None:
    """Memory of every process."""
    size = _with(memory.Size(), ratings=count)
    end_with([("memory", lambda: memory.run(size))], False, out)


@main.command("peers")
@database_option
@click.option("--slots", type=click.IntRange(1), multiple=True, help="Calls in flight.")
@click.option("--rounds", type=click.IntRange(1), help="Turns of each, at each latency.")
@click.option("--count", type=click.IntRange(4), help="Ratings in a burst.")
@click.option("--split", is_flag=True, help="The parts of a rating in our worker, too.")
@quick_option
@out_option
def one_peers(
    database: str | None,
    slots: tuple[int, ...],
    rounds: int | None,
    count: int | None,
    split: bool,
    quick: bool,
    out: Path,
) -> None:
    """Ours beside the flow of a tutorial: rate, calls, processor time, memory, and losses."""
    size = _with(
        peers.QUICK if quick else peers.Size(),
        databases=database and (database,),
        slots=slots,
        rounds=rounds,
        count=count,
    )
    end_with([("peers", lambda: peers_report.run(size, with_split=split))], quick, out)


@main.command("probation")
@database_option
@click.option("--rounds", type=click.IntRange(1), help="Turns with and without each workaround.")
@click.option("--count", type=click.IntRange(10), help="Ratings in a round.")
@quick_option
@out_option
def one_probation(
    database: str | None, rounds: int | None, count: int | None, quick: bool, out: Path
) -> None:
    """What each workaround brings that reaches into a library, with it and without it in turns."""
    size = probation.QUICK if quick else probation.Size()
    size = _with(size, database=database, rounds=rounds, ratings=count)
    end_with([("probation", lambda: probation_report.run(size))], quick, out)


@main.command("replay")
@ratings_option
@limit_option
@database_option
@click.option("--calm", is_flag=True, help="No process is killed, and Redis is not wiped.")
@quick_option
@out_option
def one_replay(
    ratings: Path | None,
    limit: int | None,
    database: str | None,
    calm: bool,
    quick: bool,
    out: Path,
) -> None:
    """Ratings through both doors, a kill every 10 s and a FLUSHALL every minute: lost, doubled,
    echoed?
    """
    size = _replayed(ratings, limit, quick)
    if database is not None:
        size = replace(size, database=database, workers=1 if database == "sqlite" else size.workers)
    if calm:
        size = replace(size, chaos=None)
    end_with([("replay", lambda: replay.run(size))], quick, out)


def _replayed(ratings: Path | None, limit: int | None, quick: bool) -> replay.Size:
    return _with(replay.QUICK if quick else replay.Size(), file=ratings, limit=limit)


def _with(size: S, **asked: Any) -> S:
    """The size with what was asked for; what was not keeps its value."""
    return replace(size, **{name: value for name, value in asked.items() if value})


def end_with(parts: Sequence[Part], is_quick: bool, folder: Path) -> None:
    """Exits with 1 if a part broke; a bound that is not met is a figure, not a failure."""
    sys.exit(0 if make_report(parts, is_quick, folder) else 1)


def make_report(parts: Sequence[Part], is_quick: bool, folder: Path) -> bool:
    """Run one part after the other; each is in the report as soon as it has ended.

    Whether all got through.
    """
    report = Report(folder, machine(), is_quick)
    for name, run in parts:
        CONSOLE.print(f"[bold]{name}[/bold] …")
        report.add(_measured(name, run))
        _print(report.runs[-1])
    CONSOLE.print(f"report: {folder / 'report.md'}")
    for broken in (run for run in report.runs if run.error is not None):
        CONSOLE.print(f"[red]{broken.section.name} broke:[/red] {broken.error}")
    return report.is_complete


def _measured(name: str, run: Callable[[], Section]) -> Run:
    before, sync, started = load(), sync_ms(), time.monotonic()
    try:
        return Run(run(), time.monotonic() - started, before, sync)
    except (
        Exception
    ) as error:  # whatever broke one part: the others are worth their time all the same
        CONSOLE.print_exception()
        words = (str(error) or type(error).__name__).splitlines()[0]
        return Run(
            Section(name, name.capitalize(), ""), time.monotonic() - started, before, sync, words
        )


def _print(run: Run) -> None:
    bounds = Table(
        ("", "promised", "measured", ""),
        [(one.what, one.promised, one.measured, one.word) for one in run.section.bounds],
    )
    for table in (bounds, *run.section.tables):
        if not table.rows:
            continue
        printed = RichTable(*table.head)
        for row in table.rows:
            printed.add_row(*row)
        CONSOLE.print(printed)
        if table.note:
            CONSOLE.print(table.note, style="dim")


if __name__ == "__main__":
    main()
