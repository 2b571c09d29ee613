"""One hostile value stops nobody: all of ``tests/hostile.py``, thrown at every entrance.

Whatever is thrown, on either database: no traceback, no 5xx, no more processor time than one
delivery may use, and afterwards it is seen: as a row that ended or is held, as a counted row, or as
a refusal in words. And a rating by somebody else crosses.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from sync_worker.core.sweep_values import RunKind
from sync_worker.core.values import Change, NewDelivery, Side
from sync_worker.files.mapping_files import read_contacts, read_entities, read_fields
from sync_worker.files.rows import BadFile
from sync_worker.reconcile.pace import Pace
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from tests.commands import run_command
from tests.hostile import DEPTH, IDS, NUMBERS, WORDS, in_a_cell
from tests.integration.counted_bench import Bench, opened
from tests.integration.hostile_records import (
    EXTERNAL_PLACES,
    WIX_PLACES,
    clear_away,
    door_of,
    external_record,
    has_crossed,
    held_outside,
    little_time,
    posted,
    unseen,
    with_value,
    wix_rating,
    work_off,
)

CPU_SECONDS_OF_ALL = 30.0  # of hundreds at once, on a slow machine; one without a bound takes more
Thrower = Callable[[Bench, Path], None]


# -- the entrances


def external_door(bench: Bench, folder: Path) -> None:
    url, number = f"{door_of(bench)}/webhooks/external/own-service", 0
    for place, values in EXTERNAL_PLACES.items():
        for name, value in values.items():
            number += 1
            event_id = value if place == "event_id" else f'"e{number}"'
            record = external_record(place, value, f"9{number}")
            body = f'{{"event_id": {event_id}, "type": "rating.updated", "data": {record}}}'
            content = body.encode("utf-8")
            headers = bench.box.reviews.signed("unused", content)
            status = posted(url, content, headers)
            assert status in (200, 413, 422), (place, name, status)
            if place in ("name", "email", "text", "score", "subject") and len(content) < 262_144:
                assert status == 200, (place, name, "what is signed is stored")
            work_off(bench, f"{place}: {name}")
        clear_away(bench)


def wix_door(bench: Bench, folder: Path) -> None:
    url, number = f"{door_of(bench)}/webhooks/wix", 0
    for place, values in WIX_PLACES.items():
        for name, value in values.items():
            number += 1
            said = {
                "event_id": f'"e{number}"',
                "id": f'"w{number}"',
                "time": '"2026-01-01T00:00:00Z"',
                "sequence": '"1"',
            }
            said |= {place: value} if place in said else {}
            rating = wix_rating(bench, place, value, str(number))
            event = (
                '{{"id": {event_id}, "entityFqdn": "wix.ratings.v1.rating", "slug": "created",'
                ' "entityId": {id}, "eventTime": {time}, "entityEventSequence": {sequence},'
                ' "createdEvent": {{"entity": '
            ).format(**said) + f"{rating}}}}}"
            body = bench.box.wix.signed(
                {"instanceId": bench.box.wix.instance_id, "eventType": "x", "data": event}
            )
            status = posted(url, body, {})
            assert status in (200, 401, 413), (place, name, status)
            is_text = place in ("value", "revision", "contact", "group", "attribute")
            if is_text and len(body) < 262_144:
                assert status == 200, (place, name, "what is signed is stored")
            work_off(bench, f"{place}: {name}")
        clear_away(bench)


def answers(bench: Bench, folder: Path) -> None:
    """A record that a look by id shows, for a delivery that is a hint only."""
    number = 0
    for place, values in EXTERNAL_PLACES.items():
        if place in ("event_id", "id", "visibility"):  # the stand-in itself needs them
            continue
        for name, value in values.items():
            number += 1
            bench.box.reviews.ratings[f"r{number}"] = held_outside(place, value, number)
            hint = NewDelivery(
                Side.EXTERNAL, "own-service", f"h{number}", Change.UPSERT, f"r{number}", {}
            )
            bench.bell.ring([bench.wiring.ledger.inbox.store(hint).inbox_id])
            work_off(bench, f"{place}: {name}")
            del bench.box.reviews.ratings[f"r{number}"]
        clear_away(bench)


def listings(bench: Bench, folder: Path) -> None:
    """All of them in the listings of both sides: every row is counted, what is good crosses."""
    reviews, ratings = bench.box.reviews.ratings, bench.box.wix.ratings
    reviews.clear()
    for place in ("version", "subject", "email", "name", "score", "text", "created", "more"):
        for value in EXTERNAL_PLACES[place].values():
            if len(value) < 50_000:
                number = len(reviews) + 1
                reviews[f"r{number}"] = held_outside(place, value, number)
    for place in ("revision", "value", "attribute", "more"):
        for value in WIX_PLACES[place].values():
            if len(value) < 50_000:
                marked = json.loads(wix_rating(bench, place, '"@"', str(len(ratings) + 1)))
                ratings[marked["id"]] = with_value(marked, value)
    expected = {"external": len(reviews), "wix": len(ratings)}
    sweep = bench.wiring.sweeps.runs.begin(bench.site.id, RunKind.SWEEP)
    assert sweep is not None
    run = bench.wiring.sweeps.reconcile(
        bench.site, sweep, Pace(lambda seconds: None), lambda planned: None
    )
    with little_time("both listings", CPU_SECONDS_OF_ALL):
        assert run.list_both()
    assert run.confirm_absences()
    assert run.apply()
    counts = run.sweep.counts
    for side, count in expected.items():
        assert counts[f"unreadable_{side}"] > 10
        assert counts[f"listed_{side}"] + counts[f"unreadable_{side}"] == count
    reviews.clear()


def maps(bench: Bench, folder: Path) -> None:
    """Each value in each column; a file is taken whole, or refused in words."""
    admin = bench.wiring.admin
    entities = "wix_namespace,wix_group,wix_entity_id,external_group,external_entity_id"
    contacts = "wix_contact_id,email,external_author_id"
    fields = (
        "wix_attribute,external_field,wix_min,wix_max,wix_step,external_min,external_max,"
        "external_step,mapping"
    )
    good = {
        entities: ["reviews", "stores", "p1", "", "S1"],
        contacts: ["c1", "bob@example.com", ""],
        fields: ["taste", "taste", "0", "100", "1", "0", "10", "1", "span"],
    }
    take: Mapping[str, Callable[[Path], object]] = {
        entities: lambda path: admin.mappings.import_entities(bench.site, read_entities(path).rows),
        contacts: lambda path: admin.mappings.import_contacts(bench.site, read_contacts(path).rows),
        fields: lambda path: admin.fields.import_fields(
            bench.site, read_fields(path).rows, may_rescale=True
        ),
    }
    path = folder / "map.csv"
    for header, row in good.items():
        for column in range(len(row)):
            for name, value in {**NUMBERS, **IDS}.items():
                cells = list(row)
                cells[column] = in_a_cell(value)
                buffer = io.StringIO()
                csv.writer(buffer).writerows([header.split(","), cells])
                path.write_text(buffer.getvalue(), encoding="utf-8")
                what = f"{header.split(',')[column]}: {name}"
                with little_time(what), suppress(BadFile):
                    take[header](path)


def imports(bench: Bench, folder: Path) -> None:
    """Files of ratings, with one hostile cell in each row: every row is told of."""
    header = ["product", "email", "rating", "name", "state"]
    good = ["SKU-1", "ada@example.com", "4", "Ada", "published"]
    values = {**NUMBERS, **IDS, **WORDS}
    rows = [
        [in_a_cell(value) if place == column else cell for place, cell in enumerate(good)]
        for column in range(len(good))
        for value in values.values()
    ]
    with (folder / "r.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    lines = [
        "{"
        + ", ".join(
            f"{json.dumps(name)}: {value if name == column else json.dumps(cell)}"
            for name, cell in zip(header, good, strict=True)
        )
        + "}"
        for column in header
        for value in {**values, **DEPTH}.values()
    ]
    (folder / "r.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for file_name, count in (("r.csv", len(rows)), ("r.jsonl", len(lines))):
        done = command(
            bench,
            folder,
            *("import", file_name, "--scale", "1:5:1", "--published", "published", "--json"),
            *(word for name in PLACES_OF_A_FILE for word in ("--column", name)),
        )
        report = json.loads(done.stdout)
        told = sum(number for name, number in report.items() if name in COUNTED)
        assert told == count, (report, done.stderr)


PLACES_OF_A_FILE = ("entity=product", "email=email", "overall=rating", "name=name", "state=state")
COUNTED = ("created", "there", "deleted_since", "skipped", "rejected")


def arguments(bench: Bench, folder: Path) -> None:
    for words in (("held", "show"), ("history",), ("held", "--since"), ("status", "--site")):
        for name, value in {**NUMBERS, **IDS}.items():
            word = in_a_cell(value).replace("\0", "")[:10_000]
            done = command(bench, folder, *words, word)
            assert done.returncode in (0, 1, 2), (words, name, done.stderr)
            assert len(done.stderr) < 25_000, (words, name)


def command(bench: Bench, folder: Path, *words: str) -> Any:
    environ = {
        **bench.box.settings(),
        "RATINGS_SYNC_HOME": str(folder),
        "REDIS_URL": bench.wiring.settings.broker,
        "WIX_BUDGET_PER_MINUTE": "60000",
        "DATABASE_URL": bench.wiring.settings.database,
        "PATH": "/usr/bin:/bin",
    }
    done = run_command(words, folder, environ, 100)
    assert "Traceback" not in done.stderr, (words, done.stderr[-2000:])
    return done


ENTRANCES: Mapping[str, Thrower] = {
    "external door": external_door,
    "Wix door": wix_door,
    "answers": answers,
    "listings": listings,
    "maps": maps,
    "imports": imports,
    "arguments": arguments,
}


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("database", ["sqlite_url", "postgres_url"])
@pytest.mark.parametrize("entrance", ENTRANCES)
def test_hostile_value_stops_nobody(
    entrance: str,
    database: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    redis: Redis,
    redis_server: EmbeddedRedis,
) -> None:
    url = request.getfixturevalue(database)
    with opened(tmp_path, redis, redis_server, DATABASE_URL=url) as bench:
        ENTRANCES[entrance](bench, tmp_path)
        assert unseen(bench) == []
        assert has_crossed(bench)
