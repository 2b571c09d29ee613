"""Everything that reads a stranger's bytes, against Hypothesis: a hundred tries in each run,
thousands in the long one.

What was altered after signing is refused, or means the same; no input raises what nobody expects.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync_worker.core import exact_json
from sync_worker.core.errors import Permanent
from sync_worker.core.values import Record
from sync_worker.manifest.loader import load_manifest, shipped_manifest
from sync_worker.manifest.record_reader import read_record
from sync_worker.remotes.http.waits import retry_after_seconds
from sync_worker.remotes.wix.events import record_of_event
from sync_worker.remotes.wix.public_keys import load_public_keys
from sync_worker.remotes.wix.review_record import review_of_event
from tests.unit.signed import (
    APP_ID,
    OWN_SERVICE,
    a_review_event,
    a_token,
    acme_headers,
    an_event,
    an_external_body,
    pem,
)
from webhook_gateway import external, wix
from webhook_gateway.wix import Rejected

SHORT, LONG = 100, 20_000
KEYS = load_public_keys(pem())
TOKEN = a_token()
OWN = load_manifest(shipped_manifest("own-service"), OWN_SERVICE)
BODY = an_external_body()
HEADERS = acme_headers(BODY)
NOW = time.time()

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def altered(draw: st.DrawFn, original: bytes) -> bytes:
    """The bytes with a piece replaced, cut out, doubled or moved."""
    start = draw(st.integers(0, len(original)))
    end = draw(st.integers(start, min(len(original), start + 12)))
    piece = draw(
        st.binary(max_size=12)
        | st.just(original[start:end] * 2)
        | st.sampled_from([b".", b"=", b"\n", b""])
    )
    return original[:start] + piece + original[end:]


def wix_token_means_the_same_or_is_refused(body: bytes) -> None:
    found = wix.read_delivery(body, KEYS, APP_ID)
    assert isinstance(found, Rejected) or found == wix.read_delivery(TOKEN, KEYS, APP_ID)


def external_body_is_the_signed_one_or_is_refused(body: bytes) -> None:
    found = external.read_deliveries(OWN, body, HEADERS, {}, NOW)
    assert isinstance(found, Rejected) or body == BODY


def external_headers_mean_the_same_or_are_refused(names: list[str], value: bytes) -> None:
    headers = {**HEADERS, **dict.fromkeys(names, value.decode("latin-1"))}
    found = external.read_deliveries(OWN, BODY, headers, {}, NOW)
    assert isinstance(found, Rejected) or found == external.read_deliveries(
        OWN, BODY, HEADERS, {}, NOW
    )


def json_is_read_or_is_a_value_error(text: bytes) -> None:
    try:
        exact_json.loads(text)
    except ValueError:
        return


def wix_event_is_a_record_or_permanent(event: dict[str, Any]) -> None:
    try:
        found = record_of_event(an_event() | event)
    except Permanent:
        return
    assert found is None or isinstance(found, Record)


def review_event_is_a_record_or_permanent(event: dict[str, Any]) -> None:
    try:
        found = review_of_event(a_review_event() | event, APP_ID)
    except Permanent:
        return
    assert found is None or isinstance(found, Record)


def external_resource_is_a_record_or_permanent(resource: Any) -> None:
    try:
        assert isinstance(read_record(OWN, resource), Record)
    except Permanent:
        return


def retry_after_is_none_or_within_a_day(value: str) -> None:
    seconds = retry_after_seconds({"Retry-After": value})
    assert seconds is None or 0 <= seconds <= 86_400


NAMES = st.lists(
    st.sampled_from([*HEADERS, "webhook-signature", "webhook-id", "webhook-timestamp"]), max_size=3
)
NEAR_JSON = st.binary(max_size=60) | st.text('[]{}",:0123456789.eE+-trufalsn \\', max_size=60).map(
    str.encode
)
EVENT = st.dictionaries(
    st.sampled_from(["createdEvent", "updatedEvent", "entityEventSequence", "slug"]), JSON
)
REVIEW = st.fixed_dictionaries(
    {"id": st.just("review-1"), "content": st.just({"rating": 4}) | JSON},
    optional=dict.fromkeys(
        ["revision", "entityId", "namespace", "author", "reply", "moderation", "origin"], JSON
    )
    | {"reviewDate": st.text(max_size=40)},
)
REVIEW_EVENT = st.one_of(
    st.fixed_dictionaries({"updatedEvent": st.fixed_dictionaries({"currentEntity": REVIEW})}),
    st.fixed_dictionaries({"slug": st.just("deleted"), "deletedEvent": JSON}),
    st.fixed_dictionaries({"updatedEvent": JSON, "actionEvent": JSON, "deletedEvent": JSON}),
)
RESOURCE = JSON | st.dictionaries(
    st.sampled_from(["id", "subject", "author", "score", "version", "aspects"]), JSON
)
DATES = (
    st.text(max_size=40)
    | st.just("9" * 5000)
    | st.text("0123456789²³¹ .-:GMT", max_size=8)
    | st.datetimes().map(lambda at: at.strftime("%a, %d %b %Y %H:%M:%S GMT"))
)

CHECKS: dict[str, tuple[Callable[..., None], tuple[Any, ...]]] = {
    "Wix token": (wix_token_means_the_same_or_is_refused, (altered(TOKEN),)),
    "external body": (external_body_is_the_signed_one_or_is_refused, (altered(BODY),)),
    "external headers": (
        external_headers_mean_the_same_or_are_refused,
        (NAMES, altered(b"t=1,v1=00")),
    ),
    "JSON": (json_is_read_or_is_a_value_error, (NEAR_JSON,)),
    "Wix event": (wix_event_is_a_record_or_permanent, (EVENT,)),
    "review event": (review_event_is_a_record_or_permanent, (REVIEW_EVENT,)),
    "external resource": (external_resource_is_a_record_or_permanent, (RESOURCE,)),
    "Retry-After": (retry_after_is_none_or_within_a_day, (DATES,)),
}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "tries",
    [pytest.param(SHORT, id="short"), pytest.param(LONG, id="long", marks=pytest.mark.long)],
)
@pytest.mark.parametrize("name", sorted(CHECKS))
def test_stranger_s_bytes_are_read_or_refused(name: str, tries: int) -> None:
    check, strategies = CHECKS[name]
    health = [
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ]  # a busy machine is no fault of the strategy
    settings(max_examples=tries, suppress_health_check=health)(given(*strategies)(check))()  # type: ignore[no-untyped-call]  # hypothesis wraps it
