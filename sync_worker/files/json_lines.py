"""Rows of JSONL: one JSON object a line, and each line by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

from sync_worker.core import exact_json
from sync_worker.files.rows import MAX_CELL, MAX_SHOWN, UTF_16_MARKS, BadFile, Row, opened

SHOWN = 40  # characters of a key in a message
ENDINGS = (".jsonl", ".ndjson", ".json")


class JsonLines:
    """``with JsonLines(path) as file: for row in file.rows(): …``. Raises BadFile."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> JsonLines:
        self._file = opened(self.path, _encoding)
        self._lines = enumerate(_lines(self._file), start=1)
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
        # Taken from the file, which may be a pipe, and kept for the rows.
        self._ahead = list(islice((line for line in self._lines if line[1].strip()), 2))
        texts = [text.strip() for _, text in self._ahead]
        if texts[:1] == ["{"] and len(texts) > 1:
            kind = "one JSON document over several lines"
        elif texts and texts[0].startswith("[") and (len(texts) == 1 or not _is_json(texts[0])):
            kind = "one JSON list"
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
        for line, text in chain(self._ahead, self._lines):
            if text.strip():
                yield _row(line, text)


def _encoding(head: bytes) -> tuple[str, str]:
    return "utf-16" if head.startswith(UTF_16_MARKS) else "utf-8-sig", "surrogateescape"


def _is_json(text: str) -> bool:
    try:
        exact_json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


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
    if double := _double_key(kept):
        problem = f"has the key {double[:SHOWN]!r} twice"
    return Row(line, document=document, text=kept, problem=problem)


class _Double(Exception):
    """An object has a key twice."""


def _double_key(text: str) -> str:
    """A key that stands twice in one object: which of the two counts nobody can tell."""

    def refuse(pairs: Sequence[tuple[str, object]]) -> None:
        if len(dict(pairs)) < len(pairs):
            keys = [key for key, _ in pairs]
            raise _Double(next(key for key in keys if keys.count(key) > 1))

    try:
        json.loads(text, object_pairs_hook=refuse, parse_int=str, parse_float=str)
    except _Double as double:
        return str(double)
    except (ValueError, RecursionError):  # what is nested too deeply is left out anyway
        return ""
    return ""


def _lines(file: TextIO) -> Iterator[str]:
    """Lines of the file; of an endless one only so much as shows that it is too long."""
    while text := file.readline(MAX_CELL + 1):
        yield text
        while text and not text.endswith("\n"):
            text = file.readline(MAX_CELL)
