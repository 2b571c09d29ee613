"""Deliveries that come at the same time are committed together, with one wait for the disk.

Nobody waits for company: whoever comes while a commit is under way shares the next one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from sync_worker.core.errors import Transient
from sync_worker.core.ports.inbox import Stored
from sync_worker.core.values import NewDelivery

COMMITTERS = 2  # one builds its transaction while the other's waits for the disk
MAX_REQUESTS = 32  # in one transaction: the first of them must not wait long for the last

Store = Callable[[Sequence[NewDelivery]], Sequence[Stored]]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """What one request brought.

    ``until``: when it is answered, stored or not (monotonic seconds).
    """

    deliveries: Sequence[NewDelivery]
    until: float
    outcome: Future[Sequence[Stored]] = field(default_factory=Future)


class GroupCommit:
    """``store`` commits all that it is given, or nothing and raises."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: SimpleQueue[_Waiting] = SimpleQueue()
        for number in range(COMMITTERS):
            threading.Thread(target=self._work, name=f"store-{number}", daemon=True).start()

    def commit(self, deliveries: Sequence[NewDelivery], seconds: float) -> Sequence[Stored]:
        """The rows of the deliveries, within so many seconds.

        Raises what ``store`` raises, and TimeoutError; if it commits after that, the next try is a
        duplicate.
        """
        waiting = _Waiting(deliveries, time.monotonic() + seconds)
        self._queue.put(waiting)
        return waiting.outcome.result(seconds)

    def _work(self) -> None:
        while True:
            group = [self._queue.get()]
            with suppress(Empty):
                while len(group) < MAX_REQUESTS:
                    group.append(self._queue.get_nowait())
            self._commit(group)

    def _commit(self, group: Sequence[_Waiting]) -> None:
        now = time.monotonic()
        for late in [waiting for waiting in group if waiting.until <= now]:
            late.outcome.set_exception(Transient("the ledger was too slow"))
        group = [waiting for waiting in group if waiting.until > now]
        if not group:
            return
        try:
            self._store_together(group)
        except Exception as error:
            if len(group) == 1:
                group[0].outcome.set_exception(error)
                return
            # The one that cannot be stored must not take the others along.
            for waiting in group:
                self._commit([waiting])

    def _store_together(self, group: Sequence[_Waiting]) -> None:
        deliveries = [delivery for waiting in group for delivery in waiting.deliveries]
        stored = iter(self._store(deliveries))
        for waiting in group:
            waiting.outcome.set_result([next(stored) for _ in waiting.deliveries])
