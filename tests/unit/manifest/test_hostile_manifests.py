"""A manifest that is none, in whatever way, is refused with the file and in words, at once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from sync_worker.core.errors import Misconfigured
from sync_worker.import_export.file_format import load_format
from sync_worker.manifest.loader import SHIPPED, load_manifest
from sync_worker.manifest.paging.pagination import ListingAnswer, next_place
from sync_worker.manifest.paging.places import Place
from sync_worker.manifest.schema.calls import Pagination
from tests.hostile import DEPTH, IDS, NUMBERS, WORDS
from tests.unit.signed import OWN_SERVICE

OWN = (SHIPPED / "own-service.yaml").read_text()
BOMB = "\n".join(
    [
        "a0: &a0 [x]",
        *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)),
    ]
)
FILES: Mapping[str, str] = {
    "aliases of aliases": BOMB,
    "an alias inside itself": "a: &a [*a]",
    "a date that is none": "version: 2001-99-99",
    "thousands of digits": "version: " + "1" * 100_000,
    "thousands of sixties": "version: 1" + ":59" * 50_000,
    "brackets": "version: " + "[" * 10_000,
    "an endless file": "# " + "x" * 300_000,
    "half a surrogate pair": 'id: "\\ud83d"',
    "NUL": 'id: "a\\0b"',
    "a tag": "id: !!python/object/apply:os.system [ls]",
    "a number as text": "just text",
    "a list": "[1, 2]",
    "nothing": "",
}


def refused_or_loaded(path: Path) -> str:
    """The words of the refusal; empty if it loads."""
    before = time.thread_time()
    try:
        load_manifest(path, OWN_SERVICE)
        words = ""
    except Misconfigured as refusal:
        words = str(refusal)
    assert time.thread_time() - before < 5
    return words


@pytest.mark.parametrize("name", FILES)
def test_file_that_is_no_manifest_is_refused_in_words(tmp_path: Path, name: str) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_text(FILES[name])
    words = refused_or_loaded(path)
    assert str(path) in words
    assert len(words) < 1_000
    with suppress(Misconfigured):
        load_format(str(path))


@pytest.mark.parametrize(
    ("written", "hostile"),
    [
        ("max: 5,", NUMBERS),
        ("step: 0.5}", NUMBERS),
        ("requests: 50,", NUMBERS),
        ("size: 200}", NUMBERS),
        ("id: own-service", IDS),
        ("path: subject.id,", WORDS),
    ],
)
def test_hostile_value_in_a_manifest_is_refused_or_harmless(
    tmp_path: Path, written: str, hostile: Mapping[str, str]
) -> None:
    assert OWN.count(written) == 1
    key, _, rest = written.partition(": ")
    end = rest[-1] if rest[-1] in ",}" else ""
    path = tmp_path / "hostile.yaml"
    for value in hostile.values():
        path.write_text(OWN.replace(written, f"{key}: {value}{end}"))
        assert len(refused_or_loaded(path)) < 3_000


def test_shipped_manifests_are_far_within_the_bounds() -> None:
    for file in SHIPPED.glob("*.yaml"):
        assert len(file.read_bytes()) < 100_000
        assert yaml.safe_load(file.read_text())


@pytest.mark.parametrize("name", DEPTH)
def test_sample_of_any_depth_is_refused_or_harmless(tmp_path: Path, name: str) -> None:
    path = tmp_path / "hostile.yaml"
    path.write_text(OWN + f"\nexamples: {{records: [{{resource: {DEPTH[name][:200_000]}}}]}}\n")
    refused_or_loaded(path)


@pytest.mark.parametrize(
    "header",
    [
        '<https://x.example/2>; rel="' + " " * 60_000,
        "<https://x.example/2>; " + "rel=" * 15_000,
        "<" * 60_000,
        "<https://x.example/2>; " + "rel=prev; " * 6_000,
    ],
)
def test_hostile_link_header_ends_the_listing_at_once(header: str) -> None:
    before = time.thread_time()
    paging = Pagination(kind="next_link")
    page = ListingAnswer([{"id": 1}], None, {"Link": header})
    assert next_place(paging, Place(), page) is None
    assert time.thread_time() - before < 0.5


@pytest.mark.parametrize(
    ("number", "is_good"), [(1234567890123, True), (2**63 - 1, True), (2**63, False)]
)
def test_number_of_an_account_or_a_time_is_within_the_bound(
    tmp_path: Path, number: int, is_good: bool
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(OWN.replace("origin:  {", f"origin:  {{account: {number}, "))
    assert str(number) in path.read_text()
    assert (refused_or_loaded(path) == "") is is_good
