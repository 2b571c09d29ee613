"""The parent of the door's processes: starts them, replaces the dead and the hung, stops them.

It serves nothing itself, and imports little, so that nothing brings it down.
"""

from __future__ import annotations

import mmap
import os
import select
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Protocol

BOOT_SECONDS = 180.0  # without a beat, before a process serves: a busy machine takes long
HUNG_SECONDS = 15.0  # without a beat, once it serves
STOP_SECONDS = 22.0  # a process ends by itself within 20
TURN_SECONDS = 0.5
PAUSE_SECONDS = 1.0  # between two starts at one place
FAILED_TO_START = 3
BEAT = struct.Struct("d?")  # when, and whether the process serves
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Beat(Protocol):
    """A sign of life; ``serves``: of one that serves, and not of one that only starts."""

    def __call__(self, *, serves: bool = True) -> None: ...


# What a process does: serves from its place, beats, and ends when the parent has asked it to.
# The last argument: whether one has served already, so that the settings are good.
Serve = Callable[[int, Beat, bool], None]


@dataclass(slots=True)
class _Child:
    place: int
    pid: int
    started_at: float


class Processes:
    """``count`` processes that ``serve``; ``say`` gets a line for what a person should know."""

    def __init__(self, serve: Serve, count: int, say: Callable[[str], None]) -> None:
        self._serve, self._count, self._say = serve, count, say
        self._children: dict[int, _Child] = {}  # by place
        self._may_start_at: dict[int, float] = {}
        self._beats = mmap.mmap(-1, BEAT.size * count)  # shared with the children
        self._has_served = False
        self._asked_to_stop = False

    def run(self) -> int:
        """Serve until SIGTERM, SIGINT or SIGHUP; the status to end with.

        SIGINT and SIGHUP count only where whoever started us does not have them ignored.
        """
        wakeup, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in STOPPING:
            # `nohup`, and the background jobs of a shell: those are not to end by it.
            if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._ask_to_stop)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)  # only to be woken up
        while not self._asked_to_stop:
            self._start_missing()
            if select.select([wakeup], [], [], TURN_SECONDS)[0]:
                os.read(wakeup, 4096)
            if self._has_failed_to_start():
                self._stop()
                return FAILED_TO_START
            self._kill_hung()
        self._stop()
        return 0

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._asked_to_stop = True

    def _start_missing(self) -> None:
        now = time.monotonic()
        # The first shows that the settings are good: what is wrong is said once.
        for place in range(self._count if self._has_served else 1):
            if place not in self._children and self._may_start_at.get(place, 0.0) <= now:
                self._may_start_at[place] = now + PAUSE_SECONDS
                self._children[place] = self._start(place)

    def _start(self, place: int) -> _Child:
        self._write_beat(place, 0.0, serves=False)
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        # Until a child has handlers of its own, it must not take a signal by ours.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        pid = os.fork()
        if pid == 0:
            self._be_a_child(place, parent)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        return _Child(place, pid, time.monotonic())

    def _be_a_child(self, place: int, parent: int) -> None:
        """Serve, and end this process in any case."""
        status = FAILED_TO_START
        try:
            signal.set_wakeup_fd(-1)
            # Ctrl-C goes to all; the parent passes it on as SIGTERM.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
            self._serve(place, partial(self._beat, place, parent), self._has_served)
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            with suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _beat(self, place: int, parent: int, *, serves: bool = True) -> None:
        # The parent was killed: nobody would replace this process, nor stop it.
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)
        self._write_beat(place, time.monotonic(), serves=serves)

    def _write_beat(self, place: int, at: float, *, serves: bool) -> None:
        BEAT.pack_into(self._beats, place * BEAT.size, at, serves)

    def _read_beat(self, place: int) -> tuple[float, bool]:
        """When it was, 0 for none; and whether its process serves."""
        at, serves = BEAT.unpack_from(self._beats, place * BEAT.size)
        return at, serves

    def _has_failed_to_start(self) -> bool:
        """Forget the processes that have ended; whether one did that at the very start."""
        for child in list(self._children.values()):
            self._has_served = self._has_served or self._read_beat(child.place)[1]
            ended, status = _end_of(child.pid)
            if not ended:
                continue
            del self._children[child.place]
            if not self._has_served:
                return True
            self._say(f"process {child.pid} has ended ({_how(status)}); another takes its place")
        return False

    def _kill_hung(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            beat, serves = self._read_beat(child.place)
            silent = now - (beat or child.started_at)
            if silent > (HUNG_SECONDS if serves else BOOT_SECONDS):
                self._say(f"process {child.pid} has not reacted for {silent:.0f} s and is killed")
                _signal(child.pid, signal.SIGKILL)

    def _stop(self) -> None:
        """SIGTERM to all, and SIGKILL to those that do not end in time."""
        for child in self._children.values():
            _signal(child.pid, signal.SIGTERM)
        until = time.monotonic() + STOP_SECONDS
        left = [child.pid for child in self._children.values()]
        while left and time.monotonic() < until:
            left = [pid for pid in left if not _end_of(pid)[0]]
            time.sleep(0.05)
        for pid in left:
            self._say(f"process {pid} has not ended in time and is killed")
            _signal(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _end_of(pid: int) -> tuple[bool, int]:
    """Whether a child has ended, and its wait status."""
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return True, 0
    return ended != 0, status


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return f"status {os.waitstatus_to_exitcode(status)}"


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
