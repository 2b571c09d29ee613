"""Rows of JSONL: one JSON object a line, and each line by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from sync_worker.core import exact_json
from sync_worker.files.rows import MAX_CELL, MAX_SHOWN, BadFile, Row, unreadable

ENDINGS = (".jsonl", ".ndjson", ".json")


class JsonLines:
    """``with JsonLines(path) as file: for row in file.rows(): …``. Raises BadFile."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> JsonLines:
        try:
            with self.path.open("rb") as file:
                is_utf_16 = file.read(2) in (b"\xff\xfe", b"\xfe\xff")
            encoding = "utf-16" if is_utf_16 else "utf-8-sig"
            # Closed in __exit__.
            self._file = self.path.open(encoding=encoding, errors="surrogateescape")
        except OSError as error:
            raise unreadable(self.path, error) from None
        try:
            self._refuse_one_document()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _refuse_one_document(self) -> None:
        """A whole list or object in the place of lines is told of once, not line by line."""
        lines = (text for text in _lines(self._file) if text.strip())
        first, second = next(lines, "").strip(), next(lines, None)
        self._file.seek(0)
        if first[:1] not in ("[", "{"):
            return
        if first[0] == "[" and (second is None or _row(1, first).problem == "is no JSON"):
            kind = "one JSON list"
        elif first == "{" and second is not None:
            kind = "one JSON document over several lines"
        else:
            return
        raise BadFile(
            [
                f"{self.path}: is {kind}; JSONL is needed, one object on each line: jq -c"
                f" '.[]' {self.path.name} > {self.path.stem}.jsonl"
            ]
        )

    def rows(self) -> Iterator[Row]:
        """Every line that is not blank; what is no object has its problem."""
        for line, text in enumerate(_lines(self._file), start=1):
            if text.strip():
                yield _row(line, text)


def _row(line: int, text: str) -> Row:
    if len(text) > MAX_CELL:
        problem = f"is longer than {MAX_CELL:,} characters"
        return Row(line, text=text[:MAX_SHOWN], problem=problem)
    kept = text.rstrip("\n")
    try:
        kept.encode()
    except UnicodeEncodeError:
        readable = kept.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return Row(line, text=readable, problem="is not UTF-8; save the file as UTF-8")
    try:
        document = exact_json.loads(text)
    except (ValueError, RecursionError):
        return Row(line, text=kept, problem="is no JSON")
    problem = "" if isinstance(document, dict) else "is no JSON object"
    return Row(line, document=document, text=kept, problem=problem)


def _lines(file: TextIO) -> Iterator[str]:
    """Lines of the file; of an endless one only so much as shows that it is too long."""
    while text := file.readline(MAX_CELL + 1):
        yield text
        while text and not text.endswith("\n"):
            text = file.readline(MAX_CELL)
