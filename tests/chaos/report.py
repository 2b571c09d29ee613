"""Reads what pytest wrote about a run, and makes report.md with a table and charts out of it."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from tests.chaos.promises import PROMISES, Promise

# What is drawn: a figure by its name, with the contract that it must not exceed.
CHARTS: dict[str, float | None] = {
    "longest answer in ms": 1250.0,
    "taken up after s": 30.0,
    "longest stop in s": 30.0,
    "caught up after s": None,
    "events/s": None,
}
DATABASES = ("sqlite", "postgres")
PAGE_BEGIN, PAGE_END = "<!-- results -->\n", "<!-- end of results -->\n"


@dataclass(frozen=True, slots=True)
class Result:
    """One run of one test. ``variant``: its parameters; ``figures``: what it measured."""

    test: str
    variant: str
    outcome: str
    seconds: float
    figures: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.test.partition("::")[2]

    @property
    def database(self) -> str:
        return next((one for one in DATABASES if one in self.variant.split("-")), "")


def read_results(file: Path) -> list[Result]:
    """Of a JUnit file."""
    root = ElementTree.parse(file).getroot()  # noqa: S314 - our own pytest wrote it
    return [_result(case) for case in root.iter("testcase")]


def _result(case: ElementTree.Element) -> Result:
    name, _, variant = case.attrib["name"].partition("[")
    test = f"{case.attrib['classname'].replace('.', '/')}.py::{name}"
    outcome = next(
        (one for one in ("failure", "error", "skipped") if case.find(one) is not None), "passed"
    )
    figures = {one.attrib["name"]: one.attrib["value"] for one in case.iter("property")}
    return Result(test, variant.removesuffix("]"), outcome, float(case.attrib["time"]), figures)


def results_of(promise: Promise, results: Iterable[Result]) -> list[Result]:
    return [one for one in results if one.test in promise.tests]


def is_kept(results: Sequence[Result]) -> bool:
    return bool(results) and all(one.outcome == "passed" for one in results)


def write_report(folder: Path, results: Sequence[Result], seconds: float) -> Path:
    """report.md and its charts. Returns its path."""
    lines = [
        "# Chaos report",
        "",
        (
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {machine()}, {len(results)} runs of tests in"
            f" {seconds / 60:.0f} min."
        ),
        "",
        "| promise | test | database | result | seconds | measured |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for promise in PROMISES:
        found = results_of(promise, results)
        if not found:
            lines.append(f"| {promise.name} | – | | **not run** | | |")
        for one in found:
            cells = (
                promise.name,
                f"`{one.name}`",
                one.variant or "–",
                _word(one),
                f"{one.seconds:.1f}",
                _said(one),
            )
            lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *draw_charts(folder, results)]
    file = folder / "report.md"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def _word(result: Result) -> str:
    return result.outcome if result.outcome == "passed" else f"**{result.outcome}**"


def _said(result: Result) -> str:
    return ", ".join(f"{name}: {value}" for name, value in result.figures.items())


def machine() -> str:
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python"
        f" {platform.python_version()}"
    )


def draw_charts(folder: Path, results: Sequence[Result]) -> list[str]:
    """An SVG for each kind of figure; the lines of Markdown that show them."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    lines = []
    for number, (figure, most) in enumerate(CHARTS.items(), start=1):
        bars = {
            f"{one.name[5:60]} [{one.variant}]": float(one.figures[figure])
            for one in results
            if figure in one.figures
        }
        if not bars:
            continue
        picture, axes = plt.subplots(figsize=(10, 1.2 + 0.3 * len(bars)), layout="constrained")
        axes.barh(list(bars), list(bars.values()), color="#3a6ea5")
        axes.invert_yaxis()
        axes.tick_params(axis="y", labelsize=7)
        if most is not None:
            axes.axvline(most, color="#b03030", linestyle="--")
        axes.set_title(figure if most is None else f"{figure} (contract: {most:,.0f})")
        name = f"chart-{number}.svg"
        picture.savefig(folder / name)
        plt.close(picture)
        lines += [f"![{figure}]({name})", ""]
    return lines


# -- the page of the manual


def page_table(results: Sequence[Result], day: str) -> str:
    """The table of docs/promises.md: each promise in words, its tests, and the last result."""
    lines = ["| | promise | shown by | last result |", "| --- | --- | --- | --- |"]
    for promise in PROMISES:
        found = results_of(promise, results)
        names = ", ".join(f"`{test.partition('::')[2]}`" for test in promise.tests)
        lines.append(f"| {promise.name} | {promise.words} | {names} | {_last(found, day)} |")
    return "\n".join(lines) + "\n"


def _last(found: Sequence[Result], day: str) -> str:
    if not found:
        return "not run"
    on = " and ".join(one for one in DATABASES if any(result.database == one for result in found))
    word = "kept" if is_kept(found) else "**broken**"
    said = [f"{name}: {_range(values)}" for name, values in _gathered(found).items()]
    return "; ".join([f"{word}, {day}, {_runs(len(found))}" + (f" on {on}" if on else ""), *said])


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _gathered(found: Sequence[Result]) -> dict[str, list[float]]:
    gathered: dict[str, list[float]] = {}
    for result in found:
        for name, value in result.figures.items():
            gathered.setdefault(name, []).append(float(value))
    return gathered


def _range(values: Sequence[float]) -> str:
    least, most = _number(min(values)), _number(max(values))
    return least if least == most else f"{least} to {most}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2g}"


def renew_page(page: Path, results: Sequence[Result]) -> None:
    """Put the table of these results in the place of the last one."""
    before, _, rest = page.read_text(encoding="utf-8").partition(PAGE_BEGIN)
    after = rest.partition(PAGE_END)[2]
    table = page_table(results, f"{datetime.now(UTC):%Y-%m-%d}")
    page.write_text(before + PAGE_BEGIN + table + PAGE_END + after, encoding="utf-8")
