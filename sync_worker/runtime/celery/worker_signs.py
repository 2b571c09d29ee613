"""A worker's signs of life in the ledger, and those of the scheduler whose ticks it gets.

The scheduler needs no ledger of its own: its messages name it.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from sync_worker.core.errors import Transient
from sync_worker.core.processes import BEAT_SECONDS, Process, ProcessKind
from sync_worker.telemetry.heartbeat import Heartbeat, ThisProcess

# How Celery names who sent a message.
ORIGIN = re.compile(r"[a-z]+(\d{1,9})@(.+)")


class Signs(Protocol):
    """Where signs of life are noted, for all to see. Raises Transient."""

    def note(self, process: Process, ago: float = 0.0) -> None: ...
    def note_stop(self, process: Process) -> None: ...


class WorkerSigns:
    """Notes this worker, and the schedulers that it has heard of since the last sign.

    ``busy``: of its slots, now; ``tick_seconds``: how often the scheduler sends one.
    """

    def __init__(
        self, signs: Signs, slots: int, busy: Callable[[], int], tick_seconds: float
    ) -> None:
        self._busy = busy
        self._signs, self._tick_seconds = signs, max(tick_seconds, BEAT_SECONDS)
        self._worker = ThisProcess(ProcessKind.WORKER, slots)
        self._turn = threading.Lock()
        self._ticks: dict[str, float] = {}
        self._heartbeat = Heartbeat(self.show, BEAT_SECONDS)

    def start(self) -> None:
        self._heartbeat.start()

    def stop(self) -> None:
        """It ends as it was told to."""
        self._heartbeat.stop()
        with suppress(Transient):
            self._signs.note_stop(self._worker.now())

    def note_scheduler(self, origin: str) -> None:
        """A tick came from there just now."""
        with self._turn:
            self._ticks[origin] = time.monotonic()

    def show(self) -> None:
        """Raises Transient."""
        self._signs.note(self._worker.now(busy=self._busy()))
        with self._turn:
            ticks, self._ticks = self._ticks, {}
        for origin, at in ticks.items():
            if named := ORIGIN.fullmatch(origin):
                scheduler = Process(ProcessKind.BEAT, named[2], int(named[1]))
                scheduler = replace(scheduler, every_seconds=self._tick_seconds)
                self._signs.note(scheduler, ago=time.monotonic() - at)
