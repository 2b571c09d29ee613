"""`ratings-sync up` loses nothing of what it started: real processes, killed and silenced."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

import pytest
import requests

from sync_worker.runtime.local.free_port import free_port
from sync_worker.runtime.local.line_log import LineLog
from sync_worker.runtime.waiting import wait_until
from tests.terminal import ignores, interrupts_of_children
from tests.unit.signed import APP_ID, OWN_SERVICE, a_token, an_envelope, an_event, claims, pem

pytestmark = pytest.mark.full
COMMAND = str(Path(sys.executable).with_name("ratings-sync"))
MAX_TRIES = 5


@dataclass
class Up:
    """One `ratings-sync up` in a folder. ``said``: the file of its output."""

    process: subprocess.Popen[bytes]
    home: Path
    url: str
    said: Path
    sent: list[str] = field(default_factory=list)

    def wait_for(
        self, condition: Callable[[], Any], seconds: float = 90.0, every: float = 0.1
    ) -> Any:
        """``every``: so many seconds; a condition that starts a command takes the processors."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if found := condition():
                return found
            time.sleep(every)
        raise AssertionError(f"it did not happen in time; said:\n{self.lines()}")

    def lines(self) -> str:
        return self.said.read_text(errors="replace") if self.said.is_file() else ""

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz", timeout=2).ok
        except requests.RequestException:
            return False

    def deliver(self, count: int = 1) -> list[int]:
        """Deliveries of a site that is not there: each ends held."""
        statuses = []
        for _ in range(count):
            name = f"{os.getpid()}-{len(self.sent)}"
            self.sent.append(name)
            event = an_event(id=f"event-{name}", entityId=f"rating-{name}")
            body = a_token(claims(an_envelope(event)))
            statuses.append(self._send(body))
        return statuses

    def _send(self, body: bytes) -> int:
        """As Wix does: 503 says that SQLite's lock was not had in time, and to come again."""
        for _ in range(MAX_TRIES):
            answer = requests.post(f"{self.url}/webhooks/wix", data=body, timeout=5)
            if answer.status_code != 503:
                break
            assert answer.headers["Retry-After"]
        return answer.status_code

    def held(self) -> int:
        with sqlite3.connect(self.home / "ledger.db") as connection:
            counted = connection.execute("SELECT count(*) FROM inbox WHERE state = 'held'")
            return int(counted.fetchone()[0])

    def all_held(self) -> bool:
        return self.held() == len(self.sent)

    def pids(self, word: str) -> list[int]:
        """Processes of this installation whose command line has this word."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                environ = (entry / "environ").read_bytes()
                cwd = os.readlink(entry / "cwd")
            except OSError:
                continue
            is_here = str(self.home).encode() in environ or str(self.home) in cwd
            if is_here and word in command:
                found.append(int(entry.name))
        return found

    def has_others(self, word: str, before: set[int]) -> bool:
        """Whether there are new processes with this word."""
        return bool(set(self.pids(word)) - before)

    def stop(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(45)
        return self.lines()


StartUp = Callable[..., Up]


@pytest.fixture
def start_up(tmp_path: Path, environ: dict[str, str]) -> Iterator[StartUp]:
    with ExitStack() as stack:

        def start(
            name: str = "home",
            stdout: IO[bytes] | int | None = None,
            console: str = "--no-console",
            **changes: str,
        ) -> Up:
            home, port = tmp_path / name, free_port()
            home.mkdir(exist_ok=True)
            settings = {
                **environ,
                **OWN_SERVICE,
                "RATINGS_SYNC_HOME": str(home),
                "WIX_APP_ID": APP_ID,
                "WIX_PUBLIC_KEY": pem().replace("\n", "\\n"),
                "GATEWAY_BIND": f"127.0.0.1:{port}",
                **changes,
            }
            said = tmp_path / f"said-{port}"
            out = stack.enter_context(said.open("wb")) if stdout is None else stdout
            process = subprocess.Popen(
                [COMMAND, "up", "--new", console],
                cwd=tmp_path,
                env=settings,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
            up = Up(process, home, f"http://{settings['GATEWAY_BIND']}", said)
            stack.callback(end, up)
            return up

        yield start


def end(up: Up) -> None:
    if up.process.poll() is None:
        up.process.terminate()
        try:
            up.process.wait(45)
        except subprocess.TimeoutExpired:
            up.process.kill()
            up.process.wait()


@pytest.mark.own_redis
def test_killed_redis_of_up_comes_back_and_nothing_waits(start_up: StartUp) -> None:
    """The new one listens where the old one did, and takes its data."""
    up = start_up()
    up.wait_for(up.is_ready)
    assert up.deliver(3) == [200] * 3
    up.wait_for(up.all_held)
    for _ in range(2):
        (redis,) = up.pids("valkey-server") or up.pids("redis-server")
        os.kill(redis, signal.SIGKILL)
        assert set(up.deliver(13)) == {200}
        up.wait_for(up.all_held)
        up.wait_for(lambda: up.pids("valkey-server") or up.pids("redis-server"))
    up.wait_for(lambda: requests.get(f"{up.url}/readyz", timeout=5).json()["redis"] == "up")
    assert "redis | ended; started again" in up.stop()


def test_every_killed_part_of_up_comes_back(start_up: StartUp) -> None:
    console = f"http://127.0.0.1:{free_port()}"
    up = start_up(console="--console", CONSOLE_BIND=console.removeprefix("http://"))
    up.wait_for(up.is_ready)
    (link,) = up.wait_for(lambda: re.findall(rf"{console}/invitation/[\w-]+", up.lines()))
    up.wait_for(lambda: is_good(link))
    for word in (
        "-m sync_console",
        "-m webhook_gateway",
        "celery -A sync_worker.tasks worker",
        "sync_worker.tasks beat",
    ):
        before = set(up.pids(word))
        assert before, word
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        up.wait_for(partial(up.has_others, word, before))
    up.wait_for(up.is_ready)
    assert up.deliver(3) == [200] * 3
    up.wait_for(up.all_held)
    up.wait_for(lambda: is_good(link))


def is_good(page: str) -> bool:
    try:
        return requests.get(page, timeout=2).ok
    except requests.RequestException:
        return False


def test_second_up_in_one_folder_is_refused_with_who_has_it(start_up: StartUp) -> None:
    """One line with the number of the first, which is not disturbed."""
    up = start_up()
    up.wait_for(up.is_ready)
    second = start_up()
    assert second.process.wait(60) != 0
    (line,) = second.lines().splitlines()
    assert f"`ratings-sync up` runs there (pid {up.process.pid})" in line
    assert "Traceback" not in line
    assert len(up.pids("valkey-server") or up.pids("redis-server")) == 1
    assert up.deliver(2) == [200] * 2
    up.wait_for(up.all_held)


def test_up_at_a_taken_port_says_so_and_does_not_call_itself_ready(start_up: StartUp) -> None:
    """The first would answer in the place of the second, which nobody could reach."""
    up = start_up()
    up.wait_for(up.is_ready)
    second = start_up("other", GATEWAY_BIND=up.url.removeprefix("http://"))
    assert second.process.wait(60) != 0
    assert "GATEWAY_BIND" in second.lines()
    assert "(ready: /readyz)" not in second.lines()
    assert up.deliver() == [200]


@pytest.mark.own_redis
def test_killed_up_leaves_neither_processes_nor_a_lock(start_up: StartUp) -> None:
    up = start_up()
    up.wait_for(up.is_ready)
    up.deliver(2)
    up.process.kill()
    up.process.wait()
    again = start_up()
    again.wait_for(again.is_ready, 90.0)
    again.sent = up.sent
    assert again.deliver(2) == [200] * 2
    again.wait_for(again.all_held)
    assert len(again.pids("valkey-server") or again.pids("redis-server")) == 1
    assert len(again.pids("tasks beat")) == 1


@pytest.mark.parametrize("log", ["full disk", "closed pipe", "pipe that nobody reads"])
def test_up_works_on_although_its_log_cannot_be_written(start_up: StartUp, log: str) -> None:
    """Each delivery writes lines: all pipes behind the gateway would be full after hundreds."""
    reading, writing = os.pipe()
    if log == "full disk":
        os.close(writing)
        writing = os.open("/dev/full", os.O_WRONLY)
    if log == "closed pipe":
        os.close(reading)
    up = start_up(stdout=writing, LOG_LEVEL="DEBUG")
    os.close(writing)
    up.wait_for(up.is_ready)
    assert set(up.deliver(400 if log == "pipe that nobody reads" else 50)) == {200}
    up.wait_for(up.all_held)
    up.process.terminate()
    assert up.process.wait(45) == 0
    if log != "closed pipe":
        os.close(reading)


def test_up_says_what_it_stops(start_up: StartUp) -> None:
    """A background job, too: an interrupt of the foreground is not its own, SIGTERM always is."""
    with interrupts_of_children(ignored=True):
        up = start_up()
    up.wait_for(lambda: "Ctrl-C stops all." in up.lines())
    assert ignores(up.process.pid, signal.SIGINT)
    said = up.stop()
    assert "up | stopping gateway, worker 1, scheduler, redis; what is in hand" in said
    assert up.process.returncode == 0
    assert not up.pids("valkey-server")


def test_lost_lines_are_counted_and_told_when_there_is_room() -> None:
    """A log on a disk that was full tells how many lines it lacks."""
    reading, writing = os.pipe()
    full = os.open("/dev/full", os.O_WRONLY)
    target = os.dup(full)
    log = LineLog(target)
    log.say("gateway", "lost")
    assert wait_until(lambda: log._lost == 1, 5.0)
    os.dup2(writing, target)
    log.say("gateway", "kept")
    log.close()
    for fd in (writing, full, target):
        os.close(fd)
    with os.fdopen(reading) as said:
        assert said.read().splitlines() == [
            "(1 lines could not be written: No space left on device)",
            "  gateway | kept",
        ]


def test_status_finds_the_redis_of_up_and_a_killed_worker(
    start_up: StartUp, tmp_path: Path
) -> None:
    """The lock is for `up` alone: commands of the folder work beside it.

    `up` is halted while its worker is dead: else it starts another one within a second.
    """
    up = start_up()
    up.wait_for(up.is_ready)
    environ = {
        **OWN_SERVICE,
        "PATH": os.environ["PATH"],
        "RATINGS_SYNC_HOME": str(up.home),
    }

    def status() -> dict[str, Any]:
        done = subprocess.run(
            [COMMAND, "status", "--json", "--offline"],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
        )
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def troubles() -> list[str]:
        return [trouble["kind"] for trouble in status()["troubles"]]

    def kinds() -> list[str]:
        return sorted(one["kind"] for one in status()["processes"] if one["stopped_at"] is None)

    assert status()["ledger"]["is_up"]
    # The scheduler is known by its first tick, with the worker's next sign.
    up.wait_for(lambda: kinds() == ["beat", "gateway", "worker"], every=2.0)
    assert troubles() == ["no_site"], "all that has to run runs"
    up.process.send_signal(signal.SIGSTOP)
    for pid in up.pids("celery -A sync_worker.tasks worker"):
        os.kill(pid, signal.SIGKILL)
    up.wait_for(lambda: "no_worker" in troubles(), 60.0, every=2.0)
    (lost,) = (trouble for trouble in status()["troubles"] if trouble["kind"] == "no_worker")
    assert re.fullmatch(
        r"no worker runs since \d\d:\d\d UTC: what is accepted waits", lost["sentence"]
    )
    up.process.send_signal(signal.SIGCONT)
    up.wait_for(lambda: troubles() == ["no_site"], 60.0, every=2.0)
