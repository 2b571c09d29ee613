"""A message that carries several deliveries of one site: they are worked off one after the other.

For a few seconds only. What has not begun by then has messages of its own, so that no delivery
waits for long behind others while threads are free.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from sync_worker.runtime.celery.dashboard import Shown, ShownTogether
from sync_worker.runtime.celery.queued import IN_HAND_SECONDS

# While the sweeper counts the message as in hand; and with the longest run of the last delivery,
# 60 s, below the broker's visibility time-out.
BATCH_SECONDS = 4.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Batch:
    """``process``: one delivery, to its end. ``ring_for_each``: rings for what has not begun.

    ``is_stopping``: this worker is to end.
    """

    process: Callable[[int], Shown]
    ring_for_each: Callable[[Sequence[int]], None]
    is_stopping: Callable[[], bool]
    clock: Callable[[], float] = time.monotonic

    def work_off(self, inbox_ids: Sequence[int], *, comes_again: bool) -> ShownTogether:
        """Process them in their order, as far as the time goes.

        ``comes_again``: a worker had the message before and may have died over one of them. Then
        each goes by itself, so that none takes the others along again.
        """
        began = self.clock()
        ended: list[Shown] = []
        while len(ended) < len(inbox_ids) and not comes_again and self._may_begin(began):
            ended.append(self.process(inbox_ids[len(ended)]))
        if left := inbox_ids[len(ended) :]:
            self._leave(left, self.clock() - began)
        return ShownTogether(ended, left)

    def _may_begin(self, began: float) -> bool:
        return self.clock() - began < BATCH_SECONDS and not self.is_stopping()

    def _leave(self, left: Sequence[int], seconds: float) -> None:
        structlog.contextvars.unbind_contextvars("inbox_id")
        log.info("deliveries_left", inbox_ids=list(left), after_seconds=round(seconds, 1))
        # Later the sweeper has taken them for lost, and rung.
        if seconds < IN_HAND_SECONDS:
            self.ring_for_each(left)
