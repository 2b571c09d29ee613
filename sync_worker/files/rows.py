"""A row of a person's file, and a file that is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any

MAX_CELL = 1_000_000  # characters; of a line of JSONL too
MAX_SHOWN = 1_000  # characters of a row that is none
HEAD_BYTES = 4096  # looked at without being taken
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


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


def opened(
    path: Path, encoding_of: Callable[[bytes], tuple[str, str]], newline: str | None = None
) -> TextIOWrapper:
    """A person's file as text; it may be a pipe. Raises BadFile, and what ``encoding_of`` raises.

    ``encoding_of``: from the first bytes, which are not taken, to the encoding and to what becomes
    of bytes that are none of it (``errors`` of Python's codecs).
    """
    try:
        file = path.open("rb")  # closed with the text
    except OSError as error:
        raise unreadable(path, error) from None
    try:
        encoding, errors = encoding_of(file.peek(HEAD_BYTES)[:HEAD_BYTES])
    except BaseException:
        file.close()
        raise
    return TextIOWrapper(file, newline=newline, encoding=encoding, errors=errors)


def unreadable(path: Path, error: OSError) -> BadFile:
    """A file that cannot be opened."""
    return BadFile([f"{path}: cannot be read ({error.strerror})"])
