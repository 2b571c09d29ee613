"""Reconcile as people run it: the command, against a running installation between both stand-ins.

The long form (``-m long -s`` prints calls for each rating, peak memory and time) raises the budget
at both ends.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sync_sandbox.stage import Rated, Stage
from sync_sandbox.volume import Volume, load
from tests.end_to_end.conftest import StageMaker
from tests.terminal import interrupts_of_children

COMMAND = str(Path(sys.executable).with_name("ratings-sync"))
SMALL = Volume(each_side=200, conflicting=4, strangers=8)
LARGE = Volume(each_side=20_000, conflicting=200, strangers=300)


def reconcile(stage: Stage, *options: str, timeout: float = 240.0) -> dict[str, Any]:
    """What the command says, as JSON. Its errors are the test's."""
    done = subprocess.run(
        [COMMAND, "reconcile", "--json", *options],
        env=stage.everything | {"REDIS_URL": stage.redis_url},
        cwd=stage.folder,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def wix_calls(stage: Stage) -> Counter[str]:
    calls = Counter(stage.box.wix.calls)
    del calls["POST /oauth2/token"]
    return calls


def calls_allowed(written: int, listed: int) -> float:
    """The promise: 1.02 Wix calls for each rating written on either side, and one for each 100 that
    Wix lists.
    """
    return 1.02 * written + listed / 100


def differing(stage: Stage) -> list[Rated]:
    return [one for one in stage.differences() if not one.email.startswith("stranger")]


def full_stage(make_stage: StageMaker, volume: Volume, **options: Any) -> Stage:
    stage: Stage = make_stage(volume.products, **options)
    load(stage.box, volume)
    return stage


@pytest.mark.full
@pytest.mark.timeout(300)
def test_first_reconcile_ends_equal_and_the_second_writes_nothing(
    make_stage: StageMaker,
) -> None:
    stage = full_stage(make_stage, SMALL)
    planned = reconcile(stage, "--dry-run", "--actions")
    assert planned["written"] == {}
    first = reconcile(stage, "--yes", "--actions")
    assert first["kind"] == "baseline"
    assert differing(stage) == []
    assert stage.status().held == {"unknown_contact": SMALL.strangers}
    assert sort_of(first["actions"]) == sort_of(planned["plan"]["actions"])
    # The dry run has listed both sides too.
    assert wix_calls(stage).total() <= calls_allowed(
        sum(first["written"].values()), 2 * SMALL.each_side
    )
    assert stage.wait_until(stage.is_quiet, 60)
    second = reconcile(stage, "--yes")
    assert (second["kind"], second["written"]) == ("sweep", {})
    assert differing(stage) == []


def sort_of(actions: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(one, sort_keys=True) for one in actions)


@dataclass
class Ended:
    """How one process of the command ended. ``peak_mb``: its largest resident memory."""

    status: int
    peak_mb: float
    document: dict[str, Any] | None = None


def reconcile_for(stage: Stage, seconds: float | None, kill: int = signal.SIGKILL) -> Ended:
    """The command, ended by a signal after so many seconds (``None``: it may finish)."""
    command = [COMMAND, "reconcile", "--yes", "--json"]
    environ = stage.everything | {"REDIS_URL": stage.redis_url}
    output = stage.folder / "reconcile.json"
    with output.open("w") as out, interrupts_of_children():
        child = subprocess.Popen(command, env=environ, cwd=stage.folder, stdout=out)
    until = None if seconds is None else time.monotonic() + seconds
    has_signalled = False
    peak_mb = 0.0
    while child.poll() is None:
        peak_mb = peak_mb_of(child.pid) or peak_mb
        if until is not None and time.monotonic() > until and not has_signalled:
            child.send_signal(kill)
            has_signalled = True
        time.sleep(0.05)
    text = output.read_text()
    return Ended(child.returncode, peak_mb, json.loads(text) if text else None)


def peak_mb_of(pid: int) -> float | None:
    """``None``: it has just ended.

    (``wait4`` would tell the peak of whoever started it, if that is larger.)
    """
    words = Path(f"/proc/{pid}/status").read_text().split()
    return int(words[words.index("VmHWM:") + 1]) / 1024 if "VmHWM:" in words else None


@pytest.mark.full
@pytest.mark.timeout(300)
def test_interrupted_reconcile_goes_on_where_it_was(make_stage: StageMaker) -> None:
    volume = Volume(each_side=120, conflicting=2, strangers=4)
    stage = full_stage(make_stage, volume)
    stopped = reconcile_for(stage, 4.0, signal.SIGINT)
    killed = reconcile_for(stage, 3.0)
    last = reconcile_for(stage, None)
    # On a fast machine it has ended before the signal, on a busy one the next has hardly begun.
    assert (stopped.status in (130, 0), killed.status in (-9, 0), last.status) == (True, True, 0)
    assert stage.wait_until(lambda: stage.is_quiet() and not differing(stage), 90)
    assert stage.status().held == {"unknown_contact": volume.strangers}
    rated = {(one["entityId"], one["owner"]["contactId"]) for one in stage.box.wix.ratings.values()}
    assert len(rated) == 2 * volume.each_side - volume.twins - volume.strangers


@pytest.mark.full
@pytest.mark.timeout(300)
def test_one_sweep_finds_and_repairs_what_dropped_webhooks_left(make_stage: StageMaker) -> None:
    stage = full_stage(make_stage, Volume(each_side=60, conflicting=0, strangers=0))
    reconcile(stage, "--yes")
    assert stage.wait_until(stage.is_quiet, 60)
    chance = random.Random(5)
    for side in (stage.box.wix, stage.box.reviews):
        side.faults.set("webhook_dropped", chance=0.05)
    for rating in list(stage.box.wix.ratings.values())[:60]:
        stage.change_on_wix(rating["id"], chance.randrange(20, 101, 20))
    for rating in list(stage.box.reviews.ratings.values())[-30:]:
        stage.change_on_external(rating["id"], Decimal(chance.randrange(1, 6)))
    for number in range(60):
        person = stage.add_person(f"late{number}@example.com", "Late")
        stage.rate_on_wix(person, "product-1", 80)
    for side in (stage.box.wix, stage.box.reviews):
        side.faults.set("webhook_dropped")
    assert stage.wait_until(stage.is_quiet, 90)
    dropped = (
        stage.box.wix.faults.struck["webhook_dropped"]
        + stage.box.reviews.faults.struck["webhook_dropped"]
    )
    assert dropped > 3
    assert differing(stage)
    reconcile(stage, "--yes")
    assert differing(stage) == []


@pytest.mark.full
@pytest.mark.timeout(120)
def test_sweeps_and_polls_run_by_themselves_after_the_baseline(
    make_stage: StageMaker, tmp_path: Path
) -> None:
    """The scheduler and workers sweep and poll by themselves once a person has run the baseline.

    The real beat and worker.

    Webhooks are lost; Wix is seen by sweeps only, the external side by polls too.
    """
    often = tmp_path / "often.yaml"
    poll = "{every_s: 1, full_scan_every_s: 4}"
    often.write_text(f"extends: own-service\nid: own-service\noperations: {{poll: {poll}}}\n")
    settings = {"CONNECTORS": str(often), "RECONCILE_CHECK_SECONDS": "1"}
    stage = full_stage(
        make_stage, Volume(each_side=10, conflicting=0, strangers=0), settings=settings
    )
    assert differing(stage), "nothing begins by itself before the baseline"
    reconcile(stage, "--yes")
    for side in (stage.box.wix, stage.box.reviews):
        side.faults.set("webhook_dropped", chance=1.0)
    stage.change_on_wix(next(iter(stage.box.wix.ratings)), 100)
    stage.change_on_external(list(stage.box.reviews.ratings)[-1], Decimal("0.5"))
    assert differing(stage)
    assert stage.wait_until(
        lambda: not differing(stage) and {"sweep", "poll"} <= kinds_done(stage), 60
    )
    assert stage.wait_until(stage.is_quiet, 60)


def kinds_done(stage: Stage) -> set[str]:
    return {run.kind for run in stage.wiring.databases.figures().runs if run.state == "done"}


def ending_of_a_volume(make_stage: StageMaker, volume: Volume, kills: int) -> str:
    """Reconciles two full sides, killed so often on the way; what it cost, in words."""
    stage = full_stage(make_stage, volume)
    chance, started = random.Random(1), time.monotonic()
    ends = [reconcile_for(stage, chance.uniform(5, 45)) for _ in range(kills)]
    ends.append(reconcile_for(stage, None))
    seconds = time.monotonic() - started
    assert ends[-1].status == 0
    assert stage.wait_until(lambda: stage.is_quiet() and not differing(stage), 900)
    assert stage.status().held == {"unknown_contact": volume.strangers}
    written = volume.each_side * 2 - volume.twins * 2 - volume.strangers + volume.conflicting
    assert stage.writes()["app"] == written
    calls = wix_calls(stage)
    peak = max(one.peak_mb for one in ends)
    second = reconcile(stage, "--yes", timeout=900)
    assert second["written"] == {}
    killed = sum(one.status == -9 for one in ends)
    words = (
        f"{volume.each_side} + {volume.each_side} ratings, killed {killed} times, {seconds:.0f} s, "
        f"{written} written, {calls.total()} Wix calls ({calls.total() / written:.3f} for each), "
        f"peak {peak:.0f} MB, budget 60000 a minute at both ends: {dict(calls)}"
    )
    print(words)  # noqa: T201 - the long form's figures
    # Each kill may list a page and ask for its people once more.
    assert calls.total() <= calls_allowed(written, volume.each_side) + 40 * kills
    assert peak < 200
    return words


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kills", [0, 10])
def test_twenty_thousand_ratings_on_each_side_end_equal_after_kills(
    make_stage: StageMaker, kills: int
) -> None:
    """Twenty thousand ratings on each side end equal, also when killed on the way."""
    ending_of_a_volume(make_stage, LARGE, kills)
