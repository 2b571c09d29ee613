"""Puts the figures of the workarounds into words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from benchmarks.machine import PACKAGES, versions_of
from benchmarks.probation import Fault, Size, Turns, measure
from benchmarks.report import Section, Table

LEAST_SAVING = 0.05  # a workaround that brings less has to go, unless it prevents a fault


def run(size: Size) -> Section:
    """Measures."""
    figures = measure(size)
    versions = ", ".join(f"{name} {version}" for name, version in versions_of(PACKAGES).items())
    return Section(
        "probation",
        "Workarounds on probation",
        "Each workaround reaches into a library, so each must show what it brings: processor time,"
        " user and system, of the one process that works, with it and without it in turns. A round"
        f" is {size.ratings} ratings over HTTP on {size.database}, or {size.tasks} tasks that"
        " do nothing."
        f" A workaround that saves less than {LEAST_SAVING:.0%} and prevents no fault has to go.",
        tables=[_savings(figures.turns, versions), _faults(figures.faults)],
        figures=asdict(figures),
    )


def _savings(turns: Sequence[Turns], versions: str) -> Table:
    rows = [
        (
            one.workaround,
            one.per,
            f"{_median(one.on):.1f} ms",
            f"{_median(one.off):.1f} ms",
            f"{one.saving:.0%}",
            " ".join(f"{saving:.0%}" for saving in one.savings),
        )
        for one in turns
    ]
    head = ("workaround", "for each", "with", "without", "saves", "in each round")
    return Table(head, rows, f"Medians. {versions}")


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _faults(faults: Sequence[Fault]) -> Table:
    rows = [(one.workaround, one.situation, one.on, one.off) for one in faults]
    return Table(("workaround", "situation", "with", "without"), rows)
