"""The clock of a process."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Elapsed time of this process, in seconds; never compared with another clock."""

    def monotonic(self) -> float: ...

    def cpu_seconds(self) -> float:
        """Processor time that this thread has used."""
