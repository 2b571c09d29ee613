"""How commands stop that run until a person ends them."""

from __future__ import annotations

import signal
import threading


def stop_event() -> threading.Event:
    """Set by SIGINT or SIGTERM."""
    stopped = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopped.set())
    return stopped
