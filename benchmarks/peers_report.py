"""Puts the comparison with the flow of a tutorial into words."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict

from benchmarks.charts import Bars
from benchmarks.ground import BUDGETS
from benchmarks.peers import WAYS, Burst, Loss, Match, Size, measure
from benchmarks.peers_flows import OURS, TUTORIAL
from benchmarks.peers_split import split_on
from benchmarks.report import Bound, Section, Table, at_least, at_most

HEAD = (
    *("flow", "way", "remotes", "ratings a second", "÷ tutorial", "calls each"),
    *("CPU ms each, all processes", "stand-ins ms", "CPU pressure"),
)
# Ratings a second, as a multiple of the tutorial's, by latency and calls in flight.
PROMISED = {(0, 8): 1.0, (0, 16): 1.0, (80, 8): 2.0, (80, 16): 1.1}


def run(size: Size, *, with_split: bool) -> Section:
    """Measures; ``with_split``: the parts of a rating in the worker, too."""
    matches = measure(size)
    splits = [split_on(database, size) for database in size.databases] if with_split else []
    return Section(
        "peers",
        "Beside the flow of a tutorial",
        f"Bursts of {size.count} new ratings, {size.rounds} rounds each way, both in turns with the"
        " same number of calls in flight, each with one worker process between stand-ins of its"
        " own. The tutorial: a Flask route on the same server that calls `.delay()`, Celery with"
        " its own defaults on threads, three calls a rating (contact, look, create), its own writes"
        " known by a key in Redis for five minutes, nothing stored. Processor time is that of all"
        " processes (gateway, worker, scheduler, Redis, PostgreSQL) until the echoes have ended; it"
        " is the main figure: rates are noise where others are at work, which the CPU pressure"
        f" tells (share of the time in which a process waited for a core). {BUDGETS}",
        [bound for match in matches for bound in _bounds(match, size)],
        [
            *(_table(match, size) for match in matches),
            *(_by_process(match, size) for match in matches),
            _losses(matches),
            *(split.table() for split in splits),
        ],
        [chart for match in matches for chart in _charts(match, size)],
        {
            "matches": [asdict(match) for match in matches],
            "splits": [asdict(split) for split in splits],
        },
    )


def _bounds(match: Match, size: Size) -> list[Bound]:
    on = f"{match.database}, {match.slots} calls in flight"
    found = [
        at_least(
            f"{on}, {way}, remotes of {latency} ms",
            PROMISED[latency, match.slots],
            match.ratio(way, latency),
            "× the tutorial",
        )
        for way in WAYS
        for latency in size.latencies_ms
        if (latency, match.slots) in PROMISED
    ]
    share = [
        _median(match, OURS, way, ms, "calls") / _median(match, TUTORIAL, way, ms, "calls")
        for way in WAYS
        for ms in size.latencies_ms
    ]
    found.append(at_most(f"{on}: calls", 0.4, max(share), "× those of the tutorial"))
    lost = [loss for loss in match.losses if loss.flow == OURS]
    found.append(at_most(f"{on}: lost by ours", 0, sum(one.lost for one in lost), ""))
    found.append(at_most(f"{on}: doubled by ours", 0, sum(one.doubled for one in lost), ""))
    return found


def _median(match: Match, flow: str, way: str, latency: int, what: str) -> float:
    figures: list[float] = [getattr(one, what) for one in match.of(flow, way, latency)]
    return statistics.median(figures)


def _table(match: Match, size: Size) -> Table:
    rows = [
        _row(match, flow, way, latency)
        for latency in size.latencies_ms
        for way in WAYS
        for flow in (OURS, TUTORIAL)
    ]
    memory = ", ".join(f"{name} {mb:.0f} MB" for name, mb in match.memory_mb.items())
    return Table(
        HEAD,
        rows,
        f"On {match.database}, {match.slots} calls in flight; medians. Own memory of all processes"
        f" together (PSS): {memory}.",
    )


def _row(match: Match, flow: str, way: str, latency: int) -> Sequence[str]:
    def median(what: str) -> float:
        return _median(match, flow, way, latency, what)

    ratio = f"{match.ratio(way, latency):.2f}" if flow == OURS else ""
    return (
        *(flow, way, f"{latency} ms", f"{median('each_second'):.0f}", ratio),
        *(f"{median('calls'):.2f}", f"{median('total_cpu_ms'):.1f}"),
        *(f"{median('stand_ins_ms'):.1f}", f"{median('pressure'):.0%}"),
    )


def _by_process(match: Match, size: Size) -> Table:
    """Where the processor time goes, over all bursts."""
    names = dict.fromkeys(name for one in match.bursts for name in one.cpu_ms)
    rows = [
        (name, *(_cpu_of(match.bursts, flow, name) for flow in (OURS, TUTORIAL))) for name in names
    ]
    return Table(
        ("process", OURS, TUTORIAL),
        rows,
        f"CPU ms for each rating on {match.database}, {match.slots} calls in flight: medians over"
        " all bursts.",
    )


def _cpu_of(bursts: Sequence[Burst], flow: str, name: str) -> str:
    found = [one.cpu_ms[name] for one in bursts if one.flow == flow and name in one.cpu_ms]
    return f"{statistics.median(found):.1f}" if found else "–"


def _losses(matches: Sequence[Match]) -> Table:
    rows = [
        (match.database, str(match.slots), loss.flow, loss.fault, *_of(loss))
        for match in matches
        for loss in match.losses
    ]
    head = ("database", "in flight", "flow", "fault", "ratings", "lost", "doubled")
    note = (
        "The fault strikes when a quarter has crossed from Wix to the shop. Lost: not there after"
        " the patience; Celery brings back what a killed worker had not begun after an hour."
    )
    return Table(head, rows, note)


def _of(loss: Loss) -> tuple[str, str, str]:
    return str(loss.ratings), str(loss.lost), str(loss.doubled)


def _charts(match: Match, size: Size) -> list[Bars]:
    cases = [
        (flow, way, latency)
        for latency in size.latencies_ms
        for way in WAYS
        for flow in (OURS, TUTORIAL)
    ]
    words = {case: f"{case[0]}, {case[1]}, {case[2]} ms" for case in cases}
    place = f"{match.database}-{match.slots}"
    on = f"{match.database}, {match.slots} calls in flight"
    cpu = {words[case]: _median(match, *case, "total_cpu_ms") for case in cases}
    rates = {words[case]: _median(match, *case, "each_second") for case in cases}
    return [
        Bars(f"peers-cpu-{place}", f"Processor time of a rating: {on}", "CPU ms", cpu),
        Bars(f"peers-rate-{place}", f"New ratings: {on}", "ratings a second", rates),
    ]
