"""Puts the workers' figures into words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from benchmarks.charts import Chart, Lines
from benchmarks.ground import BUDGETS
from benchmarks.report import Bound, Section, Table, at_least, at_most
from benchmarks.workers import Rate, Round, Size, measure

RATIOS = ("÷ tasks of nothing", "÷ (slots ÷ latency)")
HEAD = (
    "remotes",
    "slots",
    "processes",
    "latency",
    "a call",
    *RATIOS,
    "ratings a second",
    "processor",
    "memory",
)
NOTE = (
    "A call: what a bare client waits for one, alone. Processor: the workers' own time for a"
    " rating. Memory: what one of them holds after its rounds."
)


def run(size: Size) -> Section:
    """Measures, on each database."""
    rounds = measure(size)
    return Section(
        "workers",
        "The workers",
        "Ratings that workers bring across in a second, each new, with one remote call. Remotes in"
        " memory answer after their latency: the engine and its ledger. Over HTTP the whole worker"
        " runs as in production, against the stand-in review service, which shares the machine;"
        f" there the slots of one process are also shared out over two, as a fleet does. {BUDGETS}"
        " A task of nothing is a Celery task that returns, on the same pool with the same"
        " settings, before and after the ratings.",
        [bound for one in rounds for bound in _bounds(one)],
        [_table(database, rounds) for database in size.databases],
        [_chart(database, rounds) for database in size.databases],
        [asdict(one) for one in rounds],
    )


def _bounds(one: Round) -> Iterator[Bound]:
    shared = "" if one.processes == 1 else f" in {one.processes} processes"
    on = f"worker on {one.database}, {one.slots} slots{shared}, remotes in {one.remotes}"
    for rate in one.rates:
        if rate.latency_ms == 0 and one.nothing_each_second is not None:
            ratio = rate.each_second / one.nothing_each_second
            yield at_least(f"{on} that answer at once", 0.15, ratio, "× tasks of nothing")
            yield at_least(f"{on}, aim", 0.3, ratio, "× tasks of nothing", is_hard=False)
        if rate.latency_ms == 80 and rate.bound is not None:
            ratio = rate.each_second / rate.bound
            yield at_least(
                f"{on} of 80 ms", 0.9, ratio, "× slots ÷ latency", is_hard=one.slots == 8
            )
    if one.slots == 32 and one.processes == 1:
        yield at_most(f"{on}: memory", 150, one.memory_mb, "MB")


def _table(database: str, rounds: Sequence[Round]) -> Table:
    rows = [_row(one, rate) for one in rounds if one.database == database for rate in one.rates]
    return Table(HEAD, rows, f"On {database}. {NOTE}")


def _row(one: Round, rate: Rate) -> Sequence[str]:
    nothing = one.nothing_each_second
    return (
        one.remotes,
        str(one.slots),
        str(one.processes),
        f"{rate.latency_ms} ms",
        "–" if rate.call_ms is None else f"{rate.call_ms:.1f} ms",
        "–" if nothing is None else f"{rate.each_second / nothing:.2f} of {nothing:,.0f}",
        "–" if rate.bound is None else f"{rate.each_second / rate.bound:.2f} of {rate.bound:,.0f}",
        f"{rate.each_second:,.0f}",
        f"{rate.cpu_ms:.1f} ms",
        f"{one.memory_mb:.0f} MB",
    )


def _chart(database: str, rounds: Sequence[Round]) -> Chart:
    """Ratings a second over slots: one line for each kind of remote and latency, and what its slots
    would allow.
    """
    lines: dict[str, list[tuple[float, float]]] = {}
    limits: dict[str, list[tuple[float, float]]] = {}
    for one in rounds:
        for rate in one.rates if one.database == database else ():
            fleet = (
                one.remotes if one.processes == 1 else f"{one.remotes}, {one.processes} processes"
            )
            lines.setdefault(f"{fleet}, {rate.latency_ms} ms", []).append(
                (one.slots, rate.each_second)
            )
            if rate.bound is not None and rate.latency_ms >= 80:
                limits.setdefault(f"slots ÷ {rate.latency_ms} ms", []).append(
                    (one.slots, rate.bound)
                )
    return Lines(
        f"workers-{database}", f"Workers on {database}", "slots", "ratings a second", lines, limits
    )
