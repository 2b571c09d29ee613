"""How commands stop that run until a person ends them."""

from __future__ import annotations

import signal
import threading

from sync_worker.cli.interrupts import stop_signals


def stop_event() -> threading.Event:
    """Set by SIGTERM, and by SIGINT unless it is ignored."""
    stopped = threading.Event()
    for number in stop_signals():
        signal.signal(number, lambda *_: stopped.set())
    return stopped
