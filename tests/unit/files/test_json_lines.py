"""JSONL: each line by itself, and a whole document in the place of lines is told of once."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from sync_worker.files.json_lines import JsonLines
from sync_worker.files.rows import BadFile, Row


def rows_of(folder: Path, content: str | bytes) -> list[Row]:
    path = folder / "r.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with JsonLines(path) as file:
        return list(file.rows())


BAD: Mapping[str, tuple[str | bytes, str]] = {
    "no JSON": ("not json", "is no JSON"),
    "a list": ("[1]", "is no JSON object"),
    "a text": ('"x"', "is no JSON object"),
    "cut off": ('{"a": 1', "is no JSON"),
    "a key twice": ('{"x": {"a": 1, "b": 2, "a": 3}}', "has the key 'a' twice"),
    "NaN": ('{"a": NaN}', "is no JSON"),
    "nested without end": ('{"a":' * 100_000, "is no JSON"),
    "very long": ('{"a": "' + "x" * 1_100_000 + '"}', "is longer than 1,000,000 characters"),
    "too many values": ('{"a": [' + "1," * 200_001 + "1]}", "is no JSON"),
    "another encoding": (b'{"a": "caf\xe9"}', "is not UTF-8; save the file as UTF-8"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_line_takes_no_neighbour_along(tmp_path: Path, name: str) -> None:
    bad, problem = BAD[name]
    bad = bad if isinstance(bad, bytes) else bad.encode()
    first, row, last = rows_of(tmp_path, b'{"a": 1}\n' + bad + b'\n{"a": 2}')
    assert (first.document, last.document, last.line) == ({"a": 1}, {"a": 2}, 3)
    assert (row.line, row.problem) == (2, problem)
    row.text.encode()


@pytest.mark.parametrize("depth", [99, 101, 5_000, 100_000])
def test_nested_line_is_read_at_a_bound_cost(tmp_path: Path, depth: int) -> None:
    content = '{"a": ' + "[" * depth + "]" * depth + ', "b": 1}\n{"b": 2}\n'
    rows = rows_of(tmp_path, content)
    assert [row.document["b"] for row in rows] == [1, 2]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ('[\n {"a": 1},\n {"a": 2}\n]', "one JSON list"),
        ('[{"a": 1}, {"a": 2}]', "one JSON list"),
        ('[{"a": 1},\n{"a": 2}]\n', "one JSON list"),
        ('\ufeff\n[\n{"a": 1}]', "one JSON list"),
        ('{\n "a": 1\n}\n', "one JSON document over several lines"),
    ],
)
def test_whole_document_is_refused_once_with_what_to_do(
    tmp_path: Path, content: str, kind: str
) -> None:
    with pytest.raises(BadFile) as refused:
        rows_of(tmp_path, content)
    assert f"is {kind}; JSONL is needed, one object on each line: jq -c '.[]'" in str(refused.value)


def test_first_line_that_is_a_list_is_one_bad_row(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, '[1, 2]\n{"a": 1}\n')
    assert [row.problem for row in rows] == ["is no JSON object", ""]


def test_pipe_is_read_once_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "pipe.jsonl"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=('\n{"a": 1}\n\n' * 1_000,))
    writer.start()
    with JsonLines(path) as file:
        assert [row.line for row in file.rows()] == list(range(2, 3_000, 3))
    writer.join()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_of_spreadsheets_and_editors_are_read(tmp_path: Path, encoding: str) -> None:
    (row,) = rows_of(tmp_path, '{"a": "é"}\n'.encode(encoding))
    assert row.document == {"a": "é"}
