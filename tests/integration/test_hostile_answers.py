"""Hostile values where a side answers, or a person gives a file: catalogues, contacts, reviews of
Wix, accounts. Over real HTTP, by the list of ``tests/hostile.py``.

Whatever is thrown ends as a value or as a refusal of ours in words, within the processor time of
one delivery; and what stands beside it is read.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sync_worker.core.errors import SyncError
from sync_worker.core.ports.catalogue import Catalogue
from sync_worker.core.values import Record
from sync_worker.files.proposals import propose_entities, read_catalogue
from sync_worker.files.rows import BadFile
from sync_worker.remotes.external.catalogue import catalogue_of
from sync_worker.remotes.external.http import http_of
from sync_worker.remotes.http.authorization import FixedHeaders
from sync_worker.remotes.http.budget import NoBudget
from sync_worker.remotes.http.client import RemoteHttp
from sync_worker.remotes.http.options import HttpOptions
from sync_worker.remotes.http.tokens import OwnTokens
from sync_worker.remotes.http.waits import Waits
from sync_worker.remotes.wix.answers import error_code
from sync_worker.remotes.wix.api import WixApi
from sync_worker.remotes.wix.catalogue import V1, V3, wix_catalogue
from sync_worker.remotes.wix.people import WixPeople
from sync_worker.remotes.wix.reviews import WixReviews
from tests.hostile import DEPTH, IDS, NUMBERS, WORDS, in_a_cell
from tests.integration.hostile_records import CPU_SECONDS, little_time, posted
from tests.integration.remote_server import RemoteServer, Reply, always
from tests.integration.reviews_client import a_draft
from tests.integration.small_connector import a_manifest
from tests.integration.test_account_commands import Shell, shell
from tests.integration.test_reviews_both_ways import Shop, shop
from tests.unit.signed import APP_ID, a_review, a_review_event

__all__ = ["shell", "shop"]  # fixtures

EMAIL = "ada@example.com"
GOOD = "good"


def thrown(part: Mapping[str, Any], place: str, values: Mapping[str, str]) -> list[bytes]:
    """The part as JSON, each time with a hostile value as it stands in one place (``a.b``)."""
    marked = json.loads(json.dumps(part))
    *way, last = place.split(".")
    inside = marked
    for name in way:
        inside = inside[int(name) if name.isdigit() else name]
    inside[last] = "@"
    return [json.dumps(marked).replace('"@"', value).encode() for value in values.values()]


def listed(name: str, good: Mapping[str, Any], rows: list[bytes], more: str = "") -> Reply:
    """A page of the good row and the others."""
    text = b", ".join([json.dumps(good).encode(), *rows])
    return Reply(raw=f'{{{more}"{name}": ['.encode() + text + b"]}")


def wix(server: RemoteServer) -> WixApi:
    waits = Waits(tries=1)
    options = HttpOptions(allow_private_hosts=True, code_of=error_code, waits=waits)
    return WixApi(
        RemoteHttp(
            server.url,
            remote="wix",
            authorization=FixedHeaders({}),
            budget=NoBudget(),
            options=options,
        )
    )


# -- catalogues


OF_V1 = {"id": "p", "sku": "s", "name": "Mug", "productPageUrl": {"base": "b", "path": "/p"}}
OF_V3 = {
    "id": "p",
    "name": "Mug",
    "url": {"url": "https://a.example/p"},
    "variantSummary": {"variantCount": 1, "minPriceVariant": {"sku": "s"}},
    "media": {"main": {"image": {"url": "https://a.example/p.png"}}},
}
OUTSIDE = {"id": "p", "sku": "s", "name": "Mug", "image": "https://a.example/p.png"}
OTHER_KINDS = ("true", "null", "a list", "an object", "over 64 bits", "huge exponent")
# Where an object or a list is due, or nobody reads it.
ANYTHING = {**DEPTH, **{name: NUMBERS[name] for name in OTHER_KINDS}}


def wix_pages(server: RemoteServer, version: str) -> Catalogue:
    pages = wix_catalogue(wix(server))
    return Catalogue(lambda cursor: pages.page(cursor or f"{version}:"), pages.place)


def pages_outside(server: RemoteServer) -> Catalogue:
    columns = {name: name for name in OUTSIDE}
    listed = {"method": "GET", "path": "/p", "items_path": "rows", **columns}
    manifest = a_manifest(server, operations__catalogue=listed)
    return catalogue_of(manifest, http_of(manifest, NoBudget(), OwnTokens()))


TEXTS = {"sku": IDS, "name": WORDS}
# How it is opened, what its page is called, a row, and what is thrown where.
System = tuple[Callable[[RemoteServer], Catalogue], str, Mapping[str, Any], Mapping[str, Any]]
SYSTEMS: dict[str, System] = {
    "V1": (
        lambda server: wix_pages(server, V1),
        "products",
        OF_V1,
        {"id": {**IDS, **NUMBERS}, "productPageUrl": ANYTHING, **TEXTS},
    ),
    "V3": (
        lambda server: wix_pages(server, V3),
        "products",
        OF_V3,
        {"id": IDS, "variantSummary.minPriceVariant.sku": IDS, "media": ANYTHING},
    ),
    "outside": (pages_outside, "rows", OUTSIDE, {"id": {**IDS, **ANYTHING}, **TEXTS}),
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_hostile_product_takes_no_other_along(server: RemoteServer, system: str) -> None:
    opened, name, part, places = SYSTEMS[system]
    catalogue = opened(server)
    for place, values in places.items():
        rows = thrown(part, place, values)
        server.answer = always(listed(name, {"id": GOOD}, rows, '"totalResults": 1, '))
        with little_time(place):
            page = catalogue.page(None)
            items = [item for item in page.items if not item.problem]
            propose_entities(items, items)
        assert page.items[0].id == GOOD, place
        assert len(page.items) + page.unreadable == 1 + len(rows), place


def test_hostile_cell_of_a_catalogue_file_takes_no_other_along(tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    good = ["p", "s", "Mug"]
    for column in range(len(good)):
        for name, value in {**NUMBERS, **IDS}.items():
            cells = list(good)
            cells[column] = in_a_cell(value)
            with path.open("w", newline="", encoding="utf-8", errors="surrogatepass") as file:
                csv.writer(file).writerows([["id", "sku", "name"], [GOOD, "", ""], cells])
            with little_time(name), suppress(BadFile):
                items = read_catalogue(path)
                propose_entities(items, items)
                assert items[0].id == GOOD


# -- contacts


CONTACT = {
    "id": "c-1",
    "createdDate": "2026-01-01T00:00:00Z",
    "info": {
        "name": {"first": "Ada", "last": "L"},
        "emails": {"items": [{"email": EMAIL, "primary": True}]},
    },
    "primaryInfo": {"email": EMAIL},
}
OF_A_CONTACT = {
    "id": IDS,
    "info": ANYTHING,
    "info.name.first": WORDS,
    "info.emails.items": ANYTHING,
    "info.emails.items.0.email": WORDS,
    "primaryInfo.email": WORDS,
    "createdDate": ANYTHING,
}


@pytest.mark.full
def test_hostile_contact_takes_no_other_along(server: RemoteServer) -> None:
    """And one that is asked for by its id, or made, is a contact of ours or a refusal."""
    people = WixPeople(wix(server))
    for place, values in OF_A_CONTACT.items():
        rows = thrown(CONTACT, place, values)
        server.answer = always(listed("contacts", CONTACT | {"id": GOOD}, rows))
        with little_time(place):
            assert GOOD in {one.contact_id for one in people.matches([EMAIL])[EMAIL]}, place
            assert GOOD in people.by_ids([GOOD]), place
        # Where all of an answer is read, and not one text of it.
        for row in rows if values is ANYTHING else ():
            server.answer = always(Reply(raw=b'{"contact": ' + row + b"}"))
            with little_time(place), suppress(SyncError):
                people.by_id("c-1")
    for row in thrown(CONTACT, "id", IDS):
        server.answer = always(Reply(raw=b'{"contact": ' + row + b"}"))
        with little_time("create"), suppress(SyncError):
            people.create(EMAIL, "Ada")


# -- reviews of Wix


OF_A_REVIEW = {
    "id": IDS,
    "revision": NUMBERS,
    "entityId": WORDS,
    "content": ANYTHING,
    "content.rating": NUMBERS,
    "content.title": WORDS,
    "content.media": DEPTH,
    "author": ANYTHING,
    "author.contactId": WORDS,
    "reviewDate": NUMBERS,
    "moderation": ANYTHING,
    "origin": ANYTHING,
    "reply": ANYTHING,
}


@pytest.mark.full
def test_hostile_review_of_wix_is_read_or_refused(server: RemoteServer) -> None:
    """In a listing, by its id and as the answer to a write."""
    reviews = WixReviews(wix(server), APP_ID)
    for place, values in OF_A_REVIEW.items():
        rows = thrown(a_review(), place, values)
        server.answer = always(listed("reviews", a_review(id=GOOD), rows))
        with little_time(place):
            page = reviews.list_page(None)
        assert GOOD in {record.remote_id for record in page.records}, place
        assert len(page.records) + page.unreadable == 1 + len(rows), place
        for row in rows if values is ANYTHING else ():
            server.answer = always(Reply(raw=b'{"review": ' + row + b"}"))
            with little_time(place), suppress(SyncError):
                check(reviews.get("review-1"))
    for row in thrown(a_review(), "content.rating", NUMBERS):
        server.answer = always(Reply(raw=b'{"review": ' + row + b"}"))
        with little_time("create"), suppress(SyncError):
            check(reviews.create(a_draft(), "k"))


def check(record: Record | None) -> None:
    assert record is not None
    assert all(isinstance(value, Decimal) for value in record.values.values())


TOLD = {
    "id": IDS,
    "revision": NUMBERS,
    "content": ANYTHING,
    "content.rating": NUMBERS,
    "author.contactId": WORDS,
}


@pytest.mark.full
@pytest.mark.usefixtures("ledger_at_home")
@pytest.mark.any_redis
def test_hostile_webhook_of_a_review_stops_nobody(shop: Shop) -> None:
    """What is signed is stored, unless it is too large, and comes to an end of its own."""
    told = shop.box.reviews.webhooks.url
    assert told is not None
    url, number = f"{told.partition('/webhooks')[0]}/webhooks/wix", 0
    for place, values in TOLD.items():
        for review in thrown(a_review(author={"contactId": shop.ada}), place, values):
            number += 1
            event = a_review_event("created", id=f"e{number}", createdEvent={"entity": "@"})
            data = json.dumps(event | {"entityId": f"r{number}"}).replace('"@"', review.decode())
            envelope = {"instanceId": shop.box.wix.instance_id, "eventType": "x", "data": data}
            body = shop.box.wix.signed(envelope)
            assert posted(url, body, {}) == (200 if len(body) < 262_144 else 413), place
        before = time.thread_time()
        shop.work_off()
        assert time.thread_time() - before < CPU_SECONDS * len(values), place
        assert shop.wiring.ledger.inbox.count_open() == 0, place
    assert shop.writes_on_wix(4)["POST /v1/ratings"] == 1


# -- accounts, as a shell gives them

KNOWN = {**NUMBERS, **IDS}


@pytest.mark.full
def test_hostile_value_of_an_account_is_refused_by_name(shell: Shell) -> None:
    """Given in a file; what is kept is shown, and is no value of another name."""
    added = shell.add()
    file = shell.folder / "values.json"
    some = ("long whole number", "huge exponent", "high surrogate", "NUL", "very long", "a path")
    values = {**DEPTH, **{name: KNOWN[name] for name in some}}
    for name, value in values.items():
        file.write_text(json.dumps({"base_url": "@"}).replace('"@"', value), encoding="utf-8")
        status, _, said = shell.run("account", "set", added["account"], "--values", str(file))
        assert status == 1, name
        assert "unforeseen" not in said, (name, said)
        assert "base_url" in said or "--values" in said, (name, said)
        assert len(said) < 1_000, name
    assert shell.told("account", "show", added["account"])["settings"] == added["settings"]
