"""What is malformed is said with the key of the manifest, its path, and what stood there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sync_worker.core.errors import Permanent
from sync_worker.manifest.loader import parse_manifest
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.record_reader import read_details, read_record
from sync_worker.manifest.source.resolving import Placeholders
from tests.documents import document_of
from webhook_gateway.external import Unreadable, read_deliveries

TEXT = """
version: 1
id: ours
base_url: https://ratings.example.com
key: {id: {path: id}}
fields:
  entity: {path: product.id, required: true}
  value: {path: stars, as: decimal, required: true}
  email: {path: author.mail, as: email, required: true}
  revision: {path: version, as: int}
  created_at: {path: made, as: datetime}
attributes: {taste: marks.taste}
scale: {min: 1, max: 5}
operations:
  get: {method: GET, path: "/r/{key.id}"}
webhook:
  verify: [{type: url_token, secret: {env: TOKEN}}]
  event: {path: event}
  events: [{match: changed, change: upsert}]
  key: {id: review.id}
"""
GOOD = {
    "id": 7,
    "product": {"id": 22, "name": "Mug"},
    "stars": 4,
    "author": {"mail": "ada@example.com", "name": "Ada"},
    "version": 3,
    "made": "2026-11-20T09:15:00Z",
    "marks": {"taste": 5},
}


def a_manifest(**changes: Any) -> Manifest:
    document = document_of(TEXT)
    document["webhook"] |= changes
    return parse_manifest(document, Placeholders({"TOKEN": "t"}), Path("ours.yaml"))


def words_for(resource: Any) -> str:
    manifest = a_manifest()

    def read() -> None:
        read_record(manifest, resource)
        read_details(manifest, resource)

    with pytest.raises(Permanent) as refusal:
        read()
    assert refusal.value.reason == "malformed_record"
    return refusal.value.message


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        (
            {"ID": 7},
            "key.id: the key part 'id' is missing: nothing at `id`, the record has: ID",
        ),
        (
            GOOD | {"id": None},
            "key.id: the key part 'id' is missing: null at `id`",
        ),
        (
            GOOD | {"id": {"$oid": 1}},
            "key.id: the key part 'id' is missing: an object with: $oid at `id`",
        ),
        (
            GOOD | {"product": {"sku": 1, "name": "Mug"}},
            "fields.entity: nothing at `product.id`, `product` has: sku, name",
        ),
        (
            GOOD | {"product": 22},
            "fields.entity: nothing at `product.id`, `product` is a whole number",
        ),
        (
            GOOD | {"stars": "four"},
            "fields.value: 'four' is not a number, at `stars`",
        ),
        (
            {key: GOOD[key] for key in GOOD if key != "stars"},
            "fields.value: nothing at `stars`, the record has: id, product, author, version, made,"
            " marks",
        ),
        (
            GOOD | {"marks": {"taste": "good"}},
            "attributes.taste: 'good' is not a number, at `marks.taste`",
        ),
        (
            GOOD | {"version": "2026-11-20"},
            "fields.revision: '2026-11-20' is no whole number of at most 64 bits, at `version`",
        ),
        (
            GOOD | {"made": 1763630100},
            "fields.created_at: '1763630100' is no time (unit: iso8601), at `made`",
        ),
        ([GOOD], "a record is due, and there is a list of 1"),
        (7, "a record is due, and there is a whole number"),
    ],
)
def test_record_that_cannot_be_read_says_where_and_what(resource: Any, words: str) -> None:
    assert words_for(resource).startswith(words)


def test_nobody_s_words_are_in_a_message() -> None:
    """An address or a name is personal: of those only the kind is said."""
    message = words_for(GOOD | {"author": {"mail": {"of": "ada@example.com"}, "name": "Ada"}})
    assert message.startswith("fields.email: an object with: of at `author.mail`")
    assert "ada" not in message


@pytest.mark.parametrize(
    ("changes", "body", "words"),
    [
        (
            {},
            {"event": "changed", "reviewId": 7},
            "webhook.key.id: nothing at `review.id`, the event has: event, reviewId",
        ),
        (
            {"items_path": "keys", "key": {"id": "@"}},
            {"event": "changed", "keys": [None, 2]},
            "webhook.items_path: item 0 at `keys` is null, where an object or a key is due",
        ),
        (
            {"items_path": "data"},
            {"event": "changed", "keys": [1, 2]},
            "webhook.items_path: nothing at `data`, the event has: event, keys",
        ),
        (
            {"items_path": "keys"},
            {"event": "changed", "keys": {"a": 1}},
            "webhook.items_path: an object with: a at `keys`, where a list is due",
        ),
        ({}, [1], "a list of 1 is in the body, where an object is due"),
        (
            {"delivery_id": [{"header": "X-Id"}], "dedup": "drop_repeat"},
            {"event": "changed", "review": {"id": 7}},
            "webhook.delivery_id: nothing in the header X-Id",
        ),
    ],
)
def test_event_that_cannot_be_read_says_where_and_what(
    changes: dict[str, Any], body: Any, words: str
) -> None:
    reading = read_deliveries(
        a_manifest(**changes), json.dumps(body).encode(), {}, {"token": "t"}, 0
    )
    assert isinstance(reading, Unreadable)
    assert reading.reason == "malformed"
    assert reading.words.startswith(words)
