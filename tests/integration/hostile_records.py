"""Records with a hostile value in one place, as a door gets and as a stand-in holds them."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from simplejson import RawJSON
from sqlalchemy import delete, select

from sync_worker.core.values import Contact, EntityRef
from sync_worker.ledger.tables import inbox
from tests.hostile import DEPTH, IDS, MARKUP, NUMBERS, WORDS
from tests.integration.counted_bench import VISITOR, Bench

CPU_SECONDS = 2.0  # of one throw, on this thread: what a delivery may use
ENDED = ("done", "suppressed", "superseded", "held")

ANYTHING = {**NUMBERS, **WORDS, **MARKUP, **DEPTH}
EXTERNAL_PLACES: Mapping[str, Mapping[str, str]] = {
    "event_id": IDS,
    "id": IDS,
    "version": NUMBERS,
    "subject": IDS,
    "email": WORDS,
    "name": WORDS,
    "score": NUMBERS,
    "visibility": WORDS,
    "text": {**WORDS, **MARKUP},
    "created": {**NUMBERS, **WORDS},
    "aspects": ANYTHING,
    "more": ANYTHING,
}
WIX_PLACES: Mapping[str, Mapping[str, str]] = {
    "event_id": IDS,
    "id": IDS,
    "time": {**NUMBERS, **WORDS},
    "sequence": NUMBERS,
    "revision": NUMBERS,
    "value": NUMBERS,
    "attribute": WORDS,
    "entity": IDS,
    "group": WORDS,
    "contact": IDS,
    "more": ANYTHING,
}


@contextmanager
def little_time(what: str, most_seconds: float = CPU_SECONDS) -> Iterator[None]:
    before = time.thread_time()
    yield
    used = time.thread_time() - before
    assert used < most_seconds, f"{what}: {used:.1f} s"


def external_record(place: str, value: str, number: str) -> str:
    """A record of the stand-in as JSON, with a hostile value in one place."""
    said = {
        "id": json.dumps(f"r{number}"),
        "version": "1",
        "subject": '"SKU-1"',
        "email": '"ada@example.com"',
        "name": '"Ada"',
        "score": "4",
        "visibility": '"public"',
        "text": '"good"',
        "created": '"2026-01-01T00:00:00Z"',
        "aspects": "[]",
        "more": "null",
    }
    said |= {place: value} if place in said else {}
    return (
        '{{"id": {id}, "version": {version}, "subject": {{"id": {subject}}}, "author": {{"email":'
        ' {email}, "display_name": {name}}}, "score": {score}, "visibility": {visibility}, "text":'
        ' {text}, "headline": null, "created": {created}, "modified": "2026-01-01T00:00:00Z",'
        ' "aspects": {aspects}, "origin": null, "more": {more}}}'
    ).format(**said)


def wix_rating(bench: Bench, place: str, value: str, number: str) -> str:
    said = {
        "id": json.dumps(f"w{number}"),
        "revision": '"1"',
        "value": "80",
        "attribute": '"overall"',
        "entity": '"beans"',
        "group": '"stores"',
        "contact": json.dumps(bench.ada),
        "more": "null",
    }
    said |= {place: value} if place in said else {}
    return (
        '{{"id": {id}, "revision": {revision}, "namespace": "reviews", "group": {group},'
        ' "entityId": {entity}, "attributeName": {attribute}, "value": {value}, "owner":'
        ' {{"contactId": {contact}}}, "createdDate": "2026-01-01T00:00:00Z", "more": {more}}}'
    ).format(**said)


def posted(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """The status, as a sender sees it who tries again when told so: a busy machine may be late."""
    status = 503
    for _ in range(5):
        request = urllib.request.Request(url, body, dict(headers), method="POST")  # noqa: S310 - ours
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - so is this
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                status = error.code
        if status != 503:
            return status
        time.sleep(1.0)
    return status


def work_off(bench: Bench, what: str) -> None:
    """Every delivery that was rung for, each within its processor time."""
    while bench.bell.rung:
        inbox_id = bench.bell.rung.pop(0)
        with little_time(f"{what}: delivery {inbox_id}"):
            bench.intake.process(inbox_id)


def unseen(bench: Bench) -> list[Any]:
    """Deliveries that neither ended nor say what they wait for."""
    is_open = inbox.c.state.not_in(ENDED) & (inbox.c.reason == "")
    with bench.wiring.ledger.engine.connect() as connection:
        return list(connection.execute(select(inbox.c.id, inbox.c.remote_id).where(is_open)))


def clear_away(bench: Bench) -> None:
    """What ended or says what it waits for: a crowd that waits for one rating costs each that comes
    a look at all of them.
    """
    assert unseen(bench) == []
    with bench.wiring.ledger.engine.begin() as connection:
        connection.execute(delete(inbox))


def has_crossed(bench: Bench) -> bool:
    """Whether a rating by somebody else, of something else, is outside now."""
    mappings = bench.wiring.admin.mappings
    mappings.import_entities(
        bench.site, [(EntityRef("tea", "stores", "reviews"), EntityRef("SKU-TEA"))]
    )
    zoe = str(bench.box.wix.add_contact("zoe@example.com", "Zoe")["id"])
    mappings.import_contacts(bench.site, [Contact(zoe, "zoe@example.com")])
    rating = {
        "namespace": "reviews",
        "group": "stores",
        "entityId": "tea",
        "attributeName": "overall",
        "value": 60,
        "owner": {"contactId": zoe},
    }
    bench.box.wix.create_rating(rating, VISITOR)
    bench.drain()
    records = bench.box.reviews.ratings.values()
    return [one["score"] for one in records if one["subject"]["id"] == "SKU-TEA"] == [3]


def held_outside(place: str, value: str, number: int) -> Any:
    """A record as the stand-in holds it, which sends the hostile value as it stands."""
    return with_value(json.loads(external_record(place, '"@"', str(number))), value)


def with_value(part: Any, value: str) -> Any:
    match part:
        case dict():
            return {name: with_value(inside, value) for name, inside in part.items()}
        case "@":
            return RawJSON(value)
        case _:
            return part


def door_of(bench: Bench) -> str:
    url = bench.box.reviews.webhooks.url
    assert url is not None
    return url.partition("/webhooks")[0]
