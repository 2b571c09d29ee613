"""The decision that a run has in hand, and what came of it so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from sync_worker.core.values import Delivery, Side
from sync_worker.core.values.decisions import Decision


@dataclass(slots=True)
class Decided:
    """``delivery``: which brought it.

    ``is_forced``: whatever was edited since, for a person has let it go on. ``tried``: what this
    run has sent for it; ``is_written``: some of that is done. ``is_outdated``: this run has found
    that somebody edited the rating.
    """

    decision: Decision
    delivery: Delivery
    is_forced: bool = False
    tried: set[tuple[Side, str]] = field(default_factory=set)
    is_written: bool = False
    is_outdated: bool = False

    @property
    def reason(self) -> str:
        """Of its writes."""
        return self.decision.reason
