"""Whatever file it stands in: a mangled id is refused by every reader, and in the same words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sync_worker.files.mapping_files import read_contacts, read_entities
from sync_worker.files.proposals import propose_entities, read_catalogue
from sync_worker.files.rows import BadFile
from sync_worker.import_export.file_format import format_of
from sync_worker.import_export.rating_files import RatingFile
from sync_worker.import_export.row_reading import BadRow, reading_of
from tests.factories import a_site

FORMAT = format_of(
    {"scale": {"min": 1, "max": 5, "step": 1}},
    {"entity": "thing", "email": "email", "overall": "stars"},
)


def by_import(path: Path, cell: str) -> str:
    path.write_text(f"thing,email,stars\n{cell},a@b.example,5\n", encoding="utf-8")
    with RatingFile(path) as file:
        reading = reading_of(FORMAT, file.places(FORMAT, ()), a_site())
        (row,) = file.rows()
        with pytest.raises(BadRow) as bad:
            reading.rating_of(row)
    return bad.value.reason


def problem_of(read: Callable[[Path], object], path: Path) -> str:
    with pytest.raises(BadFile) as bad:
        read(path)
    (problem,) = bad.value.problems
    return problem


def by_entities(path: Path, cell: str) -> str:
    path.write_text(
        "wix_namespace,wix_group,wix_entity_id,external_group,external_entity_id\n"
        f"reviews,stores,w,,{cell}\n",
        encoding="utf-8",
    )
    return problem_of(read_entities, path).removeprefix(f"{path}:2: external_entity_id: ")


def by_contacts(path: Path, cell: str) -> str:
    path.write_text(
        f"External_Author_ID;email;wix_contact_id\n{cell};a@b.example;c-1\n", encoding="utf-8"
    )
    return problem_of(read_contacts, path).removeprefix(f"{path}:2: external_author_id: ")


def by_catalogue(path: Path, cell: str) -> str:
    path.write_text(f"id,sku,name\n{cell},S1,Tea\n", encoding="utf-8")
    proposal = propose_entities(read_catalogue(path), [])
    (doubt,) = proposal.doubts
    return doubt.reason.removeprefix("line 2: ")


READERS: Mapping[str, Callable[[Path, str], str]] = {
    "import": by_import,
    "entities": by_entities,
    "contacts": by_contacts,
    "catalogue": by_catalogue,
}


@pytest.mark.parametrize(
    "cell",
    [
        *("1.23E+15", "7.0", '"=""0012"""', "'0012", "#REF!", "null", "w\u200b", "w\ufffd", "a\0b"),
        "x" * 257,
    ],
)
def test_mangled_id_is_refused_in_the_same_words_everywhere(tmp_path: Path, cell: str) -> None:
    said = {name: read(tmp_path / "r.csv", cell) for name, read in READERS.items()}
    assert len(set(said.values())) == 1, said
