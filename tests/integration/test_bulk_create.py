"""Many reviews in few calls: a file and a baseline into Wix Reviews, over real HTTP."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from flask import Response
from redis import Redis

from sync_sandbox.server import Sandbox, SandboxOptions
from sync_worker.config import load_settings
from sync_worker.core.errors import Transient
from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import Contact, EntityRef, RatingKey, Side, Site, WixKind
from sync_worker.import_export.file_format import format_of
from sync_worker.import_export.file_import import FileImport, Pauses
from sync_worker.import_export.head_starts import begin_together
from sync_worker.import_export.importing import Importer, RatingRow
from sync_worker.import_export.rating_files import RatingFile, RejectedFile
from sync_worker.import_export.row_reading import reading_of
from sync_worker.ledger.imports.files import SqlImportFiles
from sync_worker.manifest.default_field import default_field
from sync_worker.reconcile.pace import Pace
from sync_worker.remotes.gathering import results_together
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from sync_worker.runtime.waiting import patiently
from sync_worker.services.access.who import Role, Who
from sync_worker.services.imports.choosing import Choice
from sync_worker.services.imports.imports import Imports
from sync_worker.wiring import Wiring
from sync_worker.wiring.sweeps import NoBell

pytestmark = [pytest.mark.usefixtures("ledger_at_home"), pytest.mark.any_redis]

BULK, QUERY = "POST /reviews/v1/bulk/reviews/create", "POST /reviews/v1/reviews/query"
ONE = "POST /reviews/v1/reviews"
WRITTEN = datetime(2025, 3, 4, tzinfo=UTC)
MUG = EntityRef("mug", "stores", "reviews")


@dataclass
class Bench:
    """A site of Wix Reviews with a product, and people in the maps."""

    box: Sandbox
    wiring: Wiring
    site: Site
    people: list[str] = field(default_factory=list)
    words: dict[str, str] = field(default_factory=dict)

    def add_people(self, count: int) -> None:
        pairs = []
        for number in range(count):
            email = f"person{number}@example.com"
            contact_id = str(self.box.wix.add_contact(email, f"Person {number}")["id"])
            self.people.append(contact_id)
            pairs.append(Contact(contact_id, email))
        self.wiring.admin.mappings.import_contacts(self.site, pairs)

    def importer(self) -> Importer:
        connection = self.wiring.remotes.connect_patiently(self.site, time.sleep)
        intake = replace(self.wiring.intake(NoBell()), connect=lambda site: connection)
        return Importer(intake.engine, connection, self.site)

    def rows(self, importer: Importer) -> list[tuple[RatingKey, RatingRow]]:
        rows: list[tuple[RatingKey, RatingRow]] = []
        for number in range(len(self.people)):
            values = {"overall": Decimal(1 + number % 5)}
            email = f"person{number}@example.com"
            row = RatingRow(MUG, Side.WIX, email, "Ana", values, self.words, WRITTEN)
            key = importer.key_of(row)
            assert isinstance(key, RatingKey)
            rows.append((key, row))
        return rows

    def import_all(self, importer: Importer) -> Counter[str]:
        rows = self.rows(importer)
        begin_together(importer, rows)

        def work(row: tuple[RatingKey, RatingRow]) -> str:
            for _ in range(20):
                try:
                    return importer.import_rating(*row).what
                except Transient:
                    time.sleep(0.05)
            raise AssertionError("it did not end")

        with ThreadPoolExecutor(8) as pool:
            return Counter(pool.map(work, rows))

    def import_file(self, path: Path, **more: str) -> dict[str, int]:
        """As the command does it; ``more``: columns."""
        importer, pauses = self.importer(), Pauses()
        columns = {"entity": "product", "email": "who", "overall": "stars"}
        columns |= {"title": "headline", "body": "text", **more}
        form = format_of({}, columns, scale=("1", "5", "1"), entity_of="wix")
        with RatingFile(path) as source:
            reading = reading_of(form, source.places(form, set(columns)), self.site)
            rejected = RejectedFile(source)
            work = FileImport(self.site, importer, reading, rejected, patiently, pauses)
            work.begin = partial(begin_together, importer)
            work.run(source.rows(), 8, lambda rows, counts: None)
            rejected.close()
        return work.counts

    def import_files(self) -> None:
        """As workers go on with what was sent."""
        while (slices := self.wiring.import_slices()) is not None:
            slices.work_on(45.0)

    def calls(self) -> dict[str, int]:
        """Of reviews."""
        return {name: n for name, n in self.box.wix.calls.items() if "/reviews/" in name}

    def stars(self) -> list[int]:
        return sorted(one["content"]["rating"] for one in self.box.wix.reviews.by_id.values())

    def outside(self) -> int:
        return len(self.box.reviews.ratings)

    def open_intents(self) -> int:
        from sqlalchemy import func, select

        from sync_worker.ledger.tables import intent

        with self.wiring.ledger.engine.connect() as connection:
            asked = select(func.count()).where(intent.c.state == "open")
            return int(connection.execute(asked).scalar_one())


@pytest.fixture
def bench(tmp_path: Path, redis: Redis, redis_server: EmbeddedRedis) -> Iterator[Bench]:
    with Sandbox(SandboxOptions(rate_per_minute=None)) as box:
        settings = box.settings() | {
            "RATINGS_SYNC_HOME": str(tmp_path),
            "REDIS_URL": redis_server.url,
            "WIX_BUDGET_PER_MINUTE": "60000",
            "WIX_BUDGET_CAPACITY": "1000",
        }
        wiring = Wiring(load_settings(settings), settings)
        manifest = wiring.manifests["own-service"]
        site, _ = wiring.admin.sites.add(
            box.wix.instance_id,
            manifest.id,
            [default_field(manifest, WixKind.REVIEWS)],
            wix_api=WixKind.REVIEWS,
        )
        wiring.admin.mappings.import_entities(site, [(MUG, EntityRef("MUG"))])
        yield Bench(box, wiring, site)
        wiring.close()


def stars_of(count: int) -> list[int]:
    return sorted(1 + number % 5 for number in range(count))


@pytest.mark.full
def test_rows_of_a_file_are_created_a_hundred_in_a_call(bench: Bench) -> None:
    bench.add_people(130)
    assert bench.import_all(bench.importer()) == {"created": 130}
    assert bench.calls() == {BULK: 2}
    assert bench.stars() == stars_of(130)
    assert (bench.outside(), bench.open_intents()) == (130, 0)
    # Each has its own lines, as single writes have.
    lines = [line.entry for line in bench.wiring.admin.questions.history(limit=1_000)]
    assert Counter((str(one.what), str(one.side)) for one in lines) == {
        ("create", "wix"): 130,
        ("create", "external"): 130,
    }
    # A second import of the same file writes nothing.
    assert bench.import_all(bench.importer()) == {"there": 130}
    assert bench.calls() == {BULK: 2}


@pytest.mark.full
@pytest.mark.parametrize(
    ("reviews", "most_calls"),
    [(300, 3), pytest.param(10_000, 105, marks=[pytest.mark.long, pytest.mark.timeout(1800)])],
)
def test_file_of_many_reviews_takes_few_calls_to_wix(
    bench: Bench, tmp_path: Path, reviews: int, most_calls: int
) -> None:
    """Counted are all calls to Wix but for its token; nobody is looked up who is in the maps.

    What comes too late for its call goes out with the next one. Ten thousand take ten minutes.
    """
    bench.add_people(reviews)
    bench.box.wix.calls.clear()
    path = written_file(tmp_path, reviews)
    assert bench.import_file(path) == {"created": reviews}
    calls = Counter(bench.box.wix.calls)
    del calls["POST /oauth2/token"]
    assert sum(calls.values()) <= most_calls, calls
    assert bench.stars() == stars_of(reviews)
    assert (bench.outside(), bench.open_intents()) == (reviews, 0)


def written_file(folder: Path, reviews: int) -> Path:
    path = folder / "reviews.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("product,who,stars,headline,text\n")
        for number in range(reviews):
            file.write(f"mug,person{number}@example.com,{1 + number % 5},Number {number},Fine\n")
    return path


@pytest.mark.full
@pytest.mark.parametrize(
    ("reviews", "most_calls"),
    [(300, 4), pytest.param(10_000, 120, marks=[pytest.mark.long, pytest.mark.timeout(2400)])],
)
def test_workers_import_a_sent_file_in_as_few_calls(
    bench: Bench, tmp_path: Path, reviews: int, most_calls: int
) -> None:
    """In slices of 45 seconds; each may end with a call that is not full."""
    bench.add_people(reviews)
    who, files = Who("grace", Role.ADMIN), SqlImportFiles(bench.wiring.admin.transactions)
    imports = Imports(bench.wiring.admin, files, bench)
    columns = {"entity": "product", "email": "who", "overall": "stars"}
    columns |= {"title": "headline", "body": "text"}
    choice = Choice(None, columns, ("1", "5", "1"), entity_of="wix")
    sent = imports.send(who, bench.site.id, written_file(tmp_path, reviews), choice)
    imports.look(who, bench.site.id, sent.id)
    bench.import_files()
    imports.run(who, bench.site.id, sent.id, reviews)
    bench.box.wix.calls.clear()
    bench.import_files()
    assert imports.one(who, bench.site.id, sent.id).file.counts == {"created": reviews}
    calls = Counter(bench.box.wix.calls)
    del calls["POST /oauth2/token"]
    assert sum(calls.values()) <= most_calls, calls
    assert bench.stars() == stars_of(reviews)
    assert (bench.outside(), bench.open_intents()) == (reviews, 0)


def test_words_and_days_of_a_file_go_along_a_hundred_in_a_call(bench: Bench) -> None:
    bench.words = {"title": "Don't", "body": "two\nlines \U0001f600"}
    bench.add_people(12)
    assert bench.import_all(bench.importer()) == {"created": 12}
    assert bench.calls() == {BULK: 1}
    reviews = list(bench.box.wix.reviews.by_id.values())
    assert {(one["content"]["title"], one["content"]["body"]) for one in reviews} == {
        ("Don't", "two\nlines \U0001f600")
    }
    assert {(one["author"]["authorName"], one["reviewDate"][:10]) for one in reviews} == {
        ("Ana", "2025-03-04")
    }
    outside = bench.box.reviews.ratings.values()
    assert {(one["headline"], one["text"]) for one in outside} == {tuple(bench.words.values())}


def strike(bench: Bench, moment: str, times: int) -> None:
    """So many bulk creates are answered with 503, before or after they were carried out."""
    left = [Response(status=503) for _ in range(times)]

    def watch(now: str, call: str) -> Response | None:
        return left.pop() if now == moment and call == BULK and left else None

    bench.box.wix.faults.watch = watch


def test_lost_answer_is_settled_by_one_query(bench: Bench) -> None:
    strike(bench, "done", 1)
    bench.add_people(12)
    assert bench.import_all(bench.importer()) == {"created": 12}
    assert bench.calls() == {BULK: 1, QUERY: 1}
    assert bench.stars() == stars_of(12)
    assert (bench.outside(), bench.open_intents()) == (12, 0)


def test_lost_request_makes_nothing_twice(bench: Bench) -> None:
    strike(bench, "arrived", 1)
    bench.add_people(12)
    assert bench.import_all(bench.importer()) == {"created": 12}
    assert bench.stars() == stars_of(12)
    assert (bench.outside(), bench.open_intents()) == (12, 0)


def test_row_that_is_refused_takes_no_other_along(bench: Bench) -> None:
    """Its own import tells what it is refused for."""
    bench.add_people(10)
    bench.box.wix.contacts.pop(bench.people[3])
    importer = bench.importer()
    rows = bench.rows(importer)
    begin_together(importer, rows)
    refused = []
    for number, row in enumerate(rows):
        try:
            assert importer.import_rating(*row).what == "created"
        except Exception as error:
            refused.append((number, str(error)))
    assert [number for number, _ in refused] == [3]
    assert "contact_unknown" in refused[0][1]
    assert len(bench.stars()) == 9


def test_review_that_is_there_already_is_adopted(bench: Bench) -> None:
    bench.add_people(5)
    visitor = {"identityType": "MEMBER", "memberId": "visitor"}
    review = {
        "namespace": "stores",
        "entityId": "mug",
        "author": {"contactId": bench.people[2]},
        "content": {"rating": 1},
    }
    bench.box.wix.reviews.create(review, visitor)
    assert bench.import_all(bench.importer()) == {"created": 4, "there": 1}
    assert len(bench.stars()) == 5


@pytest.mark.full
def test_baseline_from_outside_is_created_in_few_calls(bench: Bench) -> None:
    bench.add_people(120)
    for number in range(120):
        draft = {
            "subject": {"id": "MUG"},
            "author": {"email": f"person{number}@example.com", "display_name": "P"},
            "score": Decimal(1 + number % 5),
        }
        bench.box.reviews.create(draft, by="visitor")
    runs = bench.wiring.sweeps.runs
    sweep = runs.begin(bench.site.id, RunKind.BASELINE)
    assert sweep is not None
    with ThreadPoolExecutor(4) as pool:
        pace = Pace(
            time.sleep,
            lambda jobs: list(pool.map(lambda job: job(), jobs)),
            in_bulk=results_together,
        )
        run = bench.wiring.sweeps.reconcile(bench.site, sweep, pace, lambda planned: None)
        assert run.work()
    assert bench.stars() == stars_of(120)
    creates = {name: n for name, n in bench.calls().items() if name in (BULK, ONE)}
    assert creates == {BULK: 2}
    assert bench.open_intents() == 0
