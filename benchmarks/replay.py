"""Real ratings through both doors of a whole installation, with faults: is anything lost, doubled,
echoed?
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.charts import Lines
from benchmarks.ground import BUDGETS, a_stage
from benchmarks.havoc import Havoc
from benchmarks.report import Section, Table, at_most
from sync_sandbox.replay import RealRating, Replay, generated_ratings, products_of, read_ratings
from sync_sandbox.stage import Stage

CHANGED_SHARE = 25  # one rating in so many is changed afterwards
CHART_POINTS = 300


@dataclass(frozen=True, slots=True)
class Size:
    """``file``: ratings as MovieLens has them, the last ``limit`` of it; without one they are drawn
    by chance.

    ``chaos``: seconds between two kills of a process, and between two FLUSHALL; ``None``: no
    faults. ``faults_most``: of each kind, then peace.
    """

    file: Path | None = None
    limit: int = 100_004
    database: str = "postgresql"
    workers: int = 2
    chaos: tuple[float, float] | None = (10.0, 60.0)
    faults_most: int | None = None


DRAWN = 20_000  # more of them by chance would be all keys of the busiest people
QUICK = Size(limit=40, database="sqlite", workers=1, chaos=(1.0, 0.5), faults_most=1)


@dataclass(frozen=True, slots=True)
class Figures:
    """``lost``: ratings that differ or are missing on a side in the end; ``doubled``: creates
    beyond one for each rating, and writes that changed nothing; ``echoed``: our writes beyond the
    visitors' changes.
    """

    ratings: int
    changes: int
    writes: int
    lost: int
    doubled: int
    echoed: int
    held: int
    open: int
    kills: int
    flushes: int
    answers: Mapping[str, int]
    seconds: float
    is_good: bool

    @property
    def each_second(self) -> float:
        return self.writes / self.seconds


def run(size: Size) -> Section:
    ratings = ratings_of(size)
    with a_stage(size.database, products_of(ratings), workers=size.workers) as stage:
        return play_on(stage, ratings, size)


def play_on(stage: Stage, ratings: Sequence[RealRating], size: Size) -> Section:
    crossed: list[tuple[float, float]] = []
    havoc = Havoc(stage, *size.chaos, size.faults_most) if size.chaos else None
    replay = Replay(stage, ratings, changes=len(ratings) // CHANGED_SHARE)
    with havoc or nullcontext():
        started = time.monotonic()
        replay.progress = lambda done: crossed.append((time.monotonic() - started, done))
        replay.play()
    figures = _figures(stage, replay, havoc)
    marks = {"a process killed": havoc.kills, "Redis wiped": havoc.flushes} if havoc else {}
    step = max(1, len(crossed) // CHART_POINTS)
    lines = {"on both sides": [*crossed[::step], *crossed[-1:]]}
    return _section(
        size, figures, Lines("replay", "Replay", "seconds", "ratings", lines, marks=marks)
    )


def ratings_of(size: Size) -> Sequence[RealRating]:
    if size.file is not None:
        return read_ratings(size.file, size.limit)
    return generated_ratings(min(size.limit, DRAWN), seed=5)


def _figures(stage: Stage, replay: Replay, havoc: Havoc | None) -> Figures:
    total, status, writes = len(replay.ratings), stage.status(), stage.writes()
    journal: list[Mapping[str, Any]] = [
        entry
        for side in (stage.box.wix, stage.box.reviews)
        for entry in side.journal
        if entry["by"] == "app"
    ]
    creates = sum(entry["operation"] == "create" for entry in journal)
    empty = sum(
        entry["operation"] == "update" and entry["before"] == entry["after"] for entry in journal
    )
    answers = Counter(
        answer
        for side in (stage.box.wix, stage.box.reviews)
        for one in side.webhooks.sent
        for answer in one.statuses
    )
    return Figures(
        ratings=total,
        changes=writes["visitor"],
        writes=writes["app"],
        lost=len(stage.differences()) + max(0, total - len(stage.rated())),
        doubled=max(0, creates - total) + empty,
        echoed=max(0, writes["app"] - writes["visitor"]),
        held=sum(status.held.values()),
        open=status.deliveries.get("new", 0) + status.deliveries.get("taken", 0),
        kills=len(havoc.kills) if havoc else 0,
        flushes=len(havoc.flushes) if havoc else 0,
        answers={str(status or "none"): count for status, count in answers.items()},
        seconds=replay.seconds,
        is_good=all(check.is_good for check in replay.verdict()),
    )


def _section(size: Size, it: Figures, chart: Lines) -> Section:
    source = (
        f"The last {it.ratings:,} of {size.file.name}"
        if size.file
        else f"{it.ratings:,} ratings drawn by chance"
    )
    faults = (
        f"{it.kills} processes killed and started again, Redis wiped {it.flushes} times"
        if size.chaos
        else "none"
    )
    answers = ", ".join(f"{status}: {count:,}" for status, count in it.answers.items())
    rows = [
        (
            "ratings; changes by visitors, changes of mind included",
            f"{it.ratings:,}; {it.changes:,}",
        ),
        ("our writes", f"{it.writes:,}"),
        ("lost, doubled, echoed", f"{it.lost}, {it.doubled}, {it.echoed}"),
        ("held, open in the end", f"{it.held}, {it.open}"),
        ("faults", faults),
        ("webhooks by our answer (none: the gateway was dead; it is sent again)", answers),
        ("time, rate", f"{it.seconds:,.0f} s, {it.each_second:.0f} writes a second"),
    ]
    return Section(
        "replay",
        "Replay through both doors",
        f"{source}: half of them enter on each side, one webhook in ten comes twice, one in ten"
        f" late, one rating in {CHANGED_SHARE} is changed afterwards. {size.workers} worker"
        f" process(es), gateway, scheduler and both stand-ins on one machine, {size.database}."
        f" {BUDGETS}",
        [
            at_most("replay: ratings lost", 0, it.lost + it.held + it.open, ""),
            at_most("replay: ratings doubled", 0, it.doubled, ""),
            at_most("replay: echoes written", 0, it.echoed, ""),
        ],
        [Table(("", ""), rows)],
        [chart],
        asdict(it),
    )
