"""The webhooks of every connector at the door: what is stored, what is greeted, and what refused
bytes are answered.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync_worker.core.ports.inbox import Stored
from sync_worker.core.values import NewDelivery, Side
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.sql_ledger import SqlLedger, sql_ledger
from sync_worker.manifest.check import signed_by
from sync_worker.manifest.loader import SHIPPED, load_manifest
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.schema.verify import (
    BasicVerify,
    HmacVerify,
    JwtVerify,
    StandardWebhooksVerify,
    StaticHeaderVerify,
    UrlTokenVerify,
)
from sync_worker.manifest.source.resolving import Placeholders
from sync_worker.remotes.wix.public_keys import load_public_keys
from tests.integration.gateway_door import Rings
from tests.unit.signed import APP_ID, an_external_body, pem
from webhook_gateway.app import create_app
from webhook_gateway.settings import GatewayConfig

SECRET = "one-secret-for-all-of-these-tests-0123456789"
WHSEC = "whsec_" + base64.b64encode(SECRET.encode()).decode()
MANIFESTS = {
    file.stem: signed_by(
        load_manifest(file, Placeholders({})), WHSEC if file.stem == "okendo" else SECRET
    )
    for file in sorted(SHIPPED.glob("*.yaml"))
}
NOW = 1_800_000_000


def a_client(store: Any, bell: Rings, manifests: dict[str, Manifest] | None = None) -> FlaskClient:
    config = GatewayConfig(
        wix_keys=load_public_keys(pem()),
        wix_app_id=APP_ID,
        manifests=manifests or MANIFESTS,
        store=store,
        bell=bell,
        is_ledger_up=lambda: True,
        clock=lambda: float(NOW),
        bad_signatures_per_minute=1_000_000,  # its limit has tests of its own
    )
    return create_app(config).test_client()


class Door:
    """The gateway over a real ledger."""

    def __init__(self, ledger: SqlLedger, manifests: dict[str, Manifest] | None = None) -> None:
        self.ledger, self.bell = ledger, Rings()
        self.client = a_client(ledger.inbox.store_all, self.bell, manifests)

    def post(self, connector: str, body: bytes, query: str = "", **headers: str) -> tuple[int, Any]:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.client.post(
            f"/webhooks/external/{connector}{query}", data=body, headers=names
        )
        return answer.status_code, answer.get_json()

    def stored(self) -> list[NewDelivery]:
        opened = [self.ledger.inbox.open_delivery(inbox_id) for inbox_id in self.bell.rung]
        return [one[0].new for one in opened if one is not None]


@pytest.fixture
def ledger(sqlite_url: str) -> Iterator[SqlLedger]:
    engine = open_engine(sqlite_url)
    upgrade(engine)
    yield sql_ledger(engine)
    engine.dispose()


@pytest.fixture
def door(ledger: SqlLedger) -> Door:
    return Door(ledger)


def mac(text: bytes) -> str:
    return base64.b64encode(hmac.new(SECRET.encode(), text, hashlib.sha256).digest()).decode()


def woo(arg: int, topic: str = "updated") -> tuple[bytes, dict[str, str]]:
    body = json.dumps({"action": f"woocommerce_rating_sync_{topic}", "arg": arg}).encode()
    return body, {
        "X-WC-Webhook-Signature": mac(body),
        "X-WC-Webhook-Topic": f"action.woocommerce_rating_sync_{topic}",
        "X-WC-Webhook-Delivery-ID": "same-second",
    }


def test_two_reviews_in_one_second_with_one_id_are_two_deliveries(door: Door) -> None:
    """Two reviews in one second are two deliveries, although their id is one."""
    for number in (1, 2, 1):
        body, headers = woo(number)
        door.client.post("/webhooks/external/woocommerce", data=body, headers=headers)
    # The third waits together with the first: thin events of one record are absorbed until a run
    # takes them.
    stored = [(one.remote_id, one.change, one.dedupe_id) for one in door.stored()]
    assert stored == [("1", "upsert", None), ("2", "upsert", None)]


def test_handshakes_are_answered_200_and_store_nothing(door: Door) -> None:
    ping = door.post(
        "woocommerce",
        b"webhook_id=3",
        Content_Type="application/x-www-form-urlencoded; charset=UTF-8",
    )
    empty = door.post("fera", b"")
    assert [ping, empty] == [(200, {"result": "handshake"})] * 2
    assert door.stored() == []


@pytest.mark.parametrize(
    "body", [b"webhook_id=3&x=1", b"webhook_id=x", b"webhook_id=3\n", b"x" * 5000]
)
def test_what_only_looks_like_a_handshake_is_refused(door: Door, body: bytes) -> None:
    assert (
        door.post("woocommerce", body, Content_Type="application/x-www-form-urlencoded")[0] == 401
    )
    assert door.post("woocommerce", b"webhook_id=3", Content_Type="application/json")[0] == 401


def test_token_in_the_address_reaches_the_verifier(door: Door) -> None:
    token = jwt.encode({"exp": NOW + 60, "event_name": "review_delete"}, SECRET, "HS256")
    body = b'{"id": "frev_1", "rating": 1}'
    assert door.post("fera", body, f"?jwt={token}")[0] == 200
    assert door.post("fera", body)[0] == 401
    assert [(one.remote_id, one.change) for one in door.stored()] == [("frev_1", "delete")]


def test_batch_is_stored_item_by_item(door: Door) -> None:
    events = [
        {"eventName": f"service-review-{what}", "eventData": {"id": name}}
        for what, name in (("created", "a"), ("updated", "b"), ("deleted", "c"), ("liked", "d"))
    ]
    assert (
        door.post("trustpilot", json.dumps({"events": events}).encode(), f"?token={SECRET}")[0]
        == 200
    )
    assert [
        (one.remote_id, one.change, one.payload["eventData"]["id"]) for one in door.stored()
    ] == [
        ("a", "upsert", "a"),
        ("b", "upsert", "b"),
        ("c", "delete", "c"),
    ]


def test_product_event_is_parent_changed_only_if_reviews_may_have_changed(
    door: Door,
) -> None:
    """A product event becomes parent changed only if its reviews may have changed."""
    for properties in (None, ["price"], ["name", "reviews_count"]):
        data = {"type": "product", "id": 200 + len(properties or [])} | (
            {"properties": properties} if properties else {}
        )
        body = json.dumps({"scope": "store/product/updated", "data": data}).encode()
        headers = {
            "webhook_id": "m",
            "webhook_timestamp": str(NOW),
            "webhook_signature": "v1," + mac(f"m.{NOW}.".encode() + body),
        }
        assert door.post("bigcommerce", body, "", **headers)[0] == 200
    assert [(one.change, one.remote_id, one.side) for one in door.stored()] == [
        ("parent_changed", "200", Side.EXTERNAL),
        ("parent_changed", "202", Side.EXTERNAL),
    ]


def test_sender_that_wants_other_words_gets_them(ledger: SqlLedger) -> None:
    manifest = MANIFESTS["woocommerce"]
    assert manifest.webhook is not None
    told = manifest.webhook.model_copy(
        update={"ack_status": 202, "ack_body": {"status": 0, "message": "success"}}
    )
    door = Door(ledger, {"woocommerce": manifest.model_copy(update={"webhook": told})})
    body, headers = woo(1)
    answer = door.client.post("/webhooks/external/woocommerce", data=body, headers=headers)
    assert (answer.status_code, answer.get_json()) == (202, {"status": 0, "message": "success"})


# -- whatever comes

NAMES = sorted(
    {
        "Content-Type",
        "Authorization",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "svix-id",
        "svix-signature",
        "svix-timestamp",
        "X-WC-Webhook-Signature",
        "X-WC-Webhook-Topic",
        "JUDGEME-HMAC-SHA256",
        "X-Ecwid-Webhook-Signature",
        "X-Acme-Signature",
    }
)
CLIENT = a_client(lambda new: [Stored(1, is_duplicate=False) for _ in new], Rings())
LATIN = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\x00"), max_size=40)
QUIET = settings(suppress_health_check=list(HealthCheck), max_examples=150)
ALLOWED = (200, 400, 401, 413, 422)


@QUIET
@given(
    st.sampled_from(sorted(MANIFESTS)),
    st.binary(max_size=300),
    st.dictionaries(st.sampled_from(NAMES), LATIN, max_size=4),
    st.dictionaries(st.sampled_from(["jwt", "token"]), st.text(max_size=20), max_size=2),
)
def test_any_bytes_headers_and_query_are_answered_as_the_contract_says(
    connector: str, body: bytes, headers: dict[str, str], query: dict[str, str]
) -> None:
    answer = CLIENT.post(
        f"/webhooks/external/{connector}", data=body, headers=headers, query_string=query
    )
    assert answer.status_code in ALLOWED


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = [
    "arg",
    "id",
    "data",
    "scope",
    "review",
    "events",
    "eventName",
    "eventData",
    "review_type",
    "product",
    "resource",
]


def signed(manifest: Manifest, body: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """Headers and query that every scheme of the manifest's webhook accepts."""
    assert manifest.webhook is not None
    headers, query = (
        {"X-WC-Webhook-Topic": "action.woocommerce_rating_sync_updated"},
        dict[str, str](),
    )
    for scheme in manifest.webhook.verify:
        match scheme:
            case HmacVerify():
                headers |= hmac_header(scheme, body)
            case StandardWebhooksVerify(header_prefix=prefix):
                key = SECRET.encode() if scheme.secret_is == "raw_text" else signing_key(scheme)
                mark = base64.b64encode(
                    hmac.new(key, f"m.{NOW}.".encode() + body, hashlib.sha256).digest()
                ).decode()
                headers |= {
                    f"{prefix}id": "m",
                    f"{prefix}timestamp": str(NOW),
                    f"{prefix}signature": f"v1,{mark}",
                }
            case JwtVerify(name=name):
                query[name] = jwt.encode(
                    {"exp": NOW + 60, "event_name": "review_update"}, SECRET, "HS256"
                )
            case UrlTokenVerify(name=name):
                query[name] = SECRET
            case StaticHeaderVerify(header=name):
                headers[name] = SECRET
            case BasicVerify():
                raise AssertionError("no shipped connector uses it; sign it here if one does")
    return headers, query


def hmac_header(scheme: HmacVerify, body: bytes) -> dict[str, str]:
    """None where the body lacks what is signed of it."""
    text = body
    if any(part.path for part in scheme.signed):
        try:
            document = json.loads(body)
            parts = [
                part.text or str(part.path and part.path.search(document)) for part in scheme.signed
            ]
        except (ValueError, UnicodeError):
            return {}
        text = "".join(parts).encode()
    if scheme.pairs is not None:
        mark = hmac.new(SECRET.encode(), f"{NOW}.".encode() + body, hashlib.sha256).hexdigest()
        return {scheme.header: f"t={NOW},v1={mark}"}
    digest = hmac.new(SECRET.encode(), text, scheme.algorithm).digest()
    mark = digest.hex() if scheme.encoding == "hex" else base64.b64encode(digest).decode()
    return {scheme.header: scheme.prefix + mark}


def signing_key(scheme: StandardWebhooksVerify) -> bytes:
    secret = next(scheme.secrets)
    return (
        base64.b64decode(secret.removeprefix("whsec_"))
        if secret.startswith("whsec_")
        else secret.encode()
    )


def post_signed(connector: str, body: bytes, event: str = "") -> int:
    headers, query = signed(MANIFESTS[connector], body)
    query |= {"event": event} if event else {}
    return CLIENT.post(
        f"/webhooks/external/{connector}", data=body, headers=headers, query_string=query
    ).status_code


SAMPLES = [
    (name, sample.body.encode(), sample.query.get("event", ""))
    for name, manifest in sorted(MANIFESTS.items())
    for sample in manifest.examples.deliveries
    if sample.body and not isinstance(sample.expect, str)
]


@pytest.mark.parametrize("connector", sorted(MANIFESTS))
def test_signed_sample_is_taken_and_what_the_manifest_cannot_read_is_422(connector: str) -> None:
    samples = [(body, event) for name, body, event in SAMPLES if name == connector] or [
        (an_external_body(), "")
    ]
    assert {post_signed(connector, *sample) for sample in samples} == {200}
    if connector != "ecwid":  # it signs two texts of the body: without them nothing is signed
        assert {post_signed(connector, body) for body in (b"[1]", b"5", b"no JSON", b"\xff")} == {
            422
        }


@QUIET
@given(
    st.sampled_from(sorted(MANIFESTS)),
    st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4),
    st.sampled_from(["", "events", "scope", "review", "resource"]),
)
def test_any_content_properly_signed_is_answered_as_the_contract_says(
    connector: str, document: dict[str, Any], wrapped_in: str
) -> None:
    """Any content that is properly signed is answered as the contract says."""
    if wrapped_in == "events":
        document = {"events": [{"eventName": "service-review-created", "eventData": document}]}
    elif wrapped_in == "scope":
        document["scope"] = "store/product/updated"
    elif wrapped_in:
        document = {wrapped_in: document, "type": "review.update", "review_type": "product"}
    document |= {"eventCreated": 1, "eventId": "e", "eventType": "review.updated"}
    assert post_signed(connector, json.dumps(document).encode()) in (200, 422)


def test_readable_part_of_a_batch_is_stored_although_the_rest_is_refused(door: Door) -> None:
    events: list[Any] = [
        {"eventName": "service-review-created", "eventData": {"id": "a"}},
        {"eventName": "service-review-created", "eventData": {"id": {"no": "id"}}},
        7,
        {"eventName": "service-review-deleted", "eventData": {"id": "b"}},
    ]
    status, answer = door.post(
        "trustpilot", json.dumps({"events": events}).encode(), f"?token={SECRET}"
    )
    assert (status, answer["reason"], answer["stored"]) == (422, "malformed", 2)
    assert [(one.remote_id, one.change) for one in door.stored()] == [
        ("a", "upsert"),
        ("b", "delete"),
    ]
