"""Rows of CSV as people and spreadsheets save it: each row ends on its own.

A row that is broken (a quotation mark too many, a byte of another encoding) is one row with a
problem; the next line begins anew. Delimiter, byte order mark, ``sep=`` and the case of headers are
understood, and what is no CSV at all is refused in words.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from sync_worker.files.rows import MAX_CELL, MAX_SHOWN, UTF_16_MARKS, BadFile, Row, opened

DELIMITERS = ",;\t|"
MAX_ROW = 4 * MAX_CELL  # characters of one row, with all its lines
csv.field_size_limit(MAX_CELL)

_MARK = b"\xef\xbb\xbf"
_OTHER_KINDS = {
    b"PK\x03\x04": "is an Excel workbook (or another archive); save it as 'CSV UTF-8'",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook; save it as 'CSV UTF-8'",
    b"%PDF": "is a PDF; a table is needed, saved as 'CSV UTF-8'",
    b"\x1f\x8b": "is compressed; unpack it first",
}
_NO_UTF_8 = re.compile("[\udc80-\udcff]")  # bytes as Python's surrogateescape keeps them
_SEPARATOR = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"')
_BLANKS = "\ufeff\u200b\u200c\u200d\u2060"  # without a width; spreadsheets leave them in headers
_IN_WORDS = {
    "unexpected end of data": "a quotation mark is opened and never closed",
    "expected after": "something stands behind a closing quotation mark",
    "larger than field limit": f"a cell is longer than {MAX_CELL:,} characters",
}


class _TooLong(Exception):
    """A row has no end within the bounds."""


class _Lines:
    """The lines of a file; those that a broken row has swallowed can be given back."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._waiting = file, deque[str]()
        self._size = 0
        self.number = 0
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        """Raises _TooLong."""
        text = self._waiting.popleft() if self._waiting else self._file.readline(MAX_ROW + 1)
        if not text:
            raise StopIteration
        self.number += 1
        self.taken.append(text)
        self._size += len(text)
        if self._size > MAX_ROW:
            self._skip_rest_of(text)
            raise _TooLong
        return text

    def _skip_rest_of(self, text: str) -> None:
        while text and len(text) > MAX_ROW and not text.endswith(("\n", "\r")):
            text = self._file.readline(MAX_ROW + 1)

    def begin_row(self) -> None:
        self.taken, self._size = [], 0

    def put_back(self, text: str) -> None:
        if text:
            self._waiting.appendleft(text)
            self.number -= 1

    def give_back(self) -> str:
        """All lines of the row but the first one, which is its return value."""
        first, *others = self.taken
        self._waiting.extendleft(reversed(others))
        self.number -= len(others)
        return first


class CsvFile:
    """``with CsvFile(path) as file: for row in file.rows(): …``. Raises BadFile.

    ``header``: names as they stand, without blanks around them. ``has_mark``: it begins with a byte
    order mark, as spreadsheets want it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header: Sequence[str] = ()
        self.delimiter = ","
        self.has_mark = False
        self._header_line = 1

    def __enter__(self) -> CsvFile:
        self._file = opened(self.path, self._encoding, newline="")
        self._lines = _Lines(self._file)
        try:
            self._read_header()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _encoding(self, head: bytes) -> tuple[str, str]:
        """By the first bytes, with what becomes of bytes that are none of it. Raises BadFile."""
        for start, why in _OTHER_KINDS.items():
            if head.startswith(start):
                raise BadFile([f"{self.path}: {why}"])
        if head.lstrip().lower().startswith((b"<!doctype", b"<html")):
            raise BadFile([f"{self.path}: is a web page, no CSV; was the download refused?"])
        self.has_mark = head.startswith((_MARK, *UTF_16_MARKS))
        if head.startswith(UTF_16_MARKS):
            return "utf-16", "replace"
        if head.count(0) > len(head) // 4:
            why = "looks like UTF-16 without a byte order mark; save it as 'CSV UTF-8'"
            raise BadFile([f"{self.path}: {why}"])
        return "utf-8-sig", "surrogateescape"

    def _read_header(self) -> None:
        first = self._next_line()
        if found := _SEPARATOR.fullmatch(first):
            self.delimiter = found[1]
            first = self._next_line()
        else:
            bare = _QUOTED.sub("", first)
            self.delimiter = max(DELIMITERS, key=bare.count)
        self._header_line = self._lines.number
        self._reader = csv.reader(self._lines, strict=True, delimiter=self.delimiter)
        self._lines.put_back(first)
        row = next(self._parsed(), None)
        if row is None or not any(cell.strip() for cell in row.cells):
            why = "is empty; the first line must name the columns"
            raise BadFile([f"{self.path}: {why}"])
        if row.problem:
            raise self._bad_header(row.problem)
        if row.cells[0].lstrip()[:1] in ("{", "["):
            raise self._bad_header("is JSON, no CSV; name it .jsonl, with one object on each line")
        self.header = _without_last_blanks([_name(cell) for cell in row.cells])

    def _next_line(self) -> str:
        """The next line that is not blank; empty at the end."""
        self._lines.begin_row()
        try:
            for text in self._lines:
                if text.strip():
                    return text
                self._lines.begin_row()
        except _TooLong:
            raise BadFile([f"{self.path}: has no line end within {MAX_ROW:,} characters"]) from None
        return ""

    def _bad_header(self, why: str) -> BadFile:
        return BadFile([f"{self.path}:{self._header_line}: {why}"])

    def place_of(self, name: str) -> int | None:
        """Which cell of a row a column is, whatever the case of its name. Raises BadFile if two."""
        wanted = _name(name).casefold()
        places = [place for place, has in enumerate(self.header) if has.casefold() == wanted]
        if len(places) > 1:
            which = " and ".join(str(place + 1) for place in places)
            raise self._bad_header(
                f"the column {name!r} stands {len(places)} times (as column {which}); remove or"
                " rename all but one"
            )
        return places[0] if places else None

    def needed_place_of(self, name: str, hint: str = "") -> int:
        """As ``place_of``. Raises BadFile also if there is no such column."""
        place = self.place_of(name)
        if place is None:
            raise self._bad_header(
                f"there is no column {name!r}; the columns are: {', '.join(self.header)}{hint}"
            )
        return place

    def rows(self) -> Iterator[Row]:
        """Every row that is not blank, broken ones with their problem."""
        for row in self._parsed():
            cells = row.cells
            if len(cells) > len(self.header):
                cells = [
                    *cells[: len(self.header)],
                    *_without_last_blanks(cells[len(self.header) :]),
                ]
            problem = row.problem
            if not problem and len(cells) != len(self.header):
                problem = f"{len(cells)} cells, but the header has {len(self.header)}"
            yield Row(row.line, cells, problem=problem)

    def _parsed(self) -> Iterator[Row]:
        """Rows by the rules of CSV alone."""
        while True:
            self._lines.begin_row()
            line = self._lines.number + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield self._broken(line, str(error))
                continue
            except _TooLong:
                yield self._broken(line, f"is longer than {MAX_ROW:,} characters")
                continue
            if any(cell.strip() for cell in cells):
                yield _in_utf_8(Row(line, cells))

    def _broken(self, line: int, error: str) -> Row:
        """The first line of a broken row; what followed it begins anew."""
        first = self._lines.give_back().rstrip("\r\n")
        why = next((words for part, words in _IN_WORDS.items() if part in error), error)
        try:
            cells = next(csv.reader([first], delimiter=self.delimiter), [])
        except csv.Error:
            cells = [first[:MAX_SHOWN]]
        return _in_utf_8(Row(line, cells, problem=why))


def _name(cell: str) -> str:
    """A header's name: blanks of any kind around it and between its words do not count."""
    return " ".join(cell.strip(_BLANKS + " \t\r\n\xa0").split())


def _without_last_blanks(cells: Sequence[str]) -> list[str]:
    kept = list(cells)
    while kept and not kept[-1].strip():
        kept.pop()
    return kept


def _in_utf_8(row: Row) -> Row:
    """A row with bytes of another encoding has that problem, and cells as Windows-1252 has them."""
    bad = next((found for cell in row.cells if (found := _NO_UTF_8.search(cell))), None)
    if bad is None:
        return row
    cells = [
        cell.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
        if _NO_UTF_8.search(cell)
        else cell
        for cell in row.cells
    ]
    byte = bytes([ord(bad[0]) - 0xDC00])
    letter = byte.decode("cp1252", "replace")
    problem = f"is not UTF-8; save it as 'CSV UTF-8' (byte {byte.hex().upper()}, perhaps {letter})"
    return Row(row.line, cells, problem=row.problem or problem)
