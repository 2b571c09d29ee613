"""Whose a record is, and what it rates, by what it says."""

from __future__ import annotations

from typing import Protocol

from sync_worker.core.ports.inbox import Closing
from sync_worker.core.values import RatingKey, Record, Side


class Keys(Protocol):
    """Finds the key of a record by what it names, whatever is known of its id."""

    def key_of_record(self, record: Record, side: Side) -> RatingKey | Closing:
        """The key, or how a delivery of such a record ends. Raises Held, Transient, Permanent."""
