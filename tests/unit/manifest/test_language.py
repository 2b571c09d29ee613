"""Forms that real systems have: a name outside of the batch, bare keys, headers, two times."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import Record
from sync_worker.manifest.conditions import holds
from sync_worker.manifest.loader import parse_manifest
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.paging.incremental import newest_of, since_query
from sync_worker.manifest.schema.calls import Condition
from tests.documents import document_of
from webhook_gateway.external import Reading, read_deliveries

SECRET = "a-secret-of-the-flow-0123456789"
NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
BASE = """
version: 1
id: cms
base_url: https://cms.example.com
key: {id: {path: id}}
fields:
  entity: {path: product, required: true}
  email: {path: email, as: email}
  value: {path: stars, as: decimal}
  created_at: {path: date_created, as: datetime}
  updated_at: {path: date_updated, as: datetime}
scale: {min: 1, max: 5}
operations:
  list: {method: GET, path: /items/reviews, items_path: data}
  poll:
    every_s: 600
    incremental:
      params: ["filter[_or][0][date_created][_gte]", "filter[_or][1][date_updated][_gte]"]
      semantics: updated
webhook:
  verify: [{type: static_header, header: X-Flow-Secret, secret: {env: FLOW_SECRET}}]
  items_path: keys
  event: {path: event, at: request}
  events:
    - {match: reviews.items.create, change: upsert}
    - {match: reviews.items.delete, change: delete}
  key: {id: "@"}
"""


def a_manifest(**webhook: Any) -> Manifest:
    document = document_of(BASE)
    document["webhook"].update(webhook)
    return parse_manifest(document, {"FLOW_SECRET": SECRET}, Path("cms.yaml"))


def told(manifest: Manifest, body: Any, **headers: str) -> Reading:
    proof = {"X-Flow-Secret": SECRET, **headers}
    return read_deliveries(manifest, json.dumps(body).encode(), proof, {}, NOW.timestamp())


def changes(reading: Reading) -> Any:
    assert isinstance(reading, list), reading
    return [(delivery.change, delivery.remote_id) for delivery in reading]


def test_batch_of_bare_keys_is_read_with_the_name_beside_it() -> None:
    """As a Flow of Directus sends it; https://directus.io/docs/guides/automate/flows."""
    body = {"event": "reviews.items.create", "collection": "reviews", "keys": [1, "b2"]}
    assert changes(told(a_manifest(), body)) == [("upsert", "1"), ("upsert", "b2")]
    assert changes(told(a_manifest(), {**body, "event": "reviews.items.delete"})) == [
        ("delete", "1"),
        ("delete", "b2"),
    ]


@pytest.mark.parametrize("keys", [[True], [None], [1.5], [[1]], 7])
def test_item_that_is_no_key_is_malformed(keys: Any) -> None:
    reading = told(a_manifest(), {"event": "reviews.items.create", "keys": keys})
    assert type(reading).__name__ == "Unreadable"


def test_each_bare_key_has_its_own_id_of_the_delivery() -> None:
    manifest = a_manifest(
        delivery_id=[{"path": "uid", "at": "request"}], dedup="drop_repeat", payload="thin"
    )
    reading = told(manifest, {"uid": "d-1", "event": "reviews.items.create", "keys": [1, 2]})
    assert isinstance(reading, list)
    ids = [delivery.dedupe_id for delivery in reading]
    assert None not in ids
    assert len(set(ids)) == 2


@pytest.mark.parametrize(
    ("when", "headers", "is_read"),
    [
        ({"header": "X-Entry", "equals": "published"}, {"X-Entry": "published"}, True),
        ({"header": "X-Entry", "equals": "published"}, {"X-Entry": "draft"}, False),
        ({"header": "X-Entry", "equals": "published"}, {}, False),
        ({"path": "@", "equals": 1}, {}, True),
        ("@ == `1`", {}, True),
        ("@ == `2`", {}, False),
    ],
)
def test_event_counts_when_its_condition_holds(
    when: Any, headers: dict[str, str], is_read: bool
) -> None:
    rule = {"match": "reviews.items.create", "change": "upsert", "when": when}
    manifest = a_manifest(events=[rule])
    reading = told(manifest, {"event": "reviews.items.create", "keys": [1]}, **headers)
    assert isinstance(reading, list) == is_read


def test_condition_names_one_place() -> None:
    rule = {"match": "reviews.items.create", "change": "upsert", "when": {"equals": 1}}
    with pytest.raises(Misconfigured, match="needs exactly one of path, header"):
        a_manifest(events=[rule])


@pytest.mark.parametrize(
    ("equals", "header", "fits"),
    [("gone", " gone ", True), (410, "410", True), (True, "true", True), ("gone", None, False)],
)
def test_condition_compares_a_header_as_text(equals: Any, header: str | None, fits: bool) -> None:
    condition = Condition(header="X-State", equals=equals)
    headers = {} if header is None else {"x-state": header}
    assert holds(condition, None, headers) is fits


def a_record(created: str, updated: str | None) -> Record:
    raw = {"id": 1, "product": "p", "stars": 4, "date_created": created, "date_updated": updated}
    return Record("1", {}, raw=raw)


def test_two_parameters_ask_for_what_was_updated_or_created() -> None:
    manifest = a_manifest()
    poll = manifest.operations.poll
    assert poll is not None
    assert poll.incremental is not None
    assert since_query(poll.incremental, NOW) == {
        "filter[_or][0][date_created][_gte]": "2026-11-30T08:55:00Z",
        "filter[_or][1][date_updated][_gte]": "2026-11-30T08:55:00Z",
    }
    never_updated = a_record("2026-11-30T08:50:00Z", None)
    edited = a_record("2026-11-01T08:00:00Z", "2026-11-30T08:20:00Z")
    newest = newest_of(manifest, poll.incremental, [edited, never_updated], NOW)
    assert newest == datetime(2026, 11, 30, 8, 50, tzinfo=UTC)


def test_incremental_names_its_parameter_once() -> None:
    document = document_of(BASE)
    document["operations"]["poll"]["incremental"]["param"] = "since"
    with pytest.raises(Misconfigured, match="needs param, or params"):
        parse_manifest(document, {"FLOW_SECRET": SECRET}, Path("cms.yaml"))
