"""What came of a run's own writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sync_worker.core.values import Side, Slot


@dataclass(slots=True)
class Written:
    """``count``: writes that succeeded. ``unmatched``: attributes that came back as something else
    than we wrote; ``unseen``: slots of them that may show an edit: not seen yet. ``maybe_ours``:
    attributes that are as a write of unknown outcome wanted them.
    """

    count: int = 0
    unmatched: set[str] = field(default_factory=set)
    unseen: set[Slot] = field(default_factory=set)
    maybe_ours: set[tuple[Side, str]] = field(default_factory=set)

    def add(self) -> None:
        self.count += 1

    def note_unmatched(self, slot: Slot, attribute: str, *, is_ours: bool) -> None:
        """A remote returned something else; ``is_ours``: made so by our write, not an edit."""
        self.unmatched.add(attribute)
        if not is_ours:
            self.unseen.add(slot)

    def note_maybe_ours(self, side: Side, attributes: Iterable[str]) -> None:
        """These show what a write wanted whose outcome nothing tells."""
        self.maybe_ours.update((side, name) for name in attributes)
