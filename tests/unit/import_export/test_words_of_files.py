"""Words, names and dates of files of reviews: read as written, exported as Wix has them."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import EntityRef, Person, Record
from sync_worker.import_export.exporting import WIX_COLUMNS, Writer, review_line
from sync_worker.import_export.file_format import FileFormat, format_of, load_format
from sync_worker.import_export.importing import RatingRow
from sync_worker.import_export.rating_files import RatingFile
from sync_worker.import_export.row_reading import BadRow, reading_of
from tests.factories import a_site
from tests.unit.import_export.test_file_import import WordImports, run

OWN = {
    "entity": "entity_id",
    "email": "email",
    "overall": "value",
    "title": "title",
    "body": "body",
    "author_name": "author_name",
    "date": "date",
}
SCALE = {"scale": {"min": 1, "max": 5, "step": 1}}
HEADER = "entity_id,email,value,title,body,author_name,date\n"


def rows_of(path: Path, text: str, form: FileFormat | None = None) -> list[RatingRow]:
    path.write_text(text, encoding="utf-8", newline="")
    form = form or format_of(SCALE, OWN)
    with RatingFile(path) as source:
        reading = reading_of(form, source.places(form, ()), a_site())
        return [reading.rating_of(row) for row in source.rows()]


def test_words_name_and_date_of_a_row_are_read(tmp_path: Path) -> None:
    line = (
        'P1,a@x.example,4,"It\'s ""good""","two\nlines \U0001f600",Ana M.,2025-03-04 05:06:07 UTC\n'
    )
    (row,) = rows_of(tmp_path / "r.csv", HEADER + line)
    assert row.words == {"title": 'It\'s "good"', "body": "two\nlines \U0001f600"}
    assert (row.name, row.written_at) == ("Ana M.", datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC))


def test_row_without_words_has_none_and_formulas_may_be_words(tmp_path: Path) -> None:
    lines = "P1,a@x.example,4,,,,\nP1,b@x.example,4,'=1+1,-5 stars,Ana,\n"
    without, with_words = rows_of(tmp_path / "r.csv", HEADER + lines)
    assert (without.words, without.written_at) == ({}, None)
    assert with_words.words == {"title": "=1+1", "body": "-5 stars"}


def test_words_of_jsonl_are_read_at_their_paths(tmp_path: Path) -> None:
    form = format_of(SCALE, {**OWN, "body": "said.text", "author_name": "said.by"})
    said = {"text": "Hm", "by": "A"}
    line = json.dumps({"entity_id": "P", "email": "a@x.example", "value": 4, "said": said})
    (row,) = rows_of(tmp_path / "r.jsonl", line + "\n", form)
    assert (row.words, row.name) == ({"body": "Hm"}, "A")


@pytest.mark.parametrize(
    ("text", "form", "moment"),
    [
        ("2025-03-04", None, datetime(2025, 3, 4, tzinfo=UTC)),
        ("2025-03-04T05:06:07+02:00", None, datetime(2025, 3, 4, 3, 6, 7, tzinfo=UTC)),
        ("2025-03-04 05:06:07 +0200", None, datetime(2025, 3, 4, 3, 6, 7, tzinfo=UTC)),
        ("04.03.2025", "%d.%m.%Y", datetime(2025, 3, 4, tzinfo=UTC)),
        ("1741064767000", "epoch_ms", datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC)),
        ("04.03.2025", None, "'04.03.2025' is no date such as 2026-11-20"),
        ("45720", None, "is no date"),
        ("2025-13-04", None, "is no date"),
        ("9" * 400, "epoch_s", "is no date as 'epoch_s' says"),
        ("1970-01-01", None, "before any review"),
    ],
)
def test_date_is_read_or_refused_and_never_guessed(
    tmp_path: Path, text: str, form: str | None, moment: Any
) -> None:
    path, line = tmp_path / "r.csv", f"P1,a@x.example,4,,,,{text}\n"
    chosen = format_of({**SCALE, "date_format": form}, OWN)
    if isinstance(moment, datetime):
        assert rows_of(path, HEADER + line, chosen)[0].written_at == moment
        return
    with pytest.raises(BadRow, match=moment) as refused:
        rows_of(path, HEADER + line, chosen)
    assert refused.value.column == "date"


PRESETS = {
    "judgeme": (
        "title,body,rating,review_date,source,curated,reviewer_name,reviewer_email,product_id\n"
        "T,Nice,4,2025-03-04 05:06:07 UTC,web,ok,Ana,a@x.example,P1\n"
    ),
    "yotpo": (
        "Review ID,Review Creation Date,Review Status,Review Score,Review Title,Review Content,"
        "Reviewer Display Name,Reviewer Email,Product ID\n"
        "1,2025-03-04 05:06:07 UTC,Published,4,T,Nice,Ana,a@x.example,P1\n"
    ),
    "woocommerce": (
        "comment_ID,comment_post_ID,comment_author,comment_author_email,comment_date_gmt,"
        "comment_content,comment_approved,rating,title\n"
        "1,P1,Ana,a@x.example,2025-03-04 05:06:07,<p>Ni&#99;e</p>,1,4,T\n"
    ),
}


@pytest.mark.parametrize("name", PRESETS)
def test_presets_carry_words_name_and_date(name: str, tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path / "r.csv", PRESETS[name], format_of(load_format(name), {}))
    assert (row.words, row.name) == ({"title": "T", "body": "Nice"}, "Ana")
    assert row.written_at == datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC)


def test_name_of_the_author_is_one_part_under_two_names() -> None:
    assert format_of(SCALE, OWN).columns.name == "author_name"
    with pytest.raises(Misconfigured, match="author_name and name, which are the same part"):
        format_of(SCALE, {**OWN, "name": "who"})


# -- rejected rows


def test_row_of_somebody_erased_is_in_no_rejected_file(tmp_path: Path) -> None:
    lines = ["a,erased@x.example,9", "a,other@x.example,9"]
    work, rejected = run(tmp_path / "r.csv", WordImports(1), lines)
    assert "erased@x.example" not in rejected
    assert "other@x.example" in rejected
    assert (work.counts, work.tally.skipped) == ({"skipped": 1, "rejected": 1}, {"erased": 1})


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_rejected_file_is_for_no_more_eyes_than_its_source(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.touch(mode=0o600)
    work, _ = run(path, WordImports(1), ["a,one@x.example,9"])
    made = getattr(work.rejected, "path", None)
    assert made is not None
    assert stat.S_IMODE(made.stat().st_mode) == 0o600


# -- exports


def test_exported_review_can_be_imported_again(tmp_path: Path) -> None:
    words = {"title": "=cmd|' /C calc'!A1", "body": 'It\'s, "two"\nlines'}
    record = Record(
        "r-1",
        {"overall": Decimal(4)},
        3,
        entity=EntityRef("P1", "", "stores"),
        person=Person(contact_id="c-1", name="Ana M."),
        raw={"createdDate": "2025-03-05T00:00:00Z", "updatedDate": "2025-03-06T00:00:00Z"},
        words=words,
        written_at=datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC),
    )
    writer = Writer("csv", WIX_COLUMNS)
    text = writer.head() + writer.line(review_line(record))
    (shown,) = csv.DictReader(io.StringIO(text))
    assert shown["title"] == "'" + words["title"]  # runs in no spreadsheet
    assert (shown["created"], shown["updated"]) == ("2025-03-05T00:00:00Z", "2025-03-06T00:00:00Z")
    with_address = text.replace("\nr-1,", "\na@x.example,", 1)
    (row,) = rows_of(tmp_path / "r.csv", with_address, format_of(SCALE, {**OWN, "email": "id"}))
    assert (row.words, row.name) == (words, "Ana M.")
    assert row.written_at == record.written_at
