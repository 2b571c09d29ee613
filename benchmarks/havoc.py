"""Faults while a replay runs: a process killed every few seconds, Redis wiped now and then."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType

from redis import Redis

from sync_sandbox.stage import Stage


@dataclass
class Havoc:
    """``with Havoc(stage, 10, 60)``: SIGKILL to each process in turn, started again at once;
    FLUSHALL.

    ``most``: of each kind, then peace. ``kills`` and ``flushes``: seconds since the beginning.
    """

    stage: Stage
    kill_seconds: float
    flush_seconds: float
    most: int | None = None
    kills: list[float] = field(default_factory=list)
    flushes: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._kill, self._flush)]

    def _kill(self) -> None:
        for name in itertools.islice(itertools.cycle(list(self.stage.parts.parts)), self.most):
            if self._over.wait(self.kill_seconds):
                return
            self.kills.append(time.monotonic() - self._started)
            self.stage.parts.restart(name)

    def _flush(self) -> None:
        with Redis.from_url(self.stage.redis_url) as redis:
            for _ in itertools.islice(itertools.count(), self.most):
                if self._over.wait(self.flush_seconds):
                    return
                self.flushes.append(time.monotonic() - self._started)
                redis.flushall()

    def __enter__(self) -> Havoc:
        self._started = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
