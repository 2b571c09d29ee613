"""``celery -A benchmarks.split_app worker``: our worker, which notes what its parts cost.

Each part's methods are wrapped from outside: processor time of the thread, without that of parts
that it calls. At its end it writes the file that ``SPLIT_FILE`` names.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from celery.signals import worker_ready, worker_shutting_down

from sync_worker.core.ports.doorbell import DELIVERY_TASK
from sync_worker.intake.intake import Intake
from sync_worker.ledger.directory import SqlDirectory
from sync_worker.ledger.inbox import SqlInbox
from sync_worker.ledger.links import SqlLinks
from sync_worker.ledger.sites import SqlSiteStates
from sync_worker.redis.budget import RedisBudget
from sync_worker.redis.loop_guard import RedisGuard
from sync_worker.remotes.http.client import RemoteHttp
from sync_worker.remotes.http.transport import Transport
from sync_worker.tasks import app

__all__ = ["app"]

# What is wrapped, by the part that it counts for.
PARTS: dict[str, tuple[tuple[Any, tuple[str, ...]], ...]] = {
    "task: log, metrics, what is shown": ((app.tasks[DELIVERY_TASK], ("run",)),),
    "engine and intake: run, plan, glue": ((Intake, ("process",)),),
    "open and close the delivery": (
        (SqlInbox, ("open_delivery", "close", "defer")),
        (SqlSiteStates, ("release_if_at_work",)),
    ),
    "find the key, lease, take, load": (
        (SqlDirectory, ("locate", "entity", "contact")),
        (SqlLinks, ("attach", "attach_shown", "lease")),
    ),
    "intent": ((SqlLinks, ("open_intent", "renew")),),
    "commit, release": ((SqlLinks, ("commit", "release")),),
    "HTTP: prepare, retries, manifest": ((RemoteHttp, ("call",)),),
    "HTTP: exchange": ((Transport, ("send",)),),
    "guard and budget (Redis)": (
        (RedisGuard, ("remember", "recall", "forget")),
        (RedisBudget, ("take",)),
    ),
}


class Times:
    """Seconds of processor and of the clock by part, over all threads."""

    def __init__(self) -> None:
        self._turn, self._of_thread = threading.Lock(), threading.local()
        self.started = 0.0
        self.worked: dict[str, float] = defaultdict(float)
        self.elapsed: dict[str, float] = defaultdict(float)

    def timed(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(call)
        def measured(*arguments: Any, **named: Any) -> Any:
            inside = self._inside()
            inside.append((0.0, 0.0))
            worked, started = time.thread_time(), time.monotonic()
            try:
                return call(*arguments, **named)
            finally:
                took = time.thread_time() - worked, time.monotonic() - started
                self._add(part, took, inside)

        return measured

    def _inside(self) -> list[tuple[float, float]]:
        """What parts further in have taken, for each part that this thread is in."""
        if not hasattr(self._of_thread, "inside"):
            self._of_thread.inside = []
        inside: list[tuple[float, float]] = self._of_thread.inside
        return inside

    def _add(self, part: str, took: tuple[float, float], inside: list[tuple[float, float]]) -> None:
        of_others = inside.pop()
        if inside:
            so_far = inside[-1]
            inside[-1] = (so_far[0] + took[0], so_far[1] + took[1])
        with self._turn:
            self.worked[part] += took[0] - of_others[0]
            self.elapsed[part] += took[1] - of_others[1]

    def as_json(self) -> str:
        """``process``: of all threads together, since the worker was ready."""
        process = time.process_time() - self.started
        return json.dumps({"worked": self.worked, "elapsed": self.elapsed, "process": process})


times = Times()
for part, places in PARTS.items():
    for owner, names in places:
        for name in names:
            setattr(owner, name, times.timed(part, getattr(owner, name)))


@worker_ready.connect
def begin(**named: Any) -> None:
    times.started = time.process_time()


@worker_shutting_down.connect
def write(**named: Any) -> None:
    Path(os.environ["SPLIT_FILE"]).write_text(times.as_json(), encoding="utf-8")
