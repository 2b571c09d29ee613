"""The request budget as the client sees it."""

from __future__ import annotations

from typing import Protocol


class Budget(Protocol):
    """The request budget of one remote account, shared by the fleet."""

    def take(self) -> None:
        """One token. Raises RateLimited with the seconds to wait."""

    def penalise(self, seconds: float) -> None:
        """The remote said 429: nobody of the fleet asks for this long."""


class NoBudget:
    """Implements Budget for calls that do not count."""

    def take(self) -> None:
        return

    def penalise(self, seconds: float) -> None:
        return
