"""Files of ratings, CSV or JSONL: rows in; rejected rows out, in the same form."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from sync_worker.core import exact_json
from sync_worker.core.errors import Misconfigured
from sync_worker.core.words import TOO_DEEP, as_received
from sync_worker.files.csv_lines import csv_line
from sync_worker.files.csv_rows import CsvFile
from sync_worker.files.json_lines import ENDINGS, JsonLines
from sync_worker.files.rows import BadFile, Row
from sync_worker.import_export.file_format import FileFormat

MARKS = ("rejected_line", "rejected_column", "rejected_reason")


class RatingFile:
    """``with RatingFile(path) as file: for row in file.rows(): …``.

    Raises Misconfigured for a file that is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_jsonl = path.suffix.lower() in ENDINGS
        self._csv = CsvFile(path)
        self._opened: CsvFile | JsonLines = self._csv
        if self.is_jsonl:
            self._opened = JsonLines(path)

    def __enter__(self) -> RatingFile:
        try:
            self._opened.__enter__()
        except BadFile as bad:
            raise Misconfigured(str(bad)) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.__exit__()

    @property
    def shape(self) -> Shape:
        """How its rows are written again."""
        if self.is_jsonl:
            return Shape(is_jsonl=True)
        of = self._csv
        return Shape(False, tuple(of.header), of.delimiter, of.has_mark)

    def places(self, form: FileFormat, named: Collection[str]) -> Mapping[str, int] | None:
        """Which cell of a row each column of a format is; ``None`` for JSONL.

        ``named``: parts that an option named, so that they must be there; what only a preset knows
        may be missing but for what a rating needs. Raises Misconfigured.
        """
        if self.is_jsonl:
            return None
        columns = {**form.columns.model_dump(exclude_none=True), **form.values}
        needed = {"entity", "email", *form.values, *named}
        hint = "; name the right one with --column"
        places = {}
        try:
            for part, column in columns.items():
                place = self._csv.place_of(column)
                if place is None and part in needed:
                    place = self._csv.needed_place_of(column, hint)
                if place is not None:
                    places[column] = place
        except BadFile as bad:
            raise Misconfigured(str(bad)) from None
        return places

    def count(self) -> int | None:
        """How many rows, about: lines but for the header; ``None`` of what is read only once."""
        if not self.path.is_file():
            return None
        with self.path.open("rb") as file:
            lines = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
        return lines if self.is_jsonl else max(0, lines - 1)

    def rows(self) -> Iterator[Row]:
        """Every row, broken ones with their problem."""
        return self._opened.rows()


@dataclass(frozen=True, slots=True)
class Shape:
    """How rows of a file are written again, in its own form, with marks of why.

    ``header`` and ``delimiter``: of CSV; ``has_mark``: it begins with a byte order mark.
    """

    is_jsonl: bool
    header: tuple[str, ...] = ()
    delimiter: str = ","
    has_mark: bool = False

    @property
    def ending(self) -> str:
        """Of a file's name."""
        return "jsonl" if self.is_jsonl else "csv"

    @property
    def encoding(self) -> str:
        """In which a spreadsheet opens what is written beside the file."""
        return "utf-8-sig" if self.has_mark else "utf-8"

    @property
    def head(self) -> str:
        """The first line of CSV; JSONL has none."""
        return "" if self.is_jsonl else self._line([*MARKS, *self._kept(self.header)])

    def line(self, row: Row, column: str, reason: str) -> str:
        """A row, with its line, the column to blame, and why it was rejected."""
        marks = (str(row.line), column, reason)
        if self.is_jsonl:
            return _marked_object(row, dict(zip(MARKS, marks, strict=True)))
        return self._line([*marks, *self._kept(row.cells)])

    def _kept(self, cells: Sequence[str]) -> Sequence[str]:
        """Without the marks of an earlier import."""
        is_marked = self.header[: len(MARKS)] == MARKS
        return cells[len(MARKS) :] if is_marked else cells

    def _line(self, cells: Sequence[str]) -> str:
        return csv_line(cells, self.delimiter)


def _marked_object(row: Row, marks: Mapping[str, str]) -> str:
    kept = row.document
    # No object, or one of which a part was left out: the line as it stands.
    if not isinstance(kept, dict) or TOO_DEEP in exact_json.dumps(kept):
        kept = {"rejected_text": row.text}
    return as_received(exact_json.dumps({**kept, **marks})) + "\n"


class RejectedFile:
    """The rejected rows of an import, beside its file.

    Made with the first rejected row, and never over a file that is there.
    """

    def __init__(self, source: RatingFile) -> None:
        self._source = source
        self.count = 0
        self.path: Path | None = None
        self._file: TextIO | None = None

    def add(self, row: Row, column: str, reason: str) -> None:
        if self._file is None:
            self._file = self._begun()
        self.count += 1
        self._file.write(self._source.shape.line(row, column, reason))

    def _begun(self) -> TextIO:
        """Raises Misconfigured where the file cannot be written."""
        shape = self._source.shape
        try:
            self.path = _free_path(self._source.path, shape.ending)
            file = self.path.open("x", newline="", encoding=shape.encoding)
            # What people wrote is for no more eyes than in the file that it comes from.
            if self._source.path.is_file():
                self.path.chmod(self._source.path.stat().st_mode & 0o666)
        except OSError as error:
            raise Misconfigured(
                f"{self._source.path}: the rejected rows cannot be written beside it"
                f" ({error.strerror}); put the file where you may write, and run the same command"
                " again"
            ) from None
        file.write(shape.head)
        return file

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _free_path(source: Path, suffix: str) -> Path:
    """A name that no file has: somebody may be at work on an earlier one."""
    path, number = source.with_name(f"{source.name}.rejected.{suffix}"), 1
    while path.exists():
        number += 1
        path = source.with_name(f"{source.name}.rejected-{number}.{suffix}")
    return path
