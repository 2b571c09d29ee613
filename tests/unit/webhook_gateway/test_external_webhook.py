"""The webhook of an external system as a delivery, by its manifest."""

from __future__ import annotations

import base64
import datetime
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from sync_worker.core.values import NewDelivery, Side
from sync_worker.core.words import is_storable
from sync_worker.manifest.loader import SHIPPED, load_manifest, parse_manifest, shipped_manifest
from tests.documents import document_of
from tests.unit.signed import OLD_SECRET, OWN_SERVICE, SECRET, acme_headers, an_external_body
from webhook_gateway.external import Reading, Unreadable, read_deliveries
from webhook_gateway.wix import Ignored, Rejected

OWN = load_manifest(shipped_manifest("own-service"), OWN_SERVICE)
BODY = an_external_body()


def read(body: bytes, headers: dict[str, str], now: float | None = None) -> Reading:
    return read_deliveries(OWN, body, headers, {}, time.time() if now is None else now)


def accepted(body: bytes, headers: dict[str, str]) -> NewDelivery:
    deliveries = read(body, headers)
    assert isinstance(deliveries, list), deliveries
    (delivery,) = deliveries
    assert isinstance(delivery, NewDelivery)
    return delivery


def standard_headers(body: bytes, secret: str = SECRET) -> dict[str, str]:
    """Signed by the reference library of Standard Webhooks."""
    now = datetime.datetime.now(datetime.UTC)
    signature = Webhook(base64.b64encode(secret.encode()).decode()).sign(
        "msg-1", now, body.decode()
    )
    stamp = str(int(now.timestamp()))
    return {"webhook-id": "msg-1", "webhook-timestamp": stamp, "webhook-signature": signature}


def test_signed_event_becomes_a_delivery_with_every_part() -> None:
    delivery = accepted(BODY, acme_headers(BODY))
    assert (delivery.side, delivery.source, delivery.dedupe_id) == (
        Side.EXTERNAL,
        "own-service",
        "e-1",
    )
    assert (delivery.change, delivery.remote_id, delivery.revision) == ("upsert", "r1", 4)


def test_standard_webhooks_signature_is_accepted() -> None:
    assert accepted(BODY, standard_headers(BODY)).remote_id == "r1"


def test_header_names_may_be_in_any_case() -> None:
    headers = {name.swapcase(): value for name, value in acme_headers(BODY).items()}
    assert accepted(BODY, headers)


@pytest.mark.parametrize("headers", [acme_headers, standard_headers])
def test_previous_secret_serves_during_a_rotation(headers: Callable[..., dict[str, str]]) -> None:
    assert accepted(BODY, headers(BODY, secret=OLD_SECRET))


def test_one_good_signature_of_several_is_enough() -> None:
    good = acme_headers(BODY)["X-Acme-Signature"]
    stamp, _, signature = good.partition(",")
    assert accepted(BODY, {"X-Acme-Signature": f"{stamp},v1={'0' * 64},{signature}"})


def test_delete_event_needs_no_record() -> None:
    body = json.dumps(
        {"event_id": "e-2", "type": "rating.deleted", "data": {"id": "r1", "version": 5}}
    ).encode()
    assert accepted(body, acme_headers(body)).change == "delete"


@pytest.mark.parametrize("event_type", ["ping", "rating.archived", ""])
def test_verified_event_that_is_nothing_for_us_is_ignored(event_type: str) -> None:
    body = an_external_body(event_type)
    assert isinstance(read(body, acme_headers(body)), Ignored)


def signed(document: Any) -> tuple[bytes, dict[str, str]]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return body, acme_headers(body)


def _changed(name: str, value: str) -> tuple[bytes, dict[str, str]]:
    return BODY, {**acme_headers(BODY), name: value}


GOOD_AT = int(time.time())
GOOD = acme_headers(BODY, at=GOOD_AT)["X-Acme-Signature"]
FORGED: dict[str, Callable[[], tuple[bytes, dict[str, str]]]] = {
    "no header": lambda: (BODY, {}),
    "other secret": lambda: (BODY, acme_headers(BODY, secret="guess")),
    "empty secret": lambda: (BODY, acme_headers(BODY, secret="")),
    "changed body": lambda: (BODY + b" ", acme_headers(BODY)),
    "too old": lambda: (BODY, acme_headers(BODY, at=int(time.time()) - 400)),
    "from the future": lambda: (BODY, acme_headers(BODY, at=int(time.time()) + 400)),
    "no timestamp": lambda: _changed("X-Acme-Signature", GOOD.partition(",")[2]),
    "another timestamp": lambda: _changed(
        "X-Acme-Signature", f"t={GOOD_AT - 9},{GOOD.partition(',')[2]}"
    ),
    "two timestamps": lambda: _changed("X-Acme-Signature", f"t=1,{GOOD}"),
    "timestamp in words": lambda: _changed("X-Acme-Signature", f"t=now,{GOOD.partition(',')[2]}"),
    "timestamp in other digits": lambda: _changed(
        "X-Acme-Signature", f"t=١٢٣,{GOOD.partition(',')[2]}"
    ),
    "signature cut": lambda: _changed("X-Acme-Signature", GOOD[:-2]),
    "signature no hex": lambda: _changed("X-Acme-Signature", GOOD[:-2] + "zz"),
    "signature not ASCII": lambda: _changed("X-Acme-Signature", GOOD[:-2] + "üü"),
    "signature under another name": lambda: _changed(
        "X-Acme-Signature", GOOD.replace("v1=", "v0=")
    ),
    "header without end": lambda: _changed("X-Acme-Signature", GOOD + "," + "a" * 5000),
    "many wrong signatures": lambda: _changed(
        "X-Acme-Signature", "t=1," + ",".join(["v1=00"] * 50)
    ),
    "standard: other secret": lambda: (BODY, standard_headers(BODY, "guess")),
    "standard: other id": lambda: (BODY, {**standard_headers(BODY), "webhook-id": "msg-2"}),
    "standard: no id": lambda: (BODY, {**standard_headers(BODY), "webhook-id": ""}),
    "standard: too old": lambda: (
        BODY,
        {**standard_headers(BODY), "webhook-timestamp": "1700000000"},
    ),
    "standard: only an asymmetric signature": lambda: (
        BODY,
        {**standard_headers(BODY), "webhook-signature": "v1a,AA"},
    ),
}
UNREADABLE: dict[str, Callable[[], tuple[bytes, dict[str, str]]]] = {
    "no JSON": lambda: signed(b"\xff\xfe"),
    "a list": lambda: signed([1]),
    "without a delivery id": lambda: signed({"type": "rating.updated", "data": {"id": "r1"}}),
    "the delivery id is an object": lambda: signed(
        {"event_id": {}, "type": "rating.updated", "data": {"id": "r1"}}
    ),
    "without a record id": lambda: signed({"event_id": "e", "type": "rating.updated", "data": {}}),
}


@pytest.mark.parametrize("variant", sorted(FORGED))
def test_forged_or_broken_request_is_rejected(variant: str) -> None:
    assert isinstance(read(*FORGED[variant]()), Rejected)


@pytest.mark.parametrize("variant", sorted(UNREADABLE))
def test_signed_request_that_the_manifest_cannot_read_is_no_forgery(variant: str) -> None:
    assert isinstance(read(*UNREADABLE[variant]()), Unreadable)


@given(
    st.binary(max_size=200),
    st.dictionaries(st.sampled_from(["X-Acme-Signature", "webhook-signature"]), st.text()),
)
def test_no_bytes_and_headers_make_it_raise(body: bytes, headers: dict[str, str]) -> None:
    assert isinstance(read(body, headers), Rejected)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["event_id", "type", "data"]), JSON))
def test_no_signed_content_makes_it_raise(document: dict[str, Any]) -> None:
    assert read(*signed(document)) is not None


def test_manifest_of_the_contract_loads_as_it_is_printed() -> None:
    environ = {
        name: "https://api.ratings.acme.example" if name.endswith("URL") else "secret"
        for name in ("ACME_RATINGS_TOKEN", "ACME_WEBHOOK_SECRET")
    }
    manifest = load_manifest(Path(__file__).parents[2] / "manifests" / "acme-ratings.yaml", environ)
    assert manifest.capabilities.has_revision
    assert manifest.capabilities.update_precondition


@pytest.mark.parametrize("record_id", ["a\x00", "\ud83d", "r" * 501, "r\n1", "\u202er1"])
def test_signed_id_that_can_name_nothing_is_stored_by_its_digest(record_id: str) -> None:
    body = json.dumps({"event_id": "e", "type": "rating.updated", "data": {"id": record_id}})
    delivery = accepted(body.encode(), acme_headers(body.encode()))
    assert re.fullmatch("unusable:[0-9a-f]{32}", delivery.remote_id)
    assert is_storable(str(delivery.payload))


@pytest.mark.parametrize("event_id", ["a\x00", "\ud83d", "e" * 100_000])
def test_any_delivery_id_serves_to_know_it_again(event_id: str) -> None:
    body = json.dumps({"event_id": event_id, "type": "rating.updated", "data": {"id": "r1"}})
    dedupe_ids = {accepted(body.encode(), acme_headers(body.encode())).dedupe_id for _ in range(2)}
    (dedupe_id,) = dedupe_ids
    assert dedupe_id is not None
    assert len(dedupe_id) <= 500
    assert is_storable(dedupe_id)


@pytest.mark.parametrize("expression", ["(a+)+", "(a|aa)+", "(.*a){12}", "([a-z]+)*[a-z]+"])
def test_expression_of_a_handshake_has_a_limit_of_time(expression: str) -> None:
    """Anybody may send one, unsigned; Python's own engine takes years over these."""
    document = document_of((SHIPPED / "own-service.yaml").read_text())
    document["webhook"]["handshake"] = [{"body_regex": expression}]
    manifest = parse_manifest(document, OWN_SERVICE, Path("own.yaml"))
    before = time.thread_time()
    assert read_deliveries(manifest, b"a" * 4000 + b"!", {}, {}, time.time()) == Rejected(
        "bad_signature"
    )
    assert time.thread_time() - before < 1.0


@pytest.mark.parametrize("expression", ["contains('abc', `5`)", "[type][::0]"])
@pytest.mark.parametrize("place", ["when", "sequence", "key", "event", "items_path"])
def test_path_that_fails_on_an_event_finds_it_malformed(place: str, expression: str) -> None:
    document = document_of((SHIPPED / "own-service.yaml").read_text())
    webhook = document["webhook"]
    match place:
        case "when":
            webhook["events"][1]["when"] = expression
        case "key":
            webhook["key"] = {"id": expression}
        case "event":
            webhook["event"] = {"path": expression}
        case _:
            webhook[place] = expression
    manifest = parse_manifest(document, OWN_SERVICE, Path("own.yaml"))
    body = an_external_body("rating.updated")
    reading = read_deliveries(manifest, body, acme_headers(body), {}, time.time())
    assert isinstance(reading, Unreadable)
    assert reading.reason == "malformed"
