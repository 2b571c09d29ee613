"""The doorbell of the workers: its messages, and who rings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

DELIVERY_TASK = "sync_worker.tasks.sync_delivery"
QUEUE = "sync"
FIRST = 0
AFTER_OTHERS = 9  # the priority of a message that goes after those of others: 0 is first


class Bell(Protocol):
    """The doorbell: asks for a delivery to be processed. Never raises; the sweeper rings again."""

    def ring(self, inbox_ids: Sequence[int]) -> None: ...
