"""What the service of held ones says: the same for commands, API and pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sync_worker.core.said import joined, marked_many, said, said_many
from sync_worker.ledger.administration.history_lines import HistoryLine

MAX_COUNTED = 1000


@dataclass(frozen=True, slots=True)
class HeldGroup:
    """What is held for one reason. ``count``: at most 1,000; ``is_more``: there are more."""

    reason: str
    title: str
    sentence: str
    advice: str
    way: str
    frees_itself: str
    count: int
    is_more: bool
    oldest_at: datetime

    @property
    def count_words(self) -> str:
        return f"{self.count:,}{'+' if self.is_more else ''}"


@dataclass(frozen=True, slots=True)
class HeldItem:
    """One held delivery, as a person knows it: who rated what, and how.

    ``side``: where it came from; ``here`` and ``there``: the value on that side and on the other
    one, as far as they are known. ``person``: a name or an address, which some see masked.
    """

    number: int
    reason: str
    title: str
    way: str
    site_id: int | None
    site: str
    side: str
    change: str
    remote_id: str
    person: str
    address: str
    product: str
    product_id: str
    here: str
    there: str
    received_at: datetime
    link_id: int | None


@dataclass(frozen=True, slots=True)
class HeldPage:
    """``next_after``: where the next page begins; ``None``: there is none."""

    items: Sequence[HeldItem]
    next_after: int | None


@dataclass(frozen=True, slots=True)
class HeldDetail:
    """One held delivery with its words and its history.

    ``is_verified``: whether its system knows that this person gave it; ``None``: it does not say.
    """

    item: HeldItem
    sentence: str
    advice: str
    frees_itself: str
    headline: str
    words: str
    is_verified: bool | None
    refused_with: str
    history: Sequence[HistoryLine]


@dataclass(frozen=True, slots=True)
class HeldDay:
    """So many that are held now came on that day."""

    day: date
    reason: str
    title: str
    count: int


class Expected(StrEnum):
    """What a release is expected to come to, by what the ledger knows."""

    WRITTEN = "written"  # brought to the other side
    TRIED = "tried"  # only a look at both sides, or the other side's answer, tells
    ENDED = "ended"  # it ends, and nothing is written
    STAYS = "stays"  # it is held again for the same


@dataclass(frozen=True, slots=True)
class Expectation:
    """So many of them are expected to end so, for this reason in words."""

    expected: Expected
    why: str
    count: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What a release is expected to do. ``looked_at``: of so many; ``is_more``: there are more."""

    looked_at: int
    is_more: bool
    expectations: Sequence[Expectation]

    def count(self, expected: Expected) -> int:
        return sum(one.count for one in self.expectations if one.expected is expected)

    @property
    def words(self) -> str:
        """In one sentence."""
        told = [
            _counted(words, number)
            for expected, words in _WORDS.items()
            if (number := self.count(expected))
        ]
        if not told:
            return said("Nothing is held here any more.")
        expected_words = joined(", ", told)
        if not self.is_more:
            return said("Expected: %(what)s.", what=expected_words)
        first = f"{self.looked_at:,}"
        return said("Expected: of the first %(num)s: %(what)s.", num=first, what=expected_words)


def _counted(words: tuple[str, str], number: int) -> str:
    count = f"{number:,}"
    return said_many(*words, number, count=count)


_WORDS = {
    Expected.WRITTEN: marked_many("%(count)s will be written", "%(count)s will be written"),
    Expected.TRIED: marked_many("%(count)s will be tried", "%(count)s will be tried"),
    Expected.ENDED: marked_many(
        "%(count)s will end without a write", "%(count)s will end without a write"
    ),
    Expected.STAYS: marked_many("%(count)s will stay", "%(count)s will stay"),
}


@dataclass(frozen=True, slots=True)
class Released:
    """The numbers that a release or a drop was about. ``is_more``: there are more of them."""

    numbers: Sequence[int]
    is_more: bool = False
