"""A load of webhooks: a few clients that keep their connections, each waits for its answer as Wix does."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 1.25  # Wix gives up then


@dataclass
class Load:
    """What came of it. ``times``: seconds of each answer, sorted."""

    seconds: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)

    @property
    def each_second(self) -> float:
        return sum(self.statuses.values()) / self.seconds

    @property
    def answered(self) -> float:
        """Share of 200s."""
        return self.statuses["200"] / max(1, sum(self.statuses.values()))

    def percentile(self, share: float) -> float:
        """Milliseconds within which this share of the requests was answered."""
        return self.times[min(len(self.times) - 1, int(len(self.times) * share))] * 1000 if self.times else float("nan")


def post_all(url: str, bodies: Sequence[bytes], clients: int, most_seconds: float = 60.0) -> Load:
    """Post each body once, from ``clients`` connections at a time, for ``most_seconds`` at most."""
    load, turn, next_body = Load(), threading.Lock(), iter(bodies)
    started = time.monotonic()
    bound = started + most_seconds

    def run() -> None:
        for status, seconds in _posts(url, next_body, turn, bound):
            with turn:
                load.statuses[status] += 1
                load.times.append(seconds)

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    load.seconds = time.monotonic() - started
    load.times.sort()
    return load


def _posts(url: str, bodies: Iterator[bytes], turn: threading.Lock, bound: float) -> Iterator[tuple[str, float]]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    for _ in itertools.count():
        with turn:
            body = next(bodies, None)
        if body is None or time.monotonic() > bound:
            break
        started = time.monotonic()
        try:
            connection.request("POST", parts.path, body, {"Content-Type": "text/plain"})
            response = connection.getresponse()
            response.read()
            status = str(response.status)
        except OSError as error:
            status = type(error).__name__
            connection.close()
        yield status, time.monotonic() - started
    connection.close()
