"""The doorbell of the workers: its messages, and who rings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

DELIVERY_TASK = "sync_worker.tasks.sync_delivery"
QUEUE = "sync"
FIRST = 0
AFTER_OTHERS = 9  # the priority of a message that goes after those of others: 0 is first


# Deliveries in one message: Celery cuts the text of a task's result at 1,024 characters.
MAX_BATCH = 8
MIN_BATCH = 4  # fewer together save little


def batch_size(waiting: int, threads: int) -> int:
    """How many deliveries of one site share a message where so many wait for so many threads.

    Each thread has two messages then: none is idle while another works off what came together.
    """
    size = min(waiting // (2 * threads), MAX_BATCH)
    return size if size >= MIN_BATCH else 1


def in_batches(inbox_ids: Sequence[int], size: int) -> list[Sequence[int]]:
    """The deliveries of one site, so many in each message."""
    return [inbox_ids[start : start + size] for start in range(0, len(inbox_ids), size)]


class Bell(Protocol):
    """The doorbell: asks for a delivery to be processed. Never raises; the sweeper rings again."""

    def ring(self, inbox_ids: Sequence[int]) -> None: ...
