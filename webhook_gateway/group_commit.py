"""Deliveries that come at the same time are committed together: one transaction, one wait for the
disk.

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
        """Raises what ``store`` raises, and TimeoutError; what commits after that makes the next
        try a duplicate.
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
        for late in (one for one in group if one.until <= now):
            late.outcome.set_exception(Transient("the ledger was too slow"))
        group = [one for one in group if one.until > now]
        if not group:
            return
        try:
            stored = iter(self._store([delivery for one in group for delivery in one.deliveries]))
            for one in group:
                one.outcome.set_result([next(stored) for _ in one.deliveries])
        except Exception as error:
            if len(group) == 1:
                group[0].outcome.set_exception(error)
                return
            for one in group:  # the one that cannot be stored must not take the others along
                self._commit([one])
