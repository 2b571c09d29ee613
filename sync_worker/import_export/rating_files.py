"""Files of ratings, CSV or JSONL: rows in; rejected rows out, in the same form."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from sync_worker.core import exact_json
from sync_worker.core.errors import Misconfigured
from sync_worker.core.words import TOO_DEEP, as_received
from sync_worker.import_export.file_format import FileFormat

MARKS = ("rejected_line", "rejected_column", "rejected_reason")
DELIMITERS = ",;\t"
MAX_CELL = 1_000_000  # characters, of a line of JSONL too
MAX_SHOWN = 1_000  # of a row that is none
csv.field_size_limit(MAX_CELL)


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it stands.

    ``cells``: of CSV; ``document``: of JSONL; ``problem``: why it cannot be read.
    """

    line: int
    cells: Sequence[str] = ()
    document: Any = None
    text: str = ""
    problem: str = ""


@dataclass
class RatingFile:
    """``with RatingFile(path) as file: for row in file.rows(): …``.

    Raises Misconfigured for a file that is none.
    """

    path: Path
    header: Sequence[str] = field(default=())
    delimiter: str = ","

    def __enter__(self) -> RatingFile:
        try:
            self._file: TextIO = self.path.open(newline="", encoding="utf-8-sig")
            if not self.is_jsonl:
                self._read_header()
        except OSError as error:
            raise Misconfigured(f"{self.path}: cannot be read ({error.strerror})") from None
        except UnicodeDecodeError:
            raise self._not_utf8() from None
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def is_jsonl(self) -> bool:
        return self.path.suffix.lower() in (".jsonl", ".ndjson", ".json")

    def _read_header(self) -> None:
        first = self._file.readline()
        self._file.seek(0)
        self.delimiter = max(DELIMITERS, key=first.count)
        self._reader = csv.reader(self._file, strict=True, delimiter=self.delimiter)
        self.header = [cell.strip() for cell in next(self._reader, [])]
        if not any(self.header):
            raise Misconfigured(f"{self.path}: is empty; the first line must name the columns")

    def check(self, form: FileFormat) -> None:
        """Whether the columns that a rating needs are there. Raises Misconfigured."""
        if self.is_jsonl:
            return
        needed = [form.columns.entity, form.columns.email, *form.values.values()]
        missing = [name for name in needed if name not in self.header]
        if missing:
            raise Misconfigured(
                f"{self.path}:1: there is no column {missing[0]!r}; the columns are:"
                f" {', '.join(self.header)}; name the right one with --column"
            )

    def count(self) -> int:
        """How many rows, about: lines but for the header."""
        with self.path.open("rb") as file:
            lines = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
        return lines if self.is_jsonl else max(0, lines - 1)

    def rows(self) -> Iterator[Row]:
        try:
            rows = self._jsonl() if self.is_jsonl else self._csv()
            yield from rows
        except UnicodeDecodeError:
            raise self._not_utf8() from None

    def _not_utf8(self) -> Misconfigured:
        return Misconfigured(f"{self.path}: is not UTF-8; save it as 'CSV UTF-8'")

    def _csv(self) -> Iterator[Row]:
        while True:
            line = self._reader.line_num + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise Misconfigured(
                    f"{self.path}:{line}: is no CSV ({error}); is a quotation mark missing?"
                ) from None
            if any(cell.strip() for cell in cells):
                yield Row(line, cells, problem=self._misfit(cells))

    def _misfit(self, cells: Sequence[str]) -> str:
        if len(cells) == len(self.header):
            return ""
        return f"{len(cells)} cells, but the header has {len(self.header)}"

    def _jsonl(self) -> Iterator[Row]:
        for line, text in enumerate(self._lines(), start=1):
            if not text.strip():
                continue
            if len(text) > MAX_CELL:
                problem = f"is longer than {MAX_CELL:,} characters"
                yield Row(line, text=text[:MAX_SHOWN], problem=problem)
                continue
            try:
                document = exact_json.loads(text)
            except ValueError:
                yield Row(line, text=text.rstrip("\n"), problem="is no JSON")
                continue
            problem = "" if isinstance(document, dict) else "is no JSON object"
            yield Row(line, document=document, text=text.rstrip("\n"), problem=problem)

    def _lines(self) -> Iterator[str]:
        """Lines of the file; of an endless one only so much as shows that it is too long."""
        while text := self._file.readline(MAX_CELL + 1):
            yield text
            while text and not text.endswith("\n"):
                text = self._file.readline(MAX_CELL)


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
            suffix = "jsonl" if self._source.is_jsonl else "csv"
            self.path = _free_path(self._source.path, suffix)
            self._file = self.path.open("x", newline="", encoding="utf-8")
            if not self._source.is_jsonl:
                self._write_cells([*MARKS, *self._kept(self._source.header)])
        self.count += 1
        marks = (str(row.line), column, reason)
        if self._source.is_jsonl:
            self._write_object(row, dict(zip(MARKS, marks, strict=True)))
        else:
            self._write_cells([*marks, *self._kept(row.cells)])

    def _kept(self, cells: Sequence[str]) -> Sequence[str]:
        """Without the marks of an earlier import."""
        is_marked = tuple(self._source.header[: len(MARKS)]) == MARKS
        return cells[len(MARKS) :] if is_marked else cells

    def _write_cells(self, cells: Sequence[str]) -> None:
        assert self._file is not None  # noqa: S101 - opened by add
        buffer = io.StringIO()
        csv.writer(buffer, delimiter=self._source.delimiter, lineterminator="\n").writerow(cells)
        self._file.write(buffer.getvalue())

    def _write_object(self, row: Row, marks: Mapping[str, str]) -> None:
        assert self._file is not None  # noqa: S101 - opened by add
        kept = row.document
        # No object, or one of which a part was left out: the line as it stands.
        if not isinstance(kept, dict) or TOO_DEEP in exact_json.dumps(kept):
            kept = {"rejected_text": row.text}
        self._file.write(as_received(exact_json.dumps({**kept, **marks})) + "\n")

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
