"""Ctrl-C in the first second of a command: one line and status 130, at whatever moment it comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest

from tests.terminal import ignores, interrupts_of_children

PROGRAM = Path(sys.executable).with_name("ratings-sync")
ENTRY = "sync_worker.cli.main"
# Shares of the modules that a whole call imports: the entry's first ones, then commands and work.
SHARES = (0.0, 0.5, 0.99)
FURTHER_SHARES = (0.01, 0.05, 0.2, 0.8, 0.95)
WORDS = (("status",), ("--version",), ("connector", "check", "okendo"))


@dataclass(frozen=True)
class Ended:
    """How a call ended. ``modules``: imported after the entry; ``said``: lines on stderr."""

    status: int
    modules: int
    said: list[str]


def call(
    words: tuple[str, ...], folder: Path, interrupt_after: int | None = None, *, deaf: bool = False
) -> Ended:
    """The installed program, interrupted once so many modules are imported after its entry.

    ``deaf``: started as a shell starts a background job, which ignores interrupts.
    """
    kept = {"PATH": os.environ["PATH"], "HOME": str(folder), "RATINGS_SYNC_HOME": str(folder)}
    with interrupts_of_children(ignored=deaf):
        process = subprocess.Popen(
            [sys.executable, "-X", "importtime", PROGRAM, *words],
            cwd=folder,
            env=kept,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    said, modules = [], -1
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            if not line.startswith("import time:"):
                said.append(line.strip())
                continue
            if modules >= 0 or line.split()[-1] == ENTRY:
                modules += 1
                # The entry itself is not yet at work when the line of its own import comes.
                if interrupt_after is not None and modules == max(1, interrupt_after):
                    process.send_signal(signal.SIGINT)
    return Ended(process.returncode, modules, [line for line in said if line])


@lru_cache
def undisturbed(words: tuple[str, ...], folder: Path) -> Ended:
    """``status`` ends with 1: no site is connected."""
    whole = call(words, folder)
    assert (whole.status, whole.said) == (int(words == ("status",)), [])
    return whole


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose ledger is made already, so that every call imports the same."""
    folder = tmp_path_factory.mktemp("ready")
    call(("migrate",), folder)
    return folder


@pytest.mark.parametrize(
    "share", [*SHARES, *(pytest.param(one, marks=pytest.mark.full) for one in FURTHER_SHARES)]
)
@pytest.mark.parametrize(
    "words", [WORDS[0], *(pytest.param(words, marks=pytest.mark.full) for words in WORDS[1:])]
)
def test_interrupt_at_any_moment_of_the_start_is_one_line(
    words: tuple[str, ...], share: float, ready: Path
) -> None:
    ended = call(words, ready, int(undisturbed(words, ready).modules * share))
    assert (ended.status, ended.said) == (130, ["ratings-sync: interrupted"])


@pytest.mark.full
def test_background_job_that_ignores_interrupts_goes_on(ready: Path) -> None:
    whole = undisturbed(("status",), ready)
    assert call(("status",), ready, whole.modules // 2, deaf=True).status == whole.status


@pytest.mark.full
@pytest.mark.parametrize("deaf", [False, True])
def test_command_that_runs_for_long_ends_by_sigterm_however_it_was_started(
    deaf: bool, tmp_path: Path
) -> None:
    """In the background an interrupt of the foreground is not its own; SIGTERM always is."""
    words = ["sandbox", "--wix-port", "0", "--reviews-port", "0"]
    with interrupts_of_children(ignored=deaf):
        process = subprocess.Popen([PROGRAM, *words], cwd=tmp_path, stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        assert any(b"Ctrl-C stops both" in line for line in process.stdout)
        assert ignores(process.pid, signal.SIGINT) is deaf
        process.terminate()
        assert process.wait(60) == 0
