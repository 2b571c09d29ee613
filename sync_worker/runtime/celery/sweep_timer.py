"""Sweeps from inside each worker too, so that the scheduler is no single point of failure."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

SOON_SECONDS = 0.5

log = structlog.get_logger(__name__)


class SweepTimer:
    """Calls ``sweep`` every ``seconds`` in a thread of its own, and soon after a wish."""

    def __init__(self, seconds: float, sweep: Callable[[], None]) -> None:
        self._seconds, self._sweep = seconds, sweep
        self._stopped, self._hurried = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def sweep_soon(self) -> None:
        """The budget refused something for a moment: do not let it wait for the next round."""
        self._hurried.set()

    def stop(self) -> None:
        """No further sweep; one under way ends by itself."""
        self._stopped.set()
        self._hurried.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._hurried.wait(max(0.0, self._seconds - SOON_SECONDS))
            # Wishes that come within this time share one sweep.
            self._stopped.wait(SOON_SECONDS)
            self._hurried.clear()
            if not self._stopped.is_set():
                self._sweep_once()

    def _sweep_once(self) -> None:
        try:
            self._sweep()
        except Exception as error:
            # Whatever it is: without this thread, lost rings would wait for the scheduler alone.
            log.error("sweep_failed", error=type(error).__name__, exc_info=error)
