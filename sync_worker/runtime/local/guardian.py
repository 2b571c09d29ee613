"""Ends the processes of an installation whose own process was killed, and could not do it itself.

A shell of its own session reads the numbers of the processes; when its input ends without a word
that all is over, whoever wrote it is dead.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from contextlib import suppress

# Each process leads a group of its own. What ignores SIGTERM for so many seconds is killed.
TERM_SECONDS = 35
SCRIPT = f"""
lives() {{
  kill -0 "$1" || return 1
  [ -d /proc/self ] || return 0
  read -r stat < "/proc/$1/stat" || return 1
  case ${{stat##*) }} in Z*) return 1 ;; esac
}}
while read -r line; do groups=$line; done
for group in $groups; do kill -s TERM -- "-$group"; done
tenths=0
while [ $tenths -lt {TERM_SECONDS * 10} ]; do
  left=
  for group in $groups; do lives "$group" && left=1; done
  [ -z "$left" ] && break
  sleep 0.1
  tenths=$((tenths + 1))
done
for group in $groups; do kill -s KILL -- "-$group"; done
"""


class Guardian:
    """``lock_fd``: stays open in it, so that the folder is locked until all have ended."""

    def __init__(self, lock_fd: int) -> None:
        self._shell = subprocess.Popen(  # noqa: S603 - our own script
            ["/bin/sh", "-c", SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[lock_fd],
            start_new_session=True,
        )

    @property
    def is_running(self) -> bool:
        return self._shell.poll() is None

    def watch(self, pids: Iterable[int]) -> None:
        """These are the processes now, each the leader of a group."""
        assert self._shell.stdin is not None  # noqa: S101 - asked for at the start
        with suppress(OSError):  # it was killed: then nobody guards
            self._shell.stdin.write((" ".join(map(str, pids)) + "\n").encode())
            self._shell.stdin.flush()

    def dismiss(self) -> None:
        """All have ended in good order."""
        self.watch([])
        with suppress(OSError):
            self._shell.communicate()
