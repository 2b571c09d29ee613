"""What came of a run's own writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sync_worker.core.values import Side, Slot


@dataclass(slots=True)
class Written:
    """``count``: writes that succeeded. ``unmatched``: attributes that came back as something else
    than we wrote; ``unseen``: slots of them that may show an edit: not seen yet. ``maybe_ours``:
    attributes that are as a write of unknown outcome wanted them. ``refused_words``: words that a
    side does not take, perhaps; ``goes_without``: the next write is to go there without them.
    """

    count: int = 0
    unmatched: set[str] = field(default_factory=set)
    unseen: set[Slot] = field(default_factory=set)
    maybe_ours: set[tuple[Side, str]] = field(default_factory=set)
    refused_words: set[tuple[Side, str]] = field(default_factory=set)
    goes_without: bool = False

    def add(self) -> None:
        self.count += 1

    def note_unmatched(self, slot: Slot, attribute: str, *, is_ours: bool) -> None:
        """A remote returned something else; ``is_ours``: made so by our write, not an edit."""
        self.unmatched.add(attribute)
        if not is_ours:
            self.unseen.add(slot)

    def note_refused(self, side: Side, words: Iterable[str]) -> None:
        """A write with these words was refused."""
        refused = {(side, name) for name in words} - self.refused_words
        self.refused_words |= refused
        self.goes_without = bool(refused)

    def takes_another_try(self) -> bool:
        """Whether the write that was just refused can be planned without its words; once."""
        goes_without, self.goes_without = self.goes_without, False
        return goes_without

    def note_maybe_ours(self, side: Side, attributes: Iterable[str]) -> None:
        """These show what a write wanted whose outcome nothing tells."""
        self.maybe_ours.update((side, name) for name in attributes)
