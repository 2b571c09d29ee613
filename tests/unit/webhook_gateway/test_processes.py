"""The parent of the door's processes, with processes of its own that serve nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.terminal import ignores

BEGIN = """
import os, signal, sys
from webhook_gateway import processes
from webhook_gateway.processes import Processes

def say(line):
    os.write(1, f"{line}\\n".encode())  # whole: all of them write to one pipe
"""
SERVE = """
def serve(place, beat, has_served):
    beat()
    say(f"serves {os.getpid()}")
    while True:
        signal.pause()
"""
# The first hangs once it serves; all others go on to start.
HANG = """
processes.HUNG_SECONDS = 0.2

def serve(place, beat, has_served):
    beat(serves=not has_served)
    say(f"begins {os.getpid()} at {place} after others: {has_served}")
    while True:
        signal.pause()
"""
END = "sys.exit(Processes(serve, 2, say).run())"


@contextmanager
def parent(code: str, *ignored: signal.Signals) -> Iterator[subprocess.Popen[str]]:
    # Whatever whoever started the tests ignores.
    wanted = {signal.SIGHUP: signal.SIG_DFL, signal.SIGINT: signal.SIG_DFL}
    wanted |= dict.fromkeys(ignored, signal.SIG_IGN)
    before = {number: signal.signal(number, how) for number, how in wanted.items()}
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", BEGIN + code + END], stdout=subprocess.PIPE, text=True
        )
    finally:
        for number, was in before.items():
            signal.signal(number, was)
    with process:
        yield process
        process.terminate()
        assert process.wait(60) == 0


def next_line(process: subprocess.Popen[str], begin: str) -> list[str]:
    """The words of the next line that begins so."""
    assert process.stdout is not None
    return next(line.split() for line in process.stdout if line.startswith(begin))


def test_signals_that_are_ignored_from_outside_end_no_process() -> None:
    """``nohup`` ignores SIGHUP, a shell's background job SIGINT; SIGTERM ends all of them."""
    unheard = (signal.SIGHUP, signal.SIGINT)
    with parent(SERVE, *unheard) as process:
        children = [int(next_line(process, "serves")[1]) for _ in range(2)]
        for pid in (process.pid, *children):
            assert all(ignores(pid, number) for number in unheard)
            assert not ignores(pid, signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_each_signal_that_stops_ends_the_parent_and_its_processes(number: signal.Signals) -> None:
    with parent(SERVE) as process:
        children = [int(next_line(process, "serves")[1]) for _ in range(2)]
        assert not any(ignores(pid, signal.SIGHUP) for pid in (process.pid, *children))
        process.send_signal(number)
        assert process.wait(60) == 0


def test_process_that_hangs_is_replaced_and_one_that_only_starts_is_not() -> None:
    """Who serves has to react within seconds; who waits for its ledger may take its time."""
    lines: list[str] = []
    with parent(HANG) as process:
        assert process.stdout is not None
        while len([line for line in lines if line.startswith("begins")]) < 3:
            lines.append(next(process.stdout))
    begun = [line.split() for line in lines if line.startswith("begins")]
    assert [(words[3], words[-1]) for words in begun] == [
        ("0", "False"),
        ("1", "True"),
        ("0", "True"),
    ]
    hung = {line.split()[1] for line in lines if "has not reacted" in line}
    assert hung == {begun[0][1]}
