"""The known word that somebody may have meant. Pure."""

from __future__ import annotations

from collections.abc import Iterable

LETTERS_A_SLIP = 3  # a slip for so many letters of the word, at most two


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word within reach of a slip of the finger; ``None``: another word was meant.

    Within reach: one letter added, left out, replaced or swapped, of longer words two.
    """
    reach, meant = min(2, len(word) // LETTERS_A_SLIP), word.lower()
    # Each letter more or less is a slip. What somebody sends may have a million.
    near = [other for other in known if abs(len(other.lower()) - len(meant)) <= reach]
    found = sorted((_slips(meant, other.lower()), other) for other in near)
    return found[0][1] if found and found[0][0] <= reach else None


def _slips(word: str, other: str) -> int:
    """How many letters to change: the optimal string alignment distance."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for number, letter in enumerate(word, 1):
        earlier, before = before, row
        row = [number]
        for place, wanted in enumerate(other, 1):
            change = before[place - 1] + (letter != wanted)
            slips = min(before[place] + 1, row[place - 1] + 1, change)
            is_swapped = number > 1 and place > 1 and word[number - 2] == wanted
            if is_swapped and letter == other[place - 2]:
                slips = min(slips, earlier[place - 2] + 1)
            row.append(slips)
    return row[-1]
