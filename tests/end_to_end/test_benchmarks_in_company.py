"""Benchmarks without deadlines, in their quick form: they need no machine to themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.full, pytest.mark.timeout(300)]


def test_benchmark_of_sites_has_a_figure_for_each_number_of_accounts(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "sites", "--quick", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((tmp_path / "report.json").read_text())["runs"]["sites"]["figures"]
    assert [one["sites"] for one in figures] == [2, 5]
    assert all(one[name] > 0 for one in figures for name in ("webhook", "rating", "new_account"))
    assert "ix_inbox_ripe_source" in (tmp_path / "report.md").read_text()


def test_benchmark_beside_a_tutorial_counts_calls_and_losses(tmp_path: Path) -> None:
    """Ours costs a third of its calls, and loses nothing where Redis is wiped."""
    command = [sys.executable, "-m", "benchmarks", "peers", "--quick", "--split"]
    command += ["--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((tmp_path / "report.json").read_text())["runs"]["peers"]["figures"]
    (match,), (split,) = figures["matches"], figures["splits"]
    calls = {(one["flow"], one["way"]): one["calls"] for one in match["bursts"]}
    assert {flow for flow, _ in calls} == {"ours", "tutorial"}
    assert all(calls["ours", way] == 1 for way in ("Wix to shop", "shop to Wix"))
    assert all(calls["tutorial", way] >= 3 for way in ("Wix to shop", "shop to Wix"))
    ours = [one for one in match["losses"] if one["flow"] == "ours"]
    assert [(one["lost"], one["doubled"]) for one in ours] == [(0, 0)]
    # Every part was met: what is wrapped is still what the worker calls.
    parts = {part for part, ms in split["worked_ms"].items() if ms > 0}
    assert len(parts) == len(split["worked_ms"]) == 10
    charts = sorted(file.name for file in tmp_path.glob("*.svg"))
    assert charts == ["peers-cpu-sqlite-4.svg", "peers-rate-sqlite-4.svg"]


@pytest.mark.long
def test_benchmark_of_the_console_has_a_figure_for_every_page(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "console", "--quick", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((tmp_path / "report.json").read_text())["runs"]["console"]["figures"]
    assert len(figures["pages"]) > 100
    assert all(one["milliseconds"] > 0 < one["statements"] for one in figures["pages"])
    assert len(figures["plans"]) == 10
    assert figures["alone"][0] > 0 < figures["beside"][0]
