"""CSV as people and spreadsheets save it: each row ends on its own, and is told of on its line."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from sync_worker.files.csv_rows import CsvFile
from sync_worker.files.rows import BadFile

Found = tuple[int, Sequence[str], str]


def rows_of(folder: Path, content: str | bytes) -> list[Found]:
    path = folder / "r.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with CsvFile(path) as file:
        return [(row.line, list(row.cells), row.problem) for row in file.rows()]


def refusal(folder: Path, content: str | bytes) -> str:
    with pytest.raises(BadFile) as refused:
        rows_of(folder, content)
    (problem,) = refused.value.problems
    return problem.removeprefix(str(folder / "r.csv"))


GOOD = [(2, ["5", "p@example.com"], "")]


@pytest.mark.parametrize(
    "content",
    [
        "rating,email\n5,p@example.com\n",
        "rating,email\r\n5,p@example.com\r\n",
        "rating,email\r5,p@example.com\r",
        "rating,email\n5,p@example.com",
        "\ufeffrating,email\n5,p@example.com\n",
        "\ufeffrating,email\n5,p@example.com\n".encode("utf-16-le"),
        "rating,email\n5,p@example.com\n".encode("utf-16"),
        "\ufeffrating,email\n5,p@example.com\n".encode("utf-16-be"),
        "rating;email\n5;p@example.com\n",
        "rating\temail\n5\tp@example.com\n",
        "rating|email\n5|p@example.com\n",
        '"rating","email"\n"5","p@example.com"\n',
        "rating,email,\n5,p@example.com,\n",
        "rating,email,,\n5,p@example.com\n",
        "rating,email\n5,p@example.com,,\n\n,\n",
    ],
)
def test_form_that_programs_write_is_read(tmp_path: Path, content: str | bytes) -> None:
    assert rows_of(tmp_path, content) == GOOD


def test_separator_line_of_a_spreadsheet_names_the_delimiter(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "sep=;\nrating;email,x\n4,5;p@example.com\n")
    assert rows == [(3, ["4,5", "p@example.com"], "")]


BROKEN: Mapping[str, tuple[str | bytes, str]] = {
    "never closed": ('"bad,1\n', "a quotation mark is opened and never closed"),
    "closed too early": ('"b"ad,1\n', "something stands behind a closing quotation mark"),
    "too few": ("1\n", "1 cells, but the header has 2"),
    "too many": ("1,2,3\n", "3 cells, but the header has 2"),
    "another encoding": (
        b"caf\xe9,1\n",
        "is not UTF-8; save it as 'CSV UTF-8' (byte E9, perhaps é)",
    ),
    "very long cell": ("x" * 1_000_001 + ",1\n", "a cell is longer than 1,000,000 characters"),
    "very long line": ("x," * 3_000_000 + "\n", "is longer than 4,000,000 characters"),
    "no end": ('"' + ("x" * 999 + "\n") * 1_100, "a cell is longer than 1,000,000 characters"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_row_takes_no_neighbour_along(tmp_path: Path, name: str) -> None:
    """One row has a problem; the one before and the one after it are read."""
    bad, words = BROKEN[name]
    bad = bad if isinstance(bad, bytes) else bad.encode()
    before = time.thread_time()
    rows = rows_of(tmp_path, b"a,b\nfirst,1\n" + bad + b"last,2\n")
    assert time.thread_time() - before < 5
    assert rows[0] == (2, ["first", "1"], "")
    assert rows[1][0] == 3
    assert rows[1][2].startswith(words)
    assert rows[-1][1:] == (["last", "2"], "")
    if name != "no end":
        assert len(rows) == 3


def test_open_quotation_mark_ends_where_the_next_row_has_one(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, 'a,b\n"open,1\n"x, y",2\nz,3\n')
    assert [(line, problem == "") for line, _, problem in rows] == [
        (2, False),
        (3, True),
        (4, True),
    ]
    assert rows[1][1] == ["x, y", "2"]


def test_quoted_line_ends_belong_to_their_row(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, 'a,b\n"two\nlines, ""said""",1\n\n"x\r\ny",2\n')
    assert rows == [(2, ['two\nlines, "said"', "1"], ""), (5, ["x\r\ny", "2"], "")]


def test_row_whose_text_looks_like_a_row_stays_one(tmp_path: Path) -> None:
    """What somebody writes in a review is not taken for a row, even if its row is too short."""
    rows = rows_of(tmp_path, 'a,b,c\n"nice\n5,evil@example.com,P1\n",1\nx,2,3\n')
    assert [(line, problem) for line, _, problem in rows] == [
        (2, "2 cells, but the header has 3"),
        (5, ""),
    ]


def test_many_open_quotation_marks_cost_no_more_than_the_file(tmp_path: Path) -> None:
    content = "a,b\n" + '"x\n' * 10_000 + "y\n" * 10_000
    before = time.thread_time()
    rows = rows_of(tmp_path, content)
    assert time.thread_time() - before < 5
    assert all(problem for *_, problem in rows)


def test_row_of_another_encoding_is_shown_as_windows_has_it(tmp_path: Path) -> None:
    ((_, cells, problem),) = rows_of(tmp_path, "a,b\nRené,“x”\n".encode("cp1252"))
    assert cells == ["René", "“x”"]
    assert problem == "is not UTF-8; save it as 'CSV UTF-8' (byte E9, perhaps é)"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ": is empty; the first line must name the columns"),
        ("\n\n , \n", ": is empty; the first line must name the columns"),
        (b"PK\x03\x04rest", ": is an Excel workbook (or another archive); save it as 'CSV UTF-8'"),
        (b"\xd0\xcf\x11\xe0rest", ": is an old Excel workbook; save it as 'CSV UTF-8'"),
        (b"\x1f\x8brest", ": is compressed; unpack it first"),
        ("  <!DOCTYPE html><p>Log in", ": is a web page, no CSV; was the download refused?"),
        ('[{"a": 1},\n{"a": 2}]', ":1: is JSON, no CSV; name it .jsonl, with one object on each"),
        ("a,b\n1,2\n".encode("utf-16-le"), ": looks like UTF-16 without a byte order mark"),
        (b"prix,caf\xe9\n1,2\n", ":1: is not UTF-8; save it as 'CSV UTF-8' (byte E9, perhaps é)"),
        ('a,"b\n1,2\n', ":1: a quotation mark is opened and never closed"),
        ("x" * 5_000_000, ": has no line end within 4,000,000 characters"),
    ],
)
def test_what_is_no_csv_is_refused_in_words(
    tmp_path: Path, content: str | bytes, words: str
) -> None:
    assert refusal(tmp_path, content).startswith(words)


def test_pipe_is_read_once_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "pipe.csv"
    os.mkfifo(path)
    content = "sep=;\nrating;email\n" + "5;p@example.com\n" * 1_000
    writer = threading.Thread(target=path.write_text, args=(content,))
    writer.start()
    with CsvFile(path) as file:
        assert len(list(file.rows())) == 1_000
    writer.join()


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(BadFile, match=r"nowhere\.csv: cannot be read"),
        CsvFile(tmp_path / "nowhere.csv"),
    ):
        pass


def test_header_is_found_whatever_its_case_and_blanks(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(" Product\xa0ID ,\u200bRating\ufeff,,E-Mail\n", encoding="utf-8")
    with CsvFile(path) as file:
        places = [file.place_of(name) for name in ("product id", "rating", "e-mail", "other")]
    assert places == [0, 1, 3, None]


@pytest.mark.parametrize("header", ["rating,id,rating", "Rating,id,rating", "rating, id,RATING "])
def test_header_that_stands_twice_is_refused_by_its_places(tmp_path: Path, header: str) -> None:
    path = tmp_path / "r.csv"
    path.write_text(header + "\n")
    with CsvFile(path) as file:
        assert file.place_of("id") == 1
        with pytest.raises(BadFile) as refused:
            file.place_of("rating")
    assert str(refused.value) == (
        f"{path}:1: the column 'rating' stands 2 times (as column 1 and 3); remove or rename all"
        " but one"
    )
