"""Child processes in groups of their own: started together, watched, and stopped together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

STOP_SECONDS = 30.0


@dataclass(slots=True)
class Child:
    """A process and the thread that passes its lines on."""

    name: str
    process: subprocess.Popen[str]
    reader: threading.Thread


@dataclass(slots=True)
class Processes:
    """A group of children.

    ``say(name, line)`` gets each line that they print; ``folder`` is where they run.
    """

    say: Callable[[str, str], None]
    folder: Path | None = None
    children: list[Child] = field(default_factory=list)

    def start(self, name: str, command: Sequence[str], environ: Mapping[str, str]) -> Child:
        """Start one; its first word may be a module: ``-m celery`` runs with this Python."""
        process = subprocess.Popen(  # noqa: S603 - our own commands
            [sys.executable, *command] if command[0] == "-m" else list(command),
            env=dict(environ),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        reader = threading.Thread(target=self._pass_on, args=(name, process), daemon=True)
        reader.start()
        child = Child(name, process, reader)
        self.children.append(child)
        return child

    def _pass_on(self, name: str, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None  # noqa: S101 - asked for at the start
        for line in process.stdout:
            # Whoever stops to read ends the process with its next line.
            with suppress(Exception):
                self.say(name, line.rstrip())

    def dead(self) -> Child | None:
        """One that has ended by itself."""
        return next((child for child in self.children if child.process.poll() is not None), None)

    def kill(self, child: Child) -> None:
        """SIGKILL to its whole group, as a fault; the child is forgotten."""
        _signal(child, signal.SIGKILL)
        self._finish(child)
        self.children.remove(child)

    def stop(self) -> None:
        """SIGTERM to all, the last started first; SIGKILL to those that do not end in time."""
        for child in reversed(self.children):
            _signal(child, signal.SIGTERM, whole_group=False)
        until = time.monotonic() + STOP_SECONDS
        for child in self.children:
            try:
                child.process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(child.name, f"has not ended within {STOP_SECONDS:.0f} s: killed")
                _signal(child, signal.SIGKILL)
            # Also where it ended by itself: for what it may have left in its group.
            _signal(child, signal.SIGKILL)
            self._finish(child)
        self.children.clear()

    def _finish(self, child: Child) -> None:
        child.process.wait()
        child.reader.join(timeout=5)
        if child.process.stdout is not None:
            child.process.stdout.close()

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _signal(child: Child, number: signal.Signals, *, whole_group: bool = True) -> None:
    try:
        if whole_group:
            os.killpg(child.process.pid, number)
        else:
            child.process.send_signal(number)
    except ProcessLookupError:
        return  # it has ended already
