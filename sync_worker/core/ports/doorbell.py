"""The doorbell of the workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Bell(Protocol):
    """The doorbell: asks for a delivery to be processed. Never raises; the sweeper rings again."""

    def ring(self, inbox_ids: Sequence[int]) -> None: ...
