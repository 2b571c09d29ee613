"""A row of a person's file, and a file that is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_CELL = 1_000_000  # characters; of a line of JSONL too
MAX_SHOWN = 1_000  # characters of a row that is none


class BadFile(Exception):
    """A file cannot be used as it is.

    ``problems`` are lines ready to print: ``FILE:LINE: COLUMN: why``.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it stands.

    ``line``: where it begins. ``cells``: of CSV; ``document``: of JSONL; ``problem``: why it cannot
    be read.
    """

    line: int
    cells: Sequence[str] = ()
    document: Any = None
    text: str = ""
    problem: str = ""


def unreadable(path: Path, error: OSError) -> BadFile:
    """A file that cannot be opened."""
    return BadFile([f"{path}: cannot be read ({error.strerror})"])
