"""The benchmarks run as a whole, from outside, with hardly any work: structure and counts, never a
speed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.full,
    pytest.mark.alone,
]  # it starts five installations in a row, and each has its own deadlines
PARTS = ["gateway", "calls", "workers", "links", "replay", "latency", "memory"]


@pytest.fixture(scope="module")
def report_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    command = [sys.executable, "-m", "benchmarks", "all", "--quick", "--out", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def runs(report_folder: Path) -> dict[str, Any]:
    runs: dict[str, Any] = json.loads((report_folder / "report.json").read_text())["runs"]
    return runs


@pytest.mark.timeout(300)
def test_every_benchmark_runs_and_the_report_names_every_chart(
    report_folder: Path,
) -> None:
    """Every benchmark runs and the report names the machine and every chart."""
    made = json.loads((report_folder / "report.json").read_text())
    text = (report_folder / "report.md").read_text()
    assert {name: run["error"] for name, run in made["runs"].items()} == dict.fromkeys(PARTS)
    assert made["machine"]["processor"] in text
    assert "Made with `--quick`" in text
    charts = sorted(file.name for file in report_folder.glob("*.svg"))
    assert len(charts) == len(PARTS)
    assert all(f"({chart})" in text for chart in charts)
    for run in made["runs"].values():
        for bound in run["bounds"]:
            assert f"| {bound['what']} | {bound['promised']} |" in text


def test_benchmark_of_the_gateway_finds_in_the_inbox_what_was_answered(
    runs: dict[str, Any],
) -> None:
    (figures,) = runs["gateway"]["figures"]
    statuses = {name: server["statuses"] for name, server in figures["servers"].items()}
    assert figures["answered"] == figures["stored"] > 100
    assert {status for load in statuses["ratings-sync"] for status in load} == {"200"}
    assert "200" not in statuses["Flask + PyJWT + delay()"][-2], (
        "the plain gateway answers while Redis is frozen"
    )


def test_benchmark_counts_one_remote_call_for_a_change(
    runs: dict[str, Any],
) -> None:
    """The benchmark of remote calls counts one for a change and three for the flow of the guide."""
    ours, guide = (
        runs["calls"]["figures"]["ratings-sync"],
        runs["calls"]["figures"]["flow of the guide"],
    )
    kinds = ("created on Wix", "changed on Wix", "created outside", "changed outside")
    assert [ours[kind] for kind in kinds] == [1, 1, 1, 1]
    assert [guide[kind] for kind in kinds] == [1, 1, 3, 3]
    assert ours["told again, late"] == 0 < guide["told again, late"]


def test_benchmark_replay_is_equal_on_both_sides_after_a_kill_and_a_flush(
    runs: dict[str, Any],
) -> None:
    it = runs["replay"]["figures"]
    assert (it["lost"], it["doubled"], it["echoed"], it["held"], it["open"]) == (0, 0, 0, 0, 0)
    assert (it["kills"], it["flushes"], it["is_good"]) == (1, 1, True)
    assert it["writes"] == it["changes"] >= it["ratings"] == 40


def test_benchmarks_have_a_figure_for_each_case(
    runs: dict[str, Any],
) -> None:
    """The benchmarks of workers, ledger, latency and memory have a figure for each case."""
    rates = [
        (one["remotes"], [rate["latency_ms"] for rate in one["rates"]])
        for one in runs["workers"]["figures"]
    ]
    assert rates == [("memory", [0, 20]), ("HTTP", [20])]
    ((over_http,),) = (
        one["rates"] for one in runs["workers"]["figures"] if one["remotes"] == "HTTP"
    )
    assert over_http["call_ms"] >= over_http["latency_ms"]
    ledgers = [(one["database"], one["links"]) for one in runs["links"]["figures"]]
    assert ledgers == [("postgresql", 100), ("postgresql", 300), ("sqlite", 100), ("sqlite", 300)]
    assert [len(one["milliseconds"]) for one in runs["latency"]["figures"]] == [3, 3]
    names = {one["name"] for one in runs["memory"]["figures"]}
    assert names >= {
        "gateway, master",
        "gateway, process 1",
        "worker 1",
        "scheduler",
        "flower",
        "Redis",
    }


def test_benchmark_of_one_call_measures_both_trees_in_turns() -> None:
    command = [sys.executable, "-m", "benchmarks.http_call", "--beside", str(ROOT)]
    command += ["--count", "2", "--rounds", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["GET", "PUT"]
