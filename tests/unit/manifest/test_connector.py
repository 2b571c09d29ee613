"""The declarative connector: what a manifest may say, how records are read, how calls are
written.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_worker.core.errors import Misconfigured, Permanent
from sync_worker.core.values import EntityRef, RecordState
from sync_worker.manifest.loader import (
    SHIPPED,
    load_manifest,
    load_manifests,
    parse_manifest,
    shipped_manifest,
)
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.record_keys import key_of
from sync_worker.manifest.record_reader import read_record
from sync_worker.manifest.record_writer import filled, merged_over, query_of, url_path
from tests.documents import document_of
from tests.unit.signed import OWN_SERVICE

OWN = load_manifest(shipped_manifest("own-service"), OWN_SERVICE)
TEXT = (SHIPPED / "own-service.yaml").read_text()


def changed(change: Callable[[Any], None]) -> Manifest:
    document = document_of(TEXT)
    change(document)
    return parse_manifest(document, OWN_SERVICE, Path("own.yaml"))


def put(place: str, value: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        *path, last = place.split(".")
        for part in path:
            document = document[int(part)] if isinstance(document, list) else document[part]
        document[int(last) if isinstance(document, list) else last] = value

    return change


def without_a_way_in(document: Any) -> None:
    del document["webhook"], document["operations"]["list"]


# -- the manifest


def test_capabilities_are_derived_from_what_is_declared() -> None:
    can = OWN.capabilities
    assert (can.has_revision, can.update_precondition, can.delete_precondition) == (
        True,
        True,
        False,
    )
    assert (can.is_unique, can.trusts_payload, can.many_fields) == (True, True, True)
    without = changed(lambda document: document["operations"]["update"].pop("headers")).capabilities
    assert (without.has_revision, without.update_precondition) == (True, False)


def misspelt_id(document: Any) -> None:
    document["idd"] = document.pop("id")


WRONG: dict[str, tuple[Callable[[Any], None], str]] = {
    "misspelt key that is needed": (misspelt_id, "unknown key 'idd'; did you mean 'id'?"),
    "unknown key": (put("titel", "x"), "unknown key 'titel'; did you mean 'title'?"),
    "unknown key inside": (
        put("fields.reviion", {"path": "v"}),
        "unknown key 'fields.reviion'; did you mean 'revision'",
    ),
    "secret written out": (put("auth.token", "abc"), "a secret comes by reference"),
    "secret that is not set": (
        put("auth.token", {"env": "NOBODY_SET_THIS"}),
        "NOBODY_SET_THIS is not set",
    ),
    "no JMESPath": (put("fields.value.path", "a..b"), "'a..b' is no JMESPath"),
    "impossible scale": (put("scale.step", 0.7), "scale"),
    "unknown version": (put("version", 2), "version"),
    "plain http to the world": (put("allow_private_hosts", False), "base_url is not https"),
    "address with a password": (put("base_url", "https://u:p@example.com"), "base_url"),
    "unknown root in a body": (
        put("operations.create.body.score", {"from": "ratng.value"}),
        "starts with none of",
    ),
    "unknown root in a path": (put("operations.get.path", "/v1/{id}"), "operations.get.path"),
    "unknown key in a leaf": (
        put("operations.create.body.score", {"from": "rating.value", "ass": 1}),
        "a leaf knows",
    ),
    "trust without a signed body": (
        put("webhook.verify.0.signed", [{"header": "*timestamp"}]),
        "does not cover the body",
    ),
    "timestamp that is named nowhere": (
        put("webhook.verify.0.pairs", {"signature": "v1"}),
        "pairs names no timestamp",
    ),
    "other key parts in the webhook": (
        put("webhook.key", {"other": "x"}),
        "webhook.key has the parts",
    ),
    "YAML boolean as a key": (put("states.read", {True: "published"}), "put it in quotes"),
    "no way in": (without_a_way_in, "there is no way in"),
}


@pytest.mark.parametrize("case", sorted(WRONG))
def test_wrong_manifest_is_refused_with_the_place_and_words(case: str) -> None:
    change, complaint = WRONG[case]
    environ = (
        OWN_SERVICE | {"OWN_SERVICE_URL": "http://10.0.0.1"}
        if case == "plain http to the world"
        else OWN_SERVICE
    )
    document = document_of(TEXT)
    change(document)
    with pytest.raises(Misconfigured, match=r"own\.yaml") as refusal:
        parse_manifest(document, environ, Path("own.yaml"))
    assert complaint in str(refusal.value)


def test_file_that_is_no_manifest_is_refused(tmp_path: Path) -> None:
    for name, content in (("a.yaml", "[1]"), ("b.yaml", "a: [")):
        (tmp_path / name).write_text(content)
        with pytest.raises(Misconfigured, match=name):
            load_manifest(tmp_path / name, {})


def test_second_shop_is_three_lines(tmp_path: Path) -> None:
    (tmp_path / "second.yaml").write_text(
        "extends: own-service\nid: second-shop\nauth: {type: bearer, token: {env: SECOND_TOKEN}}\n"
    )
    (tmp_path / "own-service.yaml").write_text(TEXT)
    manifests = load_manifests([tmp_path], OWN_SERVICE | {"SECOND_TOKEN": "t2"})
    assert set(manifests) == {"own-service", "second-shop"}
    assert manifests["second-shop"].fields == OWN.fields


def test_two_manifests_with_one_id_are_refused(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(TEXT)
    with pytest.raises(Misconfigured, match="taken by another manifest"):
        load_manifests([tmp_path], OWN_SERVICE)


def test_no_secret_is_shown_by_a_manifest() -> None:
    assert OWN_SERVICE["OWN_SERVICE_WEBHOOK_SECRET"] not in repr(OWN)


# -- reading


def a_resource(**changes: Any) -> dict[str, Any]:
    resource = {
        "id": "r1",
        "version": 4,
        "subject": {"id": "SKU-1"},
        "author": {"email": " Ada@Example.com", "display_name": "Ada"},
        "score": Decimal("4.5"),
        "visibility": "public",
        "aspects": [{"code": "taste", "score": 9}],
    }
    return resource | changes


def test_resource_is_read_with_every_part() -> None:
    record = read_record(OWN, a_resource())
    assert (record.remote_id, record.revision, record.state) == ("r1", 4, RecordState.PUBLISHED)
    assert record.values == {"value": Decimal("4.5"), "taste": Decimal(9)}
    assert record.entity == EntityRef("SKU-1")
    assert (record.person.email, record.person.name) == ("ada@example.com", "Ada")


def test_unknown_moderation_state_waits() -> None:
    assert read_record(OWN, a_resource(visibility="brand-new-state")).state is RecordState.PENDING


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"id": ""},
        {"id": ["r1"]},
        {"id": "a\x00"},
        {"score": "x"},
        {"score": "NaN"},
        {"version": "x"},
    ],
)
def test_malformed_resource_is_permanent(changes: dict[str, Any]) -> None:
    with pytest.raises(Permanent):
        read_record(OWN, a_resource(**changes))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(a_resource())), JSON))
def test_any_resource_is_a_record_or_permanent(changes: dict[str, Any]) -> None:
    try:
        read_record(OWN, a_resource(**changes))
    except Permanent:
        return


def test_key_of_several_parts_goes_there_and_back() -> None:
    document = document_of(TEXT)
    document["key"] = {"shop": {"path": "shop"}, "id": {"path": "id"}}
    document["webhook"]["key"] = {"shop": "data.shop", "id": "data.id"}
    manifest = parse_manifest(document, OWN_SERVICE, Path("own.yaml"))
    record = read_record(manifest, a_resource(shop=7))
    assert key_of(manifest, record.remote_id) == {"shop": "7", "id": "r1"}


# -- writing

CONTEXT: dict[str, Any] = {
    "rating": {
        "value": Decimal("4.0"),
        "title": "x" * 200,
        "attributes": [{"name": "taste", "value": 9}],
    },
    "contact": {"email": "a@b.c", "name": None},
    "key": {"id": "a/b ü"},
}


def test_tree_keeps_types_and_leaves_out_what_is_not_there() -> None:
    tree = {
        "score": {"from": "rating.value", "as": "decimal"},
        "text": {"from": "rating.body"},
        "name": {"from": "contact.name", "default": "Customer"},
        "headline": {"from": "rating.title", "max_length": 5},
        "fixed": [1, True, None],
        "aspects": {"from": "rating.attributes[].{code: name, score: value}"},
    }
    assert filled(tree, CONTEXT) == {
        "score": 4,
        "name": "Customer",
        "headline": "xxxxx",
        "fixed": [1, True, None],
        "aspects": [{"code": "taste", "score": 9}],
    }


def test_address_is_percent_encoded_and_never_empty() -> None:
    assert url_path("/v1/ratings/{key.id}", CONTEXT) == "/v1/ratings/a%2Fb%20%C3%BC"
    for empty in ("", "..", " . ", None):
        with pytest.raises(Permanent):
            url_path("/v1/ratings/{key.id}", {"key": {"id": empty}})


@given(st.text(min_size=1, max_size=30))
def test_no_id_leaves_its_segment_of_the_address(text: str) -> None:
    try:
        path = url_path("/v1/ratings/{key.id}", {"key": {"id": text}})
    except (Permanent, UnicodeEncodeError):
        return
    assert path.count("/") == 3
    assert path.rpartition("/")[2] not in ("", ".", "..")
    assert not set(path) & set("?#\r\n ")


def test_query_leaves_out_what_is_not_there() -> None:
    assert query_of(
        {"a": {"from": "contact.email"}, "b": {"from": "contact.name"}, "c": True}, CONTEXT
    ) == {
        "a": "a@b.c",
        "c": "true",
    }


def test_full_update_is_merged_over_the_last_record() -> None:
    record = {"a": 1, "author": {"email": "x", "badge": "gold"}, "aspects": [1]}
    merged = merged_over(record, {"author": {"email": "y"}, "aspects": [2]})
    assert merged == {"a": 1, "author": {"email": "y", "badge": "gold"}, "aspects": [2]}
