"""Notes beside the requests that a connector's system reaches the gateway: its webhooks work."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

# Anybody may send an unsigned greeting: they must not cost a write each.
GREETING_SECONDS = 1.0
DELIVERY_SECONDS = 60.0
MAX_SOURCES = 10_000  # an account that is forgotten costs one note more

log = structlog.get_logger(__name__)


class Heard:
    """Shared by the threads of a process; no request waits for a note.

    ``note`` writes it down. A note that fails is written with the next request.
    """

    def __init__(
        self, note: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._note, self._clock = note, clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="heard")
        self._turn = threading.Lock()
        self._noted_at: OrderedDict[str, float] = OrderedDict()
        self._waiting: set[str] = set()

    def greeting(self, source: str) -> None:
        """The system only wants to know whether we answer."""
        self._hear(source, GREETING_SECONDS)

    def delivery(self, source: str) -> None:
        """A verified delivery is stored."""
        self._hear(source, DELIVERY_SECONDS)

    def _hear(self, source: str, every_seconds: float) -> None:
        with self._turn:
            is_fresh = self._clock() - self._noted_at.get(source, float("-inf")) < every_seconds
            if is_fresh or source in self._waiting:
                return
            self._waiting.add(source)
        self._thread.submit(self._write, source)

    def _write(self, source: str) -> None:
        try:
            self._note(source)
        except Exception as error:  # whatever is wrong, the next request tries again
            log.warning("hearing_not_noted", source=source, error=type(error).__name__)
        else:
            with self._turn:
                self._noted_at[source] = self._clock()
                self._noted_at.move_to_end(source)
                while len(self._noted_at) > MAX_SOURCES:
                    self._noted_at.popitem(last=False)
        finally:
            with self._turn:
                self._waiting.discard(source)
