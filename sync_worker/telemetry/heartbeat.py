"""A thread of its own that shows a process's signs of life, so that no request waits for one."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from sync_worker.core.processes import BEAT_SECONDS, Process, ProcessKind, our_version

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ThisProcess:
    """This process, from now on."""

    kind: ProcessKind
    slots: int = 0
    started: float = field(default_factory=time.monotonic)

    def now(self, busy: int = 0) -> Process:
        """How it stands; ``busy``: of its slots."""
        return Process(
            self.kind,
            socket.gethostname(),
            os.getpid(),
            our_version(),
            BEAT_SECONDS,
            self.slots,
            busy,
            time.monotonic() - self.started,
        )


class Heartbeat:
    """Calls ``show`` at once, every ``seconds`` and at the end.

    A sign that fails is logged once; the next one is tried all the same.
    """

    def __init__(self, show: Callable[[], None], seconds: float) -> None:
        self._show, self._seconds = show, seconds
        self._stopped = threading.Event()
        self._is_failing = False
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float = 2.0) -> None:
        """Ends within so many seconds, whatever the database does."""
        self._stopped.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.show_once()
            self._stopped.wait(self._seconds)

    def show_once(self) -> None:
        try:
            self._show()
        except Exception as error:  # whatever is wrong, the next one is tried
            if not self._is_failing:
                log.warning("heartbeat_not_noted", error=type(error).__name__)
            self._is_failing = True
        else:
            self._is_failing = False
