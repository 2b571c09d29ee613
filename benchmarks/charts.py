"""The three forms of chart that the reports need, drawn by matplotlib as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar for each name; ``limit`` is drawn as a line across: what was promised."""

    name: str
    title: str
    unit: str
    bars: Mapping[str, float]
    limit: float | None = None

    def draw_on(self, axes: Axes) -> None:
        drawn = axes.barh(list(self.bars), list(self.bars.values()), color="#4c78a8")
        axes.bar_label(drawn, fmt="{:,.3g}", padding=3, fontsize=8)
        axes.invert_yaxis()
        axes.margins(x=0.15)
        axes.set_xlabel(self.unit)
        if self.limit is not None:
            axes.axvline(
                self.limit, color="#e45756", linestyle="--", label=f"promised: {self.limit:g}"
            )
            axes.legend(fontsize=8)


@dataclass(frozen=True, slots=True)
class Lines:
    """Points joined for each name; ``dashed`` are those to compare with; ``marks``: moments on the
    x axis.
    """

    name: str
    title: str
    x_unit: str
    y_unit: str
    lines: Mapping[str, Sequence[tuple[float, float]]]
    dashed: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    marks: Mapping[str, Sequence[float]] = field(default_factory=dict)
    is_logarithmic: bool = False

    def draw_on(self, axes: Axes) -> None:
        for name, points in self.lines.items():
            axes.plot(*_columns(points), marker="o" if len(points) < 20 else "", label=name)
        axes.set_prop_cycle(None)
        for name, points in self.dashed.items():
            axes.plot(*_columns(points), linestyle="--", linewidth=1, label=name)
        for (name, moments), colour in zip(
            self.marks.items(), ("#e45756", "#72b7b2"), strict=False
        ):
            for number, moment in enumerate(moments):
                axes.axvline(
                    moment, color=colour, linewidth=0.7, alpha=0.6, label=None if number else name
                )
        if self.is_logarithmic:
            axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel(self.x_unit)
        axes.set_ylabel(self.y_unit)
        axes.legend(fontsize=8)


Chart = Bars | Lines


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def draw(chart: Chart, file: Path) -> None:
    """Write one chart. matplotlib is imported only here: it takes longer than some benchmarks."""
    from matplotlib.figure import Figure

    height = max(2.2, 0.42 * len(chart.bars) + 1.1) if isinstance(chart, Bars) else 4.2
    figure = Figure(figsize=(8, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(chart.title, fontsize=10)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    chart.draw_on(axes)
    figure.savefig(file, metadata={"Date": None})
