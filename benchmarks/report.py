"""What a benchmark hands over, and the folder that is made of it: report.md, report.json, and
charts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.charts import Chart, draw
from benchmarks.machine import Machine, is_busy


@dataclass(frozen=True, slots=True)
class Bound:
    """Something promised beside what was measured. ``is_hard``: not only aimed at."""

    what: str
    promised: str
    measured: str
    is_met: bool
    is_hard: bool = True

    @property
    def word(self) -> str:
        return "met" if self.is_met else "not met" if self.is_hard else "aim not reached"


def at_least(what: str, least: float, measured: float, unit: str, *, is_hard: bool = True) -> Bound:
    promised = f"at least {_number(least)} {unit}"
    return Bound(what, promised, f"{_number(measured)} {unit}", measured >= least, is_hard)


def at_most(what: str, most: float, measured: float, unit: str, *, is_hard: bool = True) -> Bound:
    promised = f"at most {_number(most)} {unit}"
    return Bound(what, promised, f"{_number(measured)} {unit}", measured <= most, is_hard)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of words; ``note`` stands below."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """One benchmark: how it was measured, what was promised, and ``figures``, which go into
    report.json as they are.
    """

    name: str
    title: str
    how: str
    bounds: Sequence[Bound] = ()
    tables: Sequence[Table] = ()
    charts: Sequence[Chart] = ()
    figures: Any = None


Part = tuple[str, Callable[[], Section]]  # a benchmark's name, and what measures it


@dataclass(frozen=True, slots=True)
class Run:
    """A section with the time it took, and how busy machine and disk were before; ``error``: it did
    not get through.
    """

    section: Section
    seconds: float
    load_before: float
    sync_ms_before: float
    error: str | None = None


@dataclass
class Report:
    """Grows with each run, and is written anew each time: a run that breaks costs none of the
    earlier ones.
    """

    folder: Path
    machine: Machine
    is_quick: bool
    runs: list[Run] = field(default_factory=list)

    def add(self, run: Run) -> None:
        self.runs.append(run)
        self.folder.mkdir(parents=True, exist_ok=True)
        for chart in run.section.charts:
            draw(chart, self.folder / f"{chart.name}.svg")
        (self.folder / "report.md").write_text(self.as_markdown(), encoding="utf-8")
        (self.folder / "report.json").write_text(self.as_json(), encoding="utf-8")

    @property
    def is_complete(self) -> bool:
        return all(run.error is None for run in self.runs)

    def as_json(self) -> str:
        runs = {
            run.section.name: {
                "seconds": run.seconds,
                "load_before": run.load_before,
                "sync_ms_before": run.sync_ms_before,
                "error": run.error,
                "bounds": [asdict(bound) for bound in run.section.bounds],
                "figures": run.section.figures,
            }
            for run in self.runs
        }
        return json.dumps(
            {"machine": asdict(self.machine), "is_quick": self.is_quick, "runs": runs}, indent=1
        )

    def as_markdown(self) -> str:
        lines = ["# Benchmarks of ratings-sync", "", *self._about(), "", "## What was promised", ""]
        bounds = [bound for run in self.runs for bound in run.section.bounds]
        rows = [[one.what, one.promised, one.measured, f"**{one.word}**"] for one in bounds]
        lines += _markdown(Table(["", "promised", "measured", ""], rows))
        for run in self.runs:
            lines += ["", *_section(run)]
        return "\n".join(lines) + "\n"

    def _about(self) -> list[str]:
        it = self.machine
        versions = ", ".join(f"{name} {number}" for name, number in it.versions.items())
        about = [
            (
                f"{it.when}, commit {it.commit or 'unknown'}. {it.processor}, {it.cores} cores,"
                f" {it.memory_gib} GiB, {it.system}, Python {it.python}; {versions}."
            ),
            "",
            (
                "Compare only what stands in one table: it was measured in one run on this machine."
                " Clients and stand-ins share its cores with what is measured."
            ),
        ]
        if self.is_quick:
            about += [
                "",
                (
                    "**Made with `--quick`: far too little work for a figure. It only shows that"
                    " all runs.**"
                ),
            ]
        if any(is_busy(run.load_before) for run in self.runs):
            about += [
                "",
                (
                    "**The machine was busy with other work: the load before a part stands beside"
                    " it.**"
                ),
            ]
        return about


def _section(run: Run) -> list[str]:
    part = run.section
    before = (
        f"load before it {run.load_before:.1f}, a page safe on disk after"
        f" {run.sync_ms_before:.1f} ms"
    )
    lines = [f"## {part.title}", "", part.how, "", f"*It took {run.seconds:.0f} s; {before}.*"]
    if run.error is not None:
        lines += ["", f"**It did not get through: {run.error}**"]
    for table in part.tables:
        lines += ["", *_markdown(table)]
        lines += ["", table.note] if table.note else []
    for chart in part.charts:
        lines += ["", f"![{chart.title}]({chart.name}.svg)"]
    return lines


def _markdown(table: Table) -> list[str]:
    rows = [list(table.head), ["---"] * len(table.head), *map(list, table.rows)]
    return [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
