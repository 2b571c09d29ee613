"""What comes to the door, counted in memory and written down in batches.

No request waits for a database, and however many are refused, the sources, results and reasons are
few.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from sync_worker.ledger.administration.door_counts import UNKNOWN_SOURCE, DoorNews, SourceNews

__all__ = ["UNKNOWN_SOURCE", "DoorBook"]

ACCEPTED = frozenset({"stored", "duplicate", "ignored"})  # verified
REFUSED = frozenset({"rejected", "unreadable"})


@dataclass(slots=True)
class _Page:
    """What one source brought; times by the book's clock."""

    accepted_at: float | None = None
    refused_at: float | None = None
    refused_result: str = ""
    refused_reason: str = ""
    refusals: int = 0
    refusing_since: float | None = None


class DoorBook:
    """Shared by the threads of a process. ``write`` takes all of it, or raises."""

    def __init__(
        self, write: Callable[[DoorNews], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write, self._clock = write, clock
        self._turn = threading.Lock()
        self._counts = Counter[tuple[str, str, str]]()
        self._pages: dict[str, _Page] = {}

    def note(self, source: str, result: str, reason: str = "") -> None:
        """One request of a source, and how it ended."""
        with self._turn:
            self._counts[source, result, reason] += 1
            page = self._pages.setdefault(source, _Page())
            if result in ACCEPTED:
                page.accepted_at = self._clock()
                page.refusals, page.refusing_since = 0, None
            if result in REFUSED:
                page.refused_at = self._clock()
                page.refused_result, page.refused_reason = result, reason
                page.refusals += 1
                page.refusing_since = page.refusing_since or page.refused_at

    def flush(self) -> None:
        """Write down what is new. What cannot be written is kept for the next time; raises that."""
        with self._turn:
            counts, self._counts = self._counts, Counter()
            pages, self._pages = self._pages, {}
        if not counts:
            return
        try:
            self._write(self._news(counts, pages))
        except Exception:
            self._take_back(counts, pages)
            raise

    def _news(self, counts: Counter[tuple[str, str, str]], pages: dict[str, _Page]) -> DoorNews:
        now = self._clock()

        def ago(at: float | None) -> float | None:
            return None if at is None else now - at

        sources = [
            SourceNews(
                source,
                ago(page.accepted_at),
                ago(page.refused_at),
                page.refused_result,
                page.refused_reason,
                page.refusals,
                ago(page.refusing_since),
            )
            for source, page in pages.items()
        ]
        return DoorNews(counts, sources)

    def _take_back(self, counts: Counter[tuple[str, str, str]], pages: dict[str, _Page]) -> None:
        """Put what could not be written before what has come since."""
        with self._turn:
            self._counts.update(counts)
            for source, page in pages.items():
                newer = self._pages.get(source)
                if newer is not None:
                    _add(page, newer)
                self._pages[source] = page


def _add(page: _Page, newer: _Page) -> None:
    """Bring an older page up to a newer one of the same source."""
    if newer.accepted_at is not None:
        page.accepted_at = newer.accepted_at
        page.refusals, page.refusing_since = 0, None
    if newer.refused_at is not None:
        page.refused_at = newer.refused_at
        page.refused_result, page.refused_reason = newer.refused_result, newer.refused_reason
    page.refusals += newer.refusals
    if page.refusing_since is None:
        page.refusing_since = newer.refusing_since
