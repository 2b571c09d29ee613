"""What came of a run's own writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sync_worker.core.values import Side, Slot


@dataclass(slots=True)
class Written:
    """``count``: writes that succeeded. ``unmatched``: attributes that came back as something else
    than we wrote; ``unseen``: slots of them that may show an edit: not seen yet. ``maybe_ours``:
    attributes that are as a write of unknown outcome wanted them. ``refused_words``: words that a
    side does not take, perhaps; ``goes_without``: the next write is to go there without them.
    ``put_behind``: words that go after all else, one at a time; ``goes_alone``: the one whose turn
    it is; ``not_landed``: sides where a write with such words met no refusal, and did not land;
    ``taken_without``: those that took a write since.
    """

    count: int = 0
    unmatched: set[str] = field(default_factory=set)
    unseen: set[Slot] = field(default_factory=set)
    maybe_ours: set[tuple[Side, str]] = field(default_factory=set)
    refused_words: set[tuple[Side, str]] = field(default_factory=set)
    goes_without: bool = False
    put_behind: list[tuple[Side, str]] = field(default_factory=list)
    goes_alone: tuple[Side, str] | None = None
    not_landed: set[Side] = field(default_factory=set)
    taken_without: set[Side] = field(default_factory=set)

    def add(self) -> None:
        self.count += 1

    def note_unmatched(self, slot: Slot, attribute: str, *, is_ours: bool) -> None:
        """A remote returned something else; ``is_ours``: made so by our write, not an edit."""
        self.unmatched.add(attribute)
        if not is_ours:
            self.unseen.add(slot)

    def note_refused(self, side: Side, words: Iterable[str]) -> None:
        """A write with these words was refused."""
        refused = [(side, name) for name in words if (side, name) not in self.refused_words]
        # For which of them is rarely said: each goes alone, after all else.
        if self._are_of_many(refused):
            self.put_behind += refused
        else:
            self.refused_words.update(refused)
        self.goes_without = bool(refused)

    def _are_of_many(self, refused: Sequence[tuple[Side, str]]) -> bool:
        return len(refused) > 1

    def takes_another_try(self) -> bool:
        """Whether the write that was just refused can be planned without its words; once."""
        goes_without, self.goes_without = self.goes_without, False
        return goes_without

    def put_words_behind(self, side: Side, words: Iterable[str]) -> None:
        """A write with these words did not land: all else that is to go to its side goes first."""
        self.put_behind += [(side, name) for name in words]
        self.not_landed.add(side)

    def note_taken(self, side: Side) -> None:
        """A side took a write; it takes some, then, if others with these words do not land."""
        if side in self.not_landed:
            self.taken_without.add(side)

    def takes_up_words(self) -> bool:
        """Whether words were put behind; the next of them is to go now."""
        self.goes_alone = self.put_behind.pop(0) if self.put_behind else None
        return self.goes_alone is not None

    def note_maybe_ours(self, side: Side, attributes: Iterable[str]) -> None:
        """These show what a write wanted whose outcome nothing tells."""
        self.maybe_ours.update((side, name) for name in attributes)
