"""The lock of a state folder, and the guardian of processes whose own starter was killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sync_worker.core.errors import Misconfigured
from sync_worker.runtime.local import guardian as guardian_module
from sync_worker.runtime.local.folder_lock import LOCK_FILE, FolderLock
from sync_worker.runtime.local.guardian import Guardian
from sync_worker.runtime.waiting import wait_until

STARTER = """
import os, subprocess, sys, time
from pathlib import Path
from sync_worker.runtime.local.folder_lock import FolderLock
from sync_worker.runtime.local.guardian import Guardian
lock = FolderLock(Path(sys.argv[1]), print)
lock.take()
guardian = Guardian(lock.fd)
child = subprocess.Popen(["sleep", "300"], start_new_session=True)
guardian.watch([child.pid])
print(child.pid, flush=True)
time.sleep(300)
"""


def test_folder_is_locked_for_others_until_it_is_let_go(tmp_path: Path) -> None:
    """Who has it is named; another lock of this very process is another one."""
    said: list[str] = []
    first, second = FolderLock(tmp_path, said.append), FolderLock(tmp_path, said.append)
    first.take()
    with pytest.raises(Misconfigured, match=f"is in use: .* \\(pid {os.getpid()}\\); stop it"):
        second.take()
    first.release()
    second.take()
    second.release()
    assert said == []


def test_lock_file_that_was_left_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).write_text("1\n")
    lock = FolderLock(tmp_path, print)
    lock.take()
    lock.release()


def test_folder_that_cannot_be_used_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match=r"RATINGS_SYNC_HOME: .* cannot be used"):
        FolderLock(tmp_path / "file" / "home", print).take()


@pytest.mark.full
def test_guardian_ends_what_a_killed_starter_left_then_frees_the_folder(tmp_path: Path) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout is not None
    child = int(starter.stdout.readline())
    os.kill(child, 0)
    starter.kill()
    starter.wait()
    starter.stdout.close()
    said: list[str] = []
    lock = FolderLock(tmp_path, said.append)
    lock.take()
    lock.release()
    assert wait_until(lambda: not _lives(child), 30.0)
    assert said in (
        [],
        [f"waiting for the processes of an earlier `up` (pid {starter.pid}, gone) to end"],
    )


@pytest.mark.full
def test_guardian_kills_what_does_not_end_by_itself() -> None:
    script = guardian_module.SCRIPT.replace(str(guardian_module.TERM_SECONDS * 10), "5")
    deaf = subprocess.Popen(
        ["/bin/sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert deaf.stdout is not None
    assert deaf.stdout.readline() == b"deaf\n"
    shell = subprocess.Popen(
        ["/bin/sh", "-c", script], stdin=subprocess.PIPE, start_new_session=True
    )
    shell.communicate(f"{deaf.pid}\n".encode())
    assert deaf.wait(30) == -9
    deaf.stdout.close()


def test_dismissed_guardian_ends_nothing(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path, print)
    lock.take()
    child = subprocess.Popen(["sleep", "300"], start_new_session=True)
    watching = Guardian(lock.fd)
    watching.watch([child.pid])
    watching.dismiss()
    lock.release()
    assert not watching.is_running
    assert child.poll() is None
    child.kill()
    child.wait()


def _lives(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
