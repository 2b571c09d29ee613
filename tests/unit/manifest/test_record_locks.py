"""What a record says itself that we may not do with it, by the manifest's fields."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sync_worker.core.record_codec import dedupe_id_of, record_as_json, record_from_json
from sync_worker.manifest.check.writes import check_writes
from sync_worker.manifest.loader import parse_manifest
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.record_reader import read_record
from sync_worker.manifest.source.resolving import Placeholders
from sync_worker.manifest.summary import describe
from tests.documents import document_of

TEXT = """
version: 1
id: ours
base_url: https://ours.example
key: {id: {path: id}}
fields:
  entity: {path: product}
  value: {path: stars}
  email: {path: email}
scale: {min: 1, max: 5}
operations:
  get: {method: GET, path: "/r/{key.id}"}
  list: {method: GET, path: /r}
  update: {method: PATCH, path: "/r/{key.id}", body: {stars: {from: rating.value}}}
"""
ROW = {"id": "7", "product": "22", "stars": 4, "email": "ada@example.com"}


def a_manifest(**fields: Any) -> Manifest:
    document = document_of(TEXT)
    document["fields"] |= fields
    return parse_manifest(document, Placeholders({}), Path("ours.yaml"))


@pytest.mark.parametrize(
    ("field", "row", "locked"),
    [
        ({"path": "editable"}, {"editable": False}, True),
        ({"path": "editable"}, {"editable": "No"}, True),
        ({"path": "editable"}, {"editable": 0}, True),
        ({"path": "editable"}, {"editable": True}, False),
        ({"path": "editable"}, {"editable": "perhaps"}, False),
        ({"path": "editable"}, {"editable": None}, False),
        ({"path": "editable"}, {}, False),
        ({"path": "source", "values": {"syndicated": False}}, {"source": "syndicated"}, True),
        ({"path": "source", "values": {"syndicated": False}}, {"source": "native"}, False),
        ({"path": "contains(may, 'edit')"}, {"may": ["reply"]}, True),
        ({"path": "contains(may, 'edit')"}, {"may": ["reply", "edit"]}, False),
    ],
)
def test_only_a_clear_no_locks_a_record(
    field: dict[str, Any], row: dict[str, Any], locked: bool
) -> None:
    record = read_record(a_manifest(can_update=field), ROW | row)
    assert record.locked == (frozenset({"update"}) if locked else frozenset())


def test_update_and_delete_are_locked_apart() -> None:
    manifest = a_manifest(can_update={"path": "may.edit"}, can_delete={"path": "may.delete"})
    row = ROW | {"may": {"edit": True, "delete": False}}
    assert read_record(manifest, row).locked == {"delete"}
    assert manifest.capabilities.locks_records
    assert not a_manifest().capabilities.locks_records


def test_listed_record_keeps_its_lock_and_is_told_again_without_it() -> None:
    manifest = a_manifest(can_update={"path": "editable"})
    locked = read_record(manifest, ROW | {"editable": False})
    free = read_record(manifest, ROW | {"editable": True})
    assert record_from_json(record_as_json(locked)).locked == {"update"}
    assert dedupe_id_of("7", locked) != dedupe_id_of("7", free)


def test_lock_is_shown_and_one_of_no_use_is_advised_against() -> None:
    manifest = a_manifest(can_update={"path": "editable"}, can_delete={"path": "editable"})
    said = describe(manifest).can["read-only records"]
    assert said == "a record says itself that we may not update or delete it"
    assert "read-only records" not in describe(a_manifest()).can
    (finding,) = [one for one in check_writes(manifest) if one.place.startswith("fields.")]
    assert (finding.place, finding.wrong) == ("fields.can_delete", "")
    assert "no operations.delete" in finding.advice
