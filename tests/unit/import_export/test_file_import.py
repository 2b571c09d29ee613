"""One run over a file: what goes wrong with a row is that row's, foreseen or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sync_worker.core.errors import Misconfigured, Permanent
from sync_worker.core.values import RatingKey
from sync_worker.import_export.file_format import format_of
from sync_worker.import_export.file_import import CHUNK, Begin, FileImport, Pauses
from sync_worker.import_export.importing import ImportResult, RatingRow
from sync_worker.import_export.rating_files import RatingFile, RejectedFile
from sync_worker.import_export.row_reading import reading_of
from tests.factories import a_site

FORMAT = format_of(
    {"scale": {"min": 1, "max": 5, "step": 1}},
    {"entity": "thing", "email": "email", "overall": "stars"},
)


@dataclass
class WordImports:
    """Implements Imports: an address or a thing says what goes wrong with it."""

    site_id: int
    reason: str = "invalid_request"
    taken: list[str] = field(default_factory=list)

    def find_people(self, ratings: Sequence[RatingRow]) -> None:
        if any(rating.email.startswith("refused") for rating in ratings):
            raise Permanent("no such filter", reason=self.reason)

    def key_of(self, rating: RatingRow) -> RatingKey:
        if rating.email.startswith("odd"):
            raise LookupError("nobody has foreseen this")
        return RatingKey(self.site_id, 1, f"{rating.email}/{rating.entity.entity_id}")

    def is_erased(self, email: str) -> bool:
        return email.startswith("erased")

    def import_rating(self, key: RatingKey, rating: RatingRow) -> ImportResult:
        if key.contact_id.endswith("/odd"):
            raise ArithmeticError("nor this")
        self.taken.append(key.contact_id)
        return ImportResult("created")


def run(
    path: Path,
    imports: WordImports,
    lines: Sequence[str],
    begin: Begin = lambda rows: (),
    tell: Callable[[str], None] = lambda what: None,
) -> tuple[FileImport, str]:
    path.write_text("\n".join(["thing,email,stars", *lines]) + "\n")
    with RatingFile(path) as source:
        rejected = RejectedFile(source)
        reading = reading_of(FORMAT, source.places(FORMAT, ()), a_site())
        work = FileImport(
            a_site(), imports, reading, rejected, lambda call, sleep: call(), Pauses()
        )
        work.begin = begin
        work.tally.tell = lambda row, what, result: tell(what)
        try:
            work.run(source.rows(), 2, lambda rows, counts: None)
        finally:
            rejected.close()
    return work, rejected.path.read_text() if rejected.path else ""


def test_row_that_goes_wrong_takes_no_other_along(tmp_path: Path) -> None:
    imports = WordImports(1)
    lines = [
        *("a,one@x.example,5", "b,refused@x.example,5", "c,odd@x.example,5", "odd,two@x.example,5"),
        *('"d,three@x.example,5', "e,four@x.example,9", "f,five@x.example,4"),
    ]
    work, rejected = run(tmp_path / "r.csv", imports, lines)
    assert sorted(imports.taken) == ["five@x.example/f", "one@x.example/a"]
    assert work.counts == {"created": 2, "rejected": 5}
    told = {line.split(",")[0]: line for line in rejected.splitlines()[1:]}
    assert sorted(told) == ["3", "4", "5", "6", "7"]
    assert "invalid_request: Wix does not look up this address" in told["3"]
    assert "unexpected error: LookupError: nobody has foreseen this" in told["4"]
    assert "unexpected error: ArithmeticError: nor this" in told["5"]
    assert "a quotation mark is opened and never closed" in told["6"]


def test_refusal_that_concerns_every_row_stops_the_run(tmp_path: Path) -> None:
    imports = WordImports(1, reason="unauthorized")
    with pytest.raises(Permanent):
        run(tmp_path / "r.csv", imports, ["a,refused@x.example,5"])


def test_rejected_rows_that_cannot_be_written_are_told_of(tmp_path: Path) -> None:
    name = "r" * 245 + ".csv"  # with the ending of a rejected file no name of a file any more
    with pytest.raises(Misconfigured, match="the rejected rows cannot be written beside it"):
        run(tmp_path / name, WordImports(1), ["a,one@x.example,9"])


@dataclass
class Leaves:
    """What begins rows together: some come too late for it, each time that they are asked for."""

    late: set[str]
    chunks: list[int] = field(default_factory=list)

    def begin(self, rows: Sequence[tuple[RatingKey, RatingRow]]) -> list[RatingKey]:
        self.chunks.append(len(rows))
        return [key for key, _ in rows if key.contact_id in self.late]


def test_row_that_comes_late_is_begun_with_the_next_ones(tmp_path: Path) -> None:
    imports, leaves = WordImports(1), Leaves({"p3@x.example/a", f"p{CHUNK}@x.example/a"})
    lines = [f"a,p{number}@x.example,5" for number in range(CHUNK + 1)]
    work, _ = run(tmp_path / "r.csv", imports, lines, leaves.begin)
    # The first goes with the second chunk, of which one more comes late: it is begun alone.
    assert leaves.chunks == [CHUNK, 2, 1]
    # Late a second time, it is imported by itself.
    assert work.counts == {"created": CHUNK + 1}
    assert len(set(imports.taken)) == len(imports.taken) == CHUNK + 1
    places = [imports.taken.index(name) for name in sorted(leaves.late)]
    assert min(places) >= CHUNK - 1


def test_rows_that_all_come_late_are_each_imported_once(tmp_path: Path) -> None:
    names = [f"p{number}@x.example/a" for number in range(2 * CHUNK)]
    imports, leaves = WordImports(1), Leaves(set(names))
    lines = [f"a,p{number}@x.example,5" for number in range(2 * CHUNK)]
    work, _ = run(tmp_path / "r.csv", imports, lines, leaves.begin)
    assert work.counts == {"created": 2 * CHUNK}
    assert sorted(imports.taken) == sorted(names)


def test_what_is_in_hand_as_a_run_stops_is_told_of(tmp_path: Path) -> None:
    """Rows behind the one that stops it may be on Wix by then: they are counted, too."""
    imports, told = Stops(1), list[str]()
    lines = ["a,one@x.example,5", "stop,two@x.example,5", "a,three@x.example,5"]
    with pytest.raises(Misconfigured, match="stopped at line 3: nobody is let in"):
        run(tmp_path / "r.csv", imports, lines, tell=told.append)
    assert sorted(imports.taken) == ["one@x.example/a", "three@x.example/a"]
    assert told == ["created", "created"]


class Stops(WordImports):
    """One thing is refused for all."""

    def import_rating(self, key: RatingKey, rating: RatingRow) -> ImportResult:
        if key.contact_id.endswith("/stop"):
            raise Permanent("nobody is let in", reason="unauthorized")
        return super().import_rating(key, rating)
