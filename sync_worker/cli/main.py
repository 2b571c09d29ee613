"""The entry of ``ratings-sync``: so small that an interrupt can hardly hit it before it listens."""

from __future__ import annotations

import os
import signal


def main() -> None:
    """Run the command line; exit with its status."""
    # Only in place of Python's own handler: a shell's background jobs ignore interrupts on purpose.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end_at_once)
    # Imported here, under the handler: what this imports takes the longest part of the start.
    from sync_worker.cli.commands import run

    run()


def end_at_once(number: int, frame: object) -> None:
    """Handle an interrupt while nothing is open: one line, status 130.

    An exception would not do: Python prints and forgets one that meets a callback of its importer.
    """
    os.write(2, b"\nratings-sync: interrupted\n")
    os._exit(130)
