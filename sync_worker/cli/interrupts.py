"""What an interrupt (Ctrl-C) does: end the process at once, or be raised in a command at work."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from sync_worker.cli.main import end_at_once

SIGNALLED = 128  # and the signal's number, as shells say it
STATUS = SIGNALLED + signal.SIGINT  # 130


@contextmanager
def interrupts_end_at_once() -> Iterator[None]:
    """While modules are imported: one line and status 130."""
    with _interrupts_call(end_at_once):
        yield


@contextmanager
def interrupts_are_raised() -> Iterator[None]:
    """While a command works: KeyboardInterrupt, so that it can leave its work in order."""
    with _interrupts_call(signal.default_int_handler):
        yield


@contextmanager
def _interrupts_call(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    # Another handler belongs to somebody else: a test runner, or a shell that wants none.
    is_ours = before in (end_at_once, signal.default_int_handler)
    if not is_ours or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def stop_signals() -> list[signal.Signals]:
    """What asks a command to stop that runs for long.

    Not SIGINT where it is ignored: a shell's background jobs ignore interrupts on purpose.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return [signal.SIGTERM]
    return [signal.SIGTERM, signal.SIGINT]


def is_interrupt(end: BaseException) -> bool:
    """Whether a person interrupted; otherwise the input ended, or the answer was no."""
    return any(
        isinstance(error, KeyboardInterrupt) for error in (end, end.__cause__, end.__context__)
    )
