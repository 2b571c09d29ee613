"""Lines for whoever looks on, which never hold up or end the program that writes them.

A full disk, a closed pipe, a pager that nobody scrolls: lines are lost and counted, and the work
goes on.
"""

from __future__ import annotations

import os
import threading
import time
from queue import Full, Queue

MAX_WAITING = 5_000
PAUSE_SECONDS = 0.5  # after a line that could not be written


class LineLog:
    """Writes lines to a file descriptor in a thread of its own. Thread-safe."""

    def __init__(self, fd: int = 1) -> None:
        self._fd = fd
        self._waiting: Queue[str | None] = Queue(MAX_WAITING)
        self._lost, self._why = 0, ""
        self._thread = threading.Thread(target=self._run, name="line-log", daemon=True)
        self._thread.start()

    def say(self, name: str, line: str) -> None:
        """A line of one process."""
        self.write(f"{name:>9} | {line}")

    def write(self, line: str) -> None:
        """A line, or its loss."""
        try:
            self._waiting.put_nowait(line)
        except Full:
            self._lose("nobody reads")

    def close(self, seconds: float = 2.0) -> None:
        """Write what waits, for so long at most."""
        try:
            self._waiting.put(None, timeout=seconds)
        except Full:
            return
        self._thread.join(seconds)

    def _lose(self, why: str) -> None:
        self._lost, self._why = self._lost + 1, why

    def _run(self) -> None:
        while (line := self._waiting.get()) is not None:
            try:
                if self._lost:
                    lost, why, self._lost = self._lost, self._why, 0
                    self._print(f"({lost} lines could not be written: {why})")
                self._print(line)
            except OSError as error:
                self._lose(error.strerror or type(error).__name__)
                # The reason will last a while: what comes meanwhile is lost soon enough.
                time.sleep(PAUSE_SECONDS)

    def _print(self, line: str) -> None:
        """Past Python's own buffer, which would keep what could not be written."""
        rest = (line + "\n").encode(errors="replace")
        while rest:
            rest = rest[os.write(self._fd, rest) :]
