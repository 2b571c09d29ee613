"""A command at a terminal of its own: what a person sees, types and interrupts."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
CTRL_C = signal.SIGINT
READS_SECONDS = 0.5  # nobody presses a key sooner after a text appears


@dataclass(frozen=True)
class Seen:
    """``text``: everything that was shown, without colours and cursor moves."""

    status: int
    raw: str

    @property
    def text(self) -> str:
        return ESCAPES.sub("", self.raw)


@contextmanager
def interrupts_of_children(*, ignored: bool = False) -> Iterator[None]:
    """What is started in here hears interrupts, as in the foreground of a shell.

    The tests themselves may be a background job. ``ignored``: as a shell starts one of those.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def ignores(pid: int, number: signal.Signals) -> bool:
    """Whether a process lets a signal pass unheard, as Linux tells of it."""
    words = Path(f"/proc/{pid}/status").read_text().split()
    return bool(int(words[words.index("SigIgn:") + 1], 16) & 1 << number - 1)


def at_terminal(
    command: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
    answers: Mapping[str, str | signal.Signals],
    timeout: float = 60.0,
) -> Seen:
    """``answers``: what to do when a text appears, each once: lines to type, or a signal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    with interrupts_of_children():
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environ),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
    os.close(theirs)
    left, shown, until = dict(answers), "", time.monotonic() + timeout
    try:
        while (more := _read(ours, until)) is not None:
            shown += more
            for text in [one for one in left if one in shown]:
                answer = left.pop(text)
                if isinstance(answer, str):
                    os.write(ours, answer.encode())
                else:
                    # Python notices a signal between its prompt and its wait for a line only with
                    # the next key.
                    time.sleep(READS_SECONDS)
                    process.send_signal(answer)
        return Seen(process.wait(10), shown)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read(terminal: int, until: float) -> str | None:
    """What is shown next; ``None``: the command has ended. Raises TimeoutError."""
    ready, _, _ = select.select([terminal], [], [], max(0.0, until - time.monotonic()))
    if not ready:
        raise TimeoutError("the command has not ended in time")
    try:
        return os.read(terminal, 65536).decode(errors="replace") or None
    except OSError:  # Linux: the other end is closed
        return None
