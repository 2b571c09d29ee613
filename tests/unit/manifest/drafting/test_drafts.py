"""A draft from samples is a manifest that passes the check, and says what it guessed."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from sync_worker.connectors import __file__ as connectors
from sync_worker.manifest.check.whole import check_manifest
from sync_worker.manifest.default_field import WIX_SCALE
from sync_worker.manifest.drafting.deliveries import EXAMPLE_SECRET, Told, told_by
from sync_worker.manifest.drafting.draft import Draft
from sync_worker.manifest.drafting.openapi import proposed
from sync_worker.manifest.drafting.samples import sample_of, scale_of
from sync_worker.manifest.loader import parse_manifest
from sync_worker.manifest.signatures import Received
from sync_worker.manifest.source.resolving import Placeholders
from webhook_gateway.external import read_deliveries

RECORD = {
    "id": 12,
    "product_id": "SKU-9",
    "stars": 4,
    "status": "approved",
    "text": "Nice",
    "author": {"email": "ada@example.com", "name": "Ada"},
    "created_at": "2026-11-20T09:15:00Z",
}
EVENT = json.dumps({"event": "review.created", "review": {"id": 12, "stars": 4}}).encode()
BEARER = {"type": "bearer", "token": {"env": "ACME_TOKEN"}}


def findings_of(draft: Draft) -> list[str]:
    document = yaml.safe_load(draft.text("acme.yaml"))
    manifest = parse_manifest(document, Placeholders({}), Path("acme.yaml"))
    found = check_manifest(manifest, read_deliveries, WIX_SCALE, time.time())
    return [f"{one.what}: {one.wrong}" for one in found if not one.is_good]


def a_draft(record: Any = None, told: Told | None = None) -> Draft:
    sample = sample_of(RECORD if record is None else record)
    return Draft("acme", sample, "https://api.example.com", BEARER, told=told)


@pytest.mark.parametrize(("text", "kind"), [("Nice", None), ("<p>It&#039;s ok</p>", "html_text")])
def test_words_of_the_sample_travel_as_the_system_holds_them(text: str, kind: str | None) -> None:
    draft = a_draft({**RECORD, "text": text, "title": "T"})
    document = draft.document()
    assert document["text"] == {"sync": ["title", "body"]}
    leaf = {"from": "rating.body"} | ({"as": kind} if kind else {})
    assert document["operations"]["update"]["body"]["text"] == leaf
    assert document["fields"]["body"].get("as") == kind
    assert findings_of(draft) == []


def told(headers: dict[str, str], body: bytes = EVENT, query: dict[str, str] | None = None) -> Told:
    return told_by(Received(body, headers, query or {}, 0.0), "ACME_WEBHOOK_SECRET", 12)


def signature(body: bytes = EVENT) -> str:
    return hmac.new(b"theirs", body, hashlib.sha256).hexdigest()


# -- the record


@pytest.mark.parametrize(
    "document",
    [RECORD, {"data": RECORD}, {"reviews": [RECORD]}, [RECORD], {"data": {"items": [RECORD]}}],
)
def test_record_is_found_in_any_wrapping(document: Any) -> None:
    sample = sample_of(document)
    assert sample.paths == {
        "id": "id",
        "value": "stars",
        "entity": "product_id",
        "email": "author.email",
        "author": "author.name",
        "body": "text",
        "state": "status",
        "created_at": "created_at",
    }
    assert sample.missing == []
    assert findings_of(a_draft(document)) == []


@pytest.mark.parametrize(
    ("record", "paths"),
    [
        (
            {
                "documentId": "d1",
                "id": 3,
                "rating": "5",
                "sku": "a",
                "reviewerEmail": "a@b.example",
            },
            {"id": "documentId", "value": "rating", "entity": "sku", "email": "reviewerEmail"},
        ),
        (
            {"_id": "x", "score": 80, "subject": {"id": "S"}, "user": {"mail": 1, "email": None}},
            {"id": "_id", "value": "score", "entity": "subject.id", "email": "user.email"},
        ),
    ],
)
def test_parts_are_known_by_what_systems_call_them(
    record: dict[str, Any], paths: dict[str, str]
) -> None:
    found = sample_of(record).paths
    assert {name: found[name] for name in paths} == paths
    assert findings_of(a_draft(record)) == []


def test_what_was_not_found_is_said_and_may_be_named() -> None:
    record = {"id": 1, "gut": 4, "ware": "w", "wer": "a@b.example"}
    assert sample_of(record).missing == ["entity", "value", "email"]
    assert "value: the stars was not found" in "; ".join(a_draft(record).left())
    named = sample_of(record, {"entity": "ware", "value": "gut", "email": "wer"})
    assert named.missing == []


@pytest.mark.parametrize("document", [[], {}, 7, "text", None, {"data": []}])
def test_sample_without_a_record_is_refused(document: Any) -> None:
    with pytest.raises(ValueError, match="holds no record"):
        sample_of(document)


@pytest.mark.parametrize(
    ("value", "scale"),
    [(4, (1, 5, 1)), (4.5, (0.5, 5, 0.5)), ("8", (1, 10, 1)), (80, (0, 100, 1)), ("x", (1, 5, 1))],
)
def test_scale_is_guessed_from_the_mark(value: Any, scale: tuple[float, float, float]) -> None:
    assert tuple(scale_of(value).values()) == scale


# -- the webhook


@pytest.mark.parametrize(
    ("headers", "verify"),
    [
        ({"x-shop-signature": f"sha256={signature()}"}, {"type": "hmac", "prefix": "sha256="}),
        ({"x-hmac": signature()}, {"type": "hmac", "header": "x-hmac"}),
        ({"x-flow-secret": "s"}, {"type": "static_header", "header": "x-flow-secret"}),
        ({"authorization": "Basic YTpi"}, {"type": "basic"}),
        ({"webhook-signature": "v1,x"}, {"type": "standard_webhooks"}),
        ({"x-sig-signature": f"t=1,v1={signature()}"}, {"type": "hmac"}),
    ],
)
def test_webhook_s_proof_is_known_by_its_headers(
    headers: dict[str, str], verify: dict[str, Any]
) -> None:
    found = told(headers)
    assert found.verify is not None
    assert verify.items() <= found.verify.items()
    assert (found.event, found.event_name, found.key) == (
        {"path": "event"},
        "review.created",
        "review.id",
    )
    assert findings_of(a_draft(told=found)) == []


def test_no_secret_of_the_sample_gets_into_the_manifest() -> None:
    headers = {"x-flow-secret": "their-real-secret", "cookie": "their-session"}
    text = a_draft(told=told(headers)).text("acme.yaml")
    assert "their-" not in text
    assert EXAMPLE_SECRET in text


@pytest.mark.parametrize("name", ["review.deleted", "review/remove", "trashed"])
def test_event_that_names_a_delete_is_one(name: str) -> None:
    body = json.dumps({"type": name, "id": 12}).encode()
    assert told({"x-hmac": signature(body)}, body).change == "delete"


def test_webhook_that_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="no JSON"):
        told({}, b"<xml/>")


def test_webhook_without_a_proof_is_left_out_and_said() -> None:
    draft = a_draft(told=told({}))
    assert "webhook" not in draft.document()
    assert "webhook.verify: a signature, secret or token was not found" in "; ".join(draft.left())


def test_no_secret_and_no_address_of_a_sample_gets_into_the_draft() -> None:
    private = {"api_token": "real-1", "Session-Id": "real-2", "ip": "203.0.113.7"}
    record = {**RECORD, **private, "text": "write to real-5@example.org"}
    event: dict[str, Any] = {"event": "review.created", "review": {"id": 12}}
    event |= {"secret": "real-4", "email": "ada@example.com", "data": {"access_token": "real-3"}}
    body = json.dumps(event).encode()
    headers = {"x-hmac": signature(body), "x-secret-event": "real-6", "cookie": "real-7"}
    draft = a_draft(record, told(headers, body))
    text = draft.text("acme.yaml")
    assert "real-" not in text
    assert "ada@" not in text
    assert "203.0" not in text
    assert "look for what is a person's" in "; ".join(draft.left())
    assert findings_of(draft) == []


def test_list_of_bare_keys_is_drafted_as_a_batch() -> None:
    body = json.dumps({"event": "items.update", "keys": [77, 78]}).encode()
    draft = a_draft(told=told({"x-flow-secret": "s"}, body))
    webhook = draft.document()["webhook"]
    assert webhook["items_path"] == "keys"
    assert webhook["key"] == {"id": "@"}
    assert webhook["event"] == {"path": "event", "at": "request"}
    assert findings_of(draft) == []


def test_webhook_without_a_key_is_said_to_be_left_out() -> None:
    body = json.dumps({"event": "items.update", "what": [1.5]}).encode()
    draft = a_draft(told=told({"x-hmac": signature(body)}, body))
    assert "webhook" not in draft.document()
    assert "webhook.key: the record's id was not found" in "; ".join(draft.left())


def test_state_that_is_not_published_is_said() -> None:
    draft = a_draft({**RECORD, "status": "PENDING"})
    assert "states.read: 'PENDING' is no word of a published record" in "; ".join(draft.left())


@pytest.mark.parametrize("record", [{1: 2, "id": 1}, {None: 2, "id": 3}, {"a": {3: 4}, "id": 1}])
def test_keys_that_are_no_texts_are_read_as_texts(record: Any) -> None:
    assert sample_of(record).paths["id"] == "id"


@pytest.mark.parametrize("value", ["t=123,", "t=1,,", "=", ",", "sha256="])
def test_odd_signature_ends_in_no_error(value: str) -> None:
    assert told({"x-signature": value}).verify is not None


# -- the description


def an_api(**review: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"id": {}, "stars": {}, "product_id": {}, **review}}
    wrapped = {"properties": {"data": {"type": "array", "items": {"$ref": "#/x/Review"}}}}
    names = ("page", "per_page", "product_id", "email")
    listing = {
        "parameters": [{"name": name, "in": "query"} for name in names],
        "responses": {"200": {"content": {"application/json": {"schema": wrapped}}}},
    }
    sent = {"content": {"application/json": {"schema": {"$ref": "#/x/Review"}}}}
    one = {
        "get": {"responses": {}},
        "put": {"requestBody": sent},
        "delete": {"responses": {"204": {}}},
    }
    return {
        "openapi": "3.1.0",
        "servers": [{"url": "https://api.example.com/v2"}],
        "paths": {
            "/products": {"get": {}},
            "/reviews": {"get": listing, "post": {"requestBody": sent}},
            "/reviews/{id}": one,
        },
        "x": {"Review": schema},
    }


def test_operations_are_proposed_from_a_description() -> None:
    author: dict[str, Any] = {"properties": {"email": {}, "name": {}}}
    proposal = proposed(an_api(author=author))
    assert (proposal.base_url, proposal.collection) == ("https://api.example.com", "/v2/reviews")
    assert set(proposal.operations) == {"get", "find", "list", "create", "update", "delete"}
    assert proposal.operations["list"]["items_path"] == "data"
    assert proposal.operations["find"]["query"].keys() == {"product_id", "email"}
    assert set(proposal.operations["create"]["body"]) == {"stars", "product_id", "author"}
    draft = a_draft()
    draft.propose(proposal.collection, proposal.operations)
    assert draft.operations["update_mode"] == "full"
    assert findings_of(draft) == []


def test_swagger_2_is_read_too() -> None:
    api = an_api()
    del api["servers"], api["openapi"]
    api |= {"swagger": "2.0", "host": "api.example.com", "basePath": "/v1", "schemes": ["https"]}
    assert proposed(api).operations["get"]["path"] == "/v1/reviews/{key.id}"


@pytest.mark.parametrize(
    ("document", "wrong"),
    [({}, "no OpenAPI"), ({"paths": {"/orders": {"get": {}}}}, "no path of the description")],
)
def test_description_without_ratings_is_refused_in_words(document: Any, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        proposed(document)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("paths", "/reviews", "get"), {"responses": None, "parameters": None}),
        (("paths", "/reviews", "get"), {"responses": [], "parameters": [{"in": "query"}, 7]}),
        (("paths", "/reviews", "get"), {"responses": {"200": {"content": []}}}),
        (("paths", "/reviews", "post"), None),
        (("paths", "/reviews/{id}"), {"get": None, "delete": None}),
        (("paths", 404), {}),
        (("x", "Review"), {"properties": None}),
        (("servers",), [7]),
    ],
)
def test_description_of_another_form_ends_in_no_error(place: tuple[Any, ...], value: Any) -> None:
    api = an_api()
    node: Any = api
    for name in place[:-1]:
        node = node[name]
    node[place[-1]] = value
    assert proposed(api).collection.endswith("/reviews")


def test_reference_in_a_circle_ends() -> None:
    api = an_api()
    api["x"]["Review"] = {"$ref": "#/x/Other"}
    api["x"]["Other"] = {"$ref": "#/x/Review"}
    assert "create" not in proposed(api).operations


def test_shipped_connectors_samples_are_understood_as_they_are_declared() -> None:
    """The names that five real systems use are among those that we know."""
    for name in ("woocommerce", "fera", "bigcommerce", "own-service", "judgeme"):
        document = yaml.safe_load((Path(connectors).parent / f"{name}.yaml").read_text())
        for record in document.get("examples", {}).get("records", [])[:1]:
            found = sample_of(record["resource"]).paths
            assert found.get("value") == document["fields"]["value"]["path"], name
