"""The longest cell of a person's file costs no more processor time than its length."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sync_worker.files.cells import BadCell, id_within, number_of, text_within
from sync_worker.files.dates import moment_in
from sync_worker.files.env_file import read_env_file
from sync_worker.files.rows import MAX_CELL
from sync_worker.import_export.row_reading import BETWEEN_ADDRESSES
from sync_worker.manifest.drafting.scrubbed import scrubbed

LONG = {
    "digits": "0" * MAX_CELL,
    "digits and a comma": "0" * (MAX_CELL - 2) + ",x",
    "points": "1." * (MAX_CELL // 2),
    "commas": "1," * (MAX_CELL // 2),
    "dashes": "1-" * (MAX_CELL // 2),
    "months": "1 jan " * (MAX_CELL // 6),
    "letters": "#" + "a" * (MAX_CELL - 1),
    "letters and an at": "a" * (MAX_CELL - 1) + "@",
    "ats": "a@" * (MAX_CELL // 2),
    "blanks": "2026" + " " * (MAX_CELL - 5) + "x",
    "line ends": "\n" * (MAX_CELL - 1) + "x",
    "signs between": " ,;" * (MAX_CELL // 3) + "x",
    "addresses": " https://" * (MAX_CELL // 9),
}
READERS: dict[str, Callable[[str], Any]] = {
    "number": number_of,
    "time": moment_in,
    "time by a form": lambda text: moment_in(text, "%d.%m.%Y %H:%M"),
    "time as a number": lambda text: moment_in(text, "epoch_ms"),
    "id": lambda text: id_within(text, 200),
    "text": lambda text: text_within(text, MAX_CELL),
    "pictures": BETWEEN_ADDRESSES.split,
    "sample": scrubbed,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", LONG)
def test_longest_cell_is_read_or_refused_at_once(kind: str, reader: str) -> None:
    before = time.process_time()
    with suppress(BadCell):
        READERS[reader](LONG[kind])
    assert time.process_time() - before < 2


def test_env_file_of_many_empty_lines_is_read_at_once(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("\n" * 200_000 + "A=b\n")
    before = time.process_time()
    everything = {"is_ours": lambda name: True, "may_be_empty": lambda name: True}
    assert read_env_file(file, **everything)["A"] == "b"
    assert time.process_time() - before < 2
