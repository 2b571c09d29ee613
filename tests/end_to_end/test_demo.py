"""The demo and the sandbox as a newcomer meets them: the commands, what they print, and nothing
left behind.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from sync_sandbox.demo import SHOWN_SECONDS
from sync_sandbox.replay import Replay, generated_ratings, products_of
from sync_sandbox.story import STEP_SECONDS, STORY_RETRY_SCALE
from sync_sandbox.webhooks import WIX_RETRY_SECONDS
from sync_worker.cli.run.demo import NO_TERMINAL
from sync_worker.runtime.local.free_port import free_port
from tests.commands import run_command
from tests.end_to_end.conftest import StageMaker
from tests.recording import END, THEMES, same_words, words_of
from tests.terminal import interrupts_of_children

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
STOPS = "ends the demo."
COMMAND = str(Path(sys.executable).parent / "ratings-sync")


@pytest.mark.timeout(300)
def test_demo_tells_its_story_and_leaves_nothing_behind(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    (tmp_path / ".env").write_text("DATABASE_URL=postgresql://nobody@127.0.0.1:1/production\n")
    mark = {"HOME": environ.get("HOME", "/"), "PATH": environ["PATH"], "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [COMMAND, "demo"], env=mark, cwd=tmp_path, capture_output=True, text=True, timeout=230
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Verdict: good" in done.stdout
    assert "writes = changes: 10 writes for 10 changes" in done.stdout
    assert "✗" not in done.stdout, done.stdout
    assert done.stdout.count("✓") == 13 + 4
    told = done.stdout.partition(END)[0]
    for theme in THEMES:
        shown = words_of((PICTURES / f"demo-{theme}.svg").read_text())
        assert shown == same_words(told), "call `make recording`"
    assert done.stdout.splitlines()[-1] == NO_TERMINAL
    assert done.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == [".env"]
    left = [line for line in _processes() if str(tmp_path) in line]
    assert left == []


@pytest.mark.full
@pytest.mark.timeout(300)
def test_demo_that_stays_without_a_terminal_says_once_where_to_go_on(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """As under nohup or in a container: the console is at work until the demo is stopped."""
    process = start([COMMAND, "demo", "--stay"], tmp_path, environ | {"TMPDIR": str(tmp_path)})
    try:
        assert process.stdout is not None
        told = ""
        while STOPS not in told and (line := process.stdout.readline()):
            told += line
        addresses = told.partition("Go on playing here:")[2]
        way_in = re.search(r"come in, once, within 15 minutes: (http\S+)", addresses)
        assert way_in is not None, told
        assert requests.get(way_in[1], timeout=5).ok
        assert "stand-in dashboard of Wix: http" in addresses
        assert "Try this: rate on either page" in addresses
        time.sleep(2 * SHOWN_SECONDS)
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=60)
    assert (process.returncode, rest) == (0, "")
    assert [line for line in _processes() if str(tmp_path) in line] == []
    assert list(tmp_path.iterdir()) == []


def test_webhook_missed_once_comes_again_within_a_step() -> None:
    assert STORY_RETRY_SCALE * WIX_RETRY_SECONDS[0] < STEP_SECONDS / 5


def _processes() -> list[str]:
    """What runs, with its working folder."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                found.append(f"{(folder / 'cmdline').read_bytes()!r} {os.readlink(folder / 'cwd')}")
            except OSError:
                continue
    return found


@pytest.mark.full
@pytest.mark.timeout(300)
def test_demo_replays_a_file_and_prints_the_rate(tmp_path: Path, environ: dict[str, str]) -> None:
    file = tmp_path / "ratings.csv"
    rows = [f"{one.person},{one.item},{one.stars},0" for one in generated_ratings(60, seed=3)]
    file.write_text("\n".join(["userId,movieId,rating,timestamp", *rows]) + "\n")
    command = [COMMAND, "demo", "--once", "--replay", str(file), "--limit", "50"]
    done = subprocess.run(
        command, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=230
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "both sides are equal (50 and 50 of 50)" in done.stdout
    assert "writes a second" in done.stdout


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("a,b\n", "ratings.csv:1: there is no column 'userId'; the columns are: a, b"),
        (
            "userId,movieId,rating,timestamp\n1,2,six,0\n",
            "ratings.csv:2: rating: 'six' is not a number",
        ),
        (
            "userId,movieId,rating,timestamp\n1,2,4.2,0\n",
            "ratings.csv:2: rating: 4.2 is not 0.5 to 5 in half steps",
        ),
        ("userId,movieId,rating,timestamp\n1,2\n", "ratings.csv:2: 2 cells, but the header has 4"),
    ],
)
def test_bad_replay_file_is_refused_with_file_and_line(
    tmp_path: Path, environ: dict[str, str], content: str, complaint: str
) -> None:
    (tmp_path / "ratings.csv").write_text(content)
    done = run_command(["demo", "--once", "--replay", "ratings.csv"], tmp_path, environ)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.full
@pytest.mark.alone
@pytest.mark.timeout(300)
def test_1000_ratings_from_both_sides_end_equal_and_starve_no_webhook(
    make_stage: StageMaker,
) -> None:
    """1000 ratings from both sides end equal and a busy worker starves no webhook."""
    ratings = generated_ratings(1000, seed=5)
    stage = make_stage(dict(products_of(ratings)))
    replay = Replay(stage, ratings, seed=5, changes=40)
    replay.play()
    assert [check.what for check in replay.verdict() if not check.is_good] == []
    statuses = {
        status
        for side in (stage.box.wix, stage.box.reviews)
        for one in side.webhooks.sent
        for status in one.statuses
    }
    assert statuses == {200}, "a webhook was not answered with 200 within 1,250 ms"


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_20000_ratings_end_equal_on_postgresql(
    make_stage: StageMaker, fresh_postgres_url: str
) -> None:
    ratings = generated_ratings(20_000, seed=6)
    stage = make_stage(
        dict(products_of(ratings)), settings={"DATABASE_URL": fresh_postgres_url}, workers=2
    )
    replay = Replay(stage, ratings, seed=6, changes=800)
    replay.play()
    assert [check.what for check in replay.verdict() if not check.is_good] == []


# -- the sandbox and `up`, as commands


@pytest.mark.full
def test_sandbox_and_up_work_together_as_the_readme_says(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """Sandbox in one terminal, everything else in another: a rating made on the page's form
    crosses.
    """
    gateway_port, wix_port, reviews_port = (str(free_port()) for _ in range(3))
    gateway, wix, reviews = (
        f"http://127.0.0.1:{port}" for port in (gateway_port, wix_port, reviews_port)
    )
    ports = ["--wix-port", wix_port, "--reviews-port", reviews_port, "--gateway", gateway]
    sandbox = start([COMMAND, "sandbox", *ports, "--env-file", ".env"], tmp_path, environ)
    wait_for(f"{wix}/sandbox/state")
    instance = "11111111-0000-4000-8000-000000000001"
    (tmp_path / "entities.csv").write_text(
        "wix_namespace,wix_group,wix_entity_id,external_group,external_entity_id\nreviews,stores,beans,,SKU-1\n"
    )
    for command in (
        ["site", "add", instance, "--connector", "own-service", "-p", "unknown_contact=create"],
        ["map", "entities", "import", "entities.csv"],
    ):
        subprocess.run(
            [COMMAND, *command], cwd=tmp_path, env=environ, check=True, capture_output=True
        )
    up = start(
        [COMMAND, "up", "--no-console"],
        tmp_path,
        {**environ, "GATEWAY_BIND": f"127.0.0.1:{gateway_port}"},
    )
    wait_for(f"{gateway}/readyz")
    form = {"entity": "SKU-1", "person": "eve@example.com", "value": "4.5"}
    assert requests.post(f"{reviews}/sandbox/ratings", data=form, timeout=5).ok
    until = time.monotonic() + 60
    ratings: list[dict[str, object]] = []
    while not ratings and time.monotonic() < until:
        ratings = requests.get(f"{wix}/sandbox/state", timeout=5).json()["ratings"]
        time.sleep(0.1)
    assert [(one["entityId"], one["value"]) for one in ratings] == [("beans", 90)]
    assert "eve@example.com" in requests.get(wix, timeout=5).text
    for process in (up, sandbox):
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=40)
        assert process.returncode == 0, output
        assert "Traceback" not in output
    assert [line for line in _processes() if str(tmp_path) in line] == []


def start(command: list[str], folder: Path, environ: dict[str, str]) -> subprocess.Popen[str]:
    with interrupts_of_children():
        return subprocess.Popen(
            command,
            cwd=folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def wait_for(url: str) -> None:
    until = time.monotonic() + 90
    while time.monotonic() < until:
        try:
            if requests.get(url, timeout=2).ok:
                return
        except requests.RequestException:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")
