"""The body of a Wix webhook as a delivery: what is accepted, in which forms, and what never is."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_worker.core.errors import Misconfigured
from sync_worker.core.values import Merge, NewDelivery, Side
from sync_worker.core.words import is_storable
from sync_worker.remotes.wix.events import merge_of_event
from sync_worker.remotes.wix.public_keys import load_public_keys
from tests.unit.signed import (
    APP_ID,
    KEY,
    OTHER_KEY,
    a_rating,
    a_token,
    an_envelope,
    an_event,
    claims,
    pem,
)
from webhook_gateway.wix import Ignored, Rejected, read_delivery

KEYS = load_public_keys(pem())
NOW = int(time.time())


def read(body: bytes) -> NewDelivery | Ignored | Rejected:
    return read_delivery(body, KEYS, APP_ID)


def accepted(body: bytes) -> NewDelivery:
    delivery = read(body)
    assert isinstance(delivery, NewDelivery), delivery
    return delivery


def test_event_becomes_a_delivery_with_every_part() -> None:
    delivery = accepted(a_token())
    assert (delivery.side, delivery.source, delivery.dedupe_id) == (
        Side.WIX,
        "instance-1",
        "event-1",
    )
    assert (delivery.change, delivery.remote_id) == ("upsert", "rating-1")
    assert (delivery.revision, delivery.sequence) == (3, 8)
    assert delivery.event_time is not None
    assert delivery.event_time.microsecond == 678901


def test_delete_of_an_anonymised_person_is_marked() -> None:
    delivery = accepted(
        a_token(claims(an_envelope(an_event("deleted", triggeredByAnonymizeRequest=True))))
    )
    assert (delivery.change, delivery.privacy, delivery.revision) == ("delete", True, None)


def test_delete_slug_is_understood_in_both_spellings() -> None:
    event = an_event("deleted") | {"slug": "delete"}
    assert accepted(a_token(claims(an_envelope(event)))).change == "delete"


def test_our_own_identity_is_noted_and_does_not_suppress() -> None:
    identity = json.dumps({"identityType": "APP", "appId": APP_ID})
    delivery = accepted(a_token(claims(an_envelope(identity=identity))))
    assert delivery.is_ours
    assert delivery.change == "upsert"


OLDER_FORMS: dict[str, Any] = {
    "data is an object": claims(None, data=an_envelope()),
    "the event is an object": claims(an_envelope() | {"data": an_event()}),
    "identity is an object": claims(an_envelope(identity={"identityType": "MEMBER"})),
    "identity is absent": claims({k: v for k, v in an_envelope().items() if k != "identity"}),
    "identity is no JSON": claims(an_envelope(identity="?")),
    "the entity is a text": claims(
        an_envelope(
            an_event("updated", updatedEvent={"currentEntityAsJson": json.dumps(a_rating())})
        )
    ),
    "no exp": {k: v for k, v in claims().items() if k != "exp"},
    "iat in the future": claims(iat=NOW + 3600),
    "foreign audience and issuer": claims(aud="somebody", iss="somebody"),
    "subject and id of odd types": claims(sub=5, jti=7),
    "no slug, only the event type": claims(
        an_envelope({k: v for k, v in an_event().items() if k not in ("slug", "entityFqdn")})
    ),
}


@pytest.mark.parametrize("form", sorted(OLDER_FORMS))
def test_form_that_wix_uses_is_accepted(form: str) -> None:
    delivery = accepted(a_token(OLDER_FORMS[form]))
    assert (delivery.change, delivery.remote_id) == ("upsert", "rating-1")
    assert delivery.revision == 3


def test_clocks_may_differ_by_less_than_a_minute() -> None:
    assert accepted(a_token(claims(exp=int(time.time()) - 20)))


def test_body_may_end_with_a_newline() -> None:
    assert accepted(a_token() + b"\r\n")


def test_event_without_an_id_is_known_by_its_content() -> None:
    event = {name: value for name, value in an_event().items() if name != "id"}
    first, again = (
        accepted(a_token(claims(an_envelope(event)))),
        accepted(a_token(claims(an_envelope(event)))),
    )
    other = accepted(a_token(claims(an_envelope(event | {"entityEventSequence": "9"}))))
    assert first.dedupe_id == again.dedupe_id != other.dedupe_id


IGNORED: dict[str, Any] = {
    "unknown event type": claims(an_envelope(an_event(entityFqdn="wix.forms.v4.submission"))),
    "test event without an instance": claims({"eventType": "x", "data": "{}"}),
    "no event": claims({"eventType": "x", "instanceId": "instance-1"}),
}


@pytest.mark.parametrize("case", sorted(IGNORED))
def test_verified_event_that_is_nothing_for_us_is_ignored(case: str) -> None:
    assert isinstance(read(a_token(IGNORED[case])), Ignored)


def _segments(token: bytes) -> list[bytes]:
    return token.split(b".")


def _with_payload(payload: Any) -> bytes:
    """Another payload under the old signature."""
    header, _, signature = _segments(a_token())
    changed = base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=")
    return b".".join([header, changed, signature])


def _with_header(header: dict[str, Any]) -> bytes:
    _, payload, signature = _segments(a_token())
    changed = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=")
    return b".".join([changed, payload, signature])


def _hmac_with_pem(algorithm: str = "HS256") -> bytes:
    """The classic confusion: our public key as the secret.

    PyJWT refuses to sign so, hence by hand.
    """
    import hashlib
    import hmac

    def encoded(part: Any) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")

    text = encoded({"alg": algorithm, "typ": "JWT"}) + b"." + encoded(claims())
    digest = base64.urlsafe_b64encode(
        hmac.new(pem().encode(), text, hashlib.sha256).digest()
    ).rstrip(b"=")
    return text + b"." + digest


FORGED: dict[str, Callable[[], bytes]] = {
    "other key": lambda: a_token(key=OTHER_KEY),
    "alg none": lambda: jwt.encode(claims(), "", algorithm="none").encode(),
    "alg none with the old signature": lambda: _with_header({"alg": "none"}),
    "alg None in odd case": lambda: _with_header({"alg": "nOnE"}),
    "HS256 keyed with the PEM": _hmac_with_pem,
    "HS512 keyed with the PEM": lambda: _hmac_with_pem("HS512"),
    "RS384": lambda: a_token(algorithm="RS384"),
    "RS512": lambda: a_token(algorithm="RS512"),
    "PS256": lambda: a_token(algorithm="PS256"),
    "header says RS512": lambda: _with_header({"alg": "RS512"}),
    "header without alg": lambda: _with_header({"typ": "JWT"}),
    "header is a list": lambda: b".".join(
        [base64.urlsafe_b64encode(b"[]"), *_segments(a_token())[1:]]
    ),
    "unknown critical header": lambda: _with_header({"alg": "RS256", "crit": ["x"], "x": 1}),
    "embedded key": lambda: _with_header(
        {"alg": "RS256", "jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}}
    ),
    "changed payload": lambda: _with_payload(claims(an_envelope(an_event(entityId="rating-2")))),
    "changed exp": lambda: _with_payload(claims(exp=NOW + 10**6)),
    "signature cut": lambda: a_token()[:-20],
    "signature empty": lambda: b".".join([*_segments(a_token())[:2], b""]),
    "signature of another token": lambda: b".".join(
        [*_segments(a_token())[:2], _segments(a_token(claims(iat=NOW - 5)))[2]]
    ),
    "two segments": lambda: b".".join(_segments(a_token())[:2]),
    "four segments": lambda: a_token() + b".AAAA",
    "a byte flipped in the payload": lambda: (
        a_token()[:100] + bytes([a_token()[100] ^ 1]) + a_token()[101:]
    ),
    "expired": lambda: a_token(claims(exp=NOW - 120)),
    "expired long ago": lambda: a_token(claims(exp=1)),
    "exp is a text": lambda: a_token(claims(exp="soon")),
    "exp is huge": lambda: _with_payload(claims(exp=10**400)),
    "nbf in the future": lambda: a_token(claims(nbf=NOW + 86_400)),
    "JSON instead of a token": lambda: json.dumps(claims()).encode(),
    "token in quotes": lambda: b'"' + a_token() + b'"',
    "Bearer prefix": lambda: b"Bearer " + a_token(),
    "form encoded": lambda: b"token=" + a_token(),
    "not ASCII": lambda: a_token() + "ü".encode(),
    "NUL bytes": lambda: b"\x00" * 64,
    "only dots": lambda: b"..",
    "empty": lambda: b"",
    "claims are no object": lambda: jwt.api_jws.encode(b"[1]", KEY, algorithm="RS256").encode(),
    "claims are no JSON": lambda: jwt.api_jws.encode(b"?", KEY, algorithm="RS256").encode(),
    "data is no JSON": lambda: a_token(claims("?")),
    "data is a number": lambda: a_token(claims(data=5)),
    "no data": lambda: a_token({"exp": NOW + 60}),
    "event is no JSON": lambda: a_token(claims(an_envelope("{"))),
    "event without entity id": lambda: a_token(claims(an_envelope(an_event(entityId="")))),
    "instance id is an object": lambda: a_token(
        claims(an_envelope(instanceId={"a": 1}) | {"instanceId": "\x00"})
    ),
}


@pytest.mark.parametrize("variant", sorted(FORGED))
def test_forged_or_broken_body_is_rejected(variant: str) -> None:
    assert isinstance(read(FORGED[variant]()), Rejected)


def test_there_are_at_least_25_forged_variants() -> None:
    assert len(FORGED) >= 25


@given(st.binary(max_size=400))
def test_no_bytes_make_it_raise(body: bytes) -> None:
    assert isinstance(read(body), Rejected)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)
NAMES = (
    "id",
    "entityId",
    "slug",
    "entityFqdn",
    "createdEvent",
    "updatedEvent",
    "entityEventSequence",
    "eventTime",
)


@given(
    st.dictionaries(st.sampled_from(NAMES), JSON),
    st.dictionaries(st.sampled_from(["identity", "instanceId"]), JSON),
)
def test_no_signed_content_makes_it_raise(event: dict[str, Any], envelope: dict[str, Any]) -> None:
    assert read(a_token(claims(an_envelope(an_event() | event) | envelope))) is not None


# -- the public key


def test_key_is_read_in_every_form_that_people_paste() -> None:
    plain = pem()
    forms = [
        plain,
        plain.replace("\n", "\\n"),
        base64.b64encode(plain.encode()).decode(),
        f"  {plain}  ",
    ]
    for form in forms:
        assert isinstance(read_delivery(a_token(), load_public_keys(form), APP_ID), NewDelivery)


def test_two_keys_serve_at_once_while_one_replaces_the_other() -> None:
    keys = load_public_keys(pem(OTHER_KEY) + "\n" + pem())
    assert isinstance(read_delivery(a_token(), keys, APP_ID), NewDelivery)
    assert isinstance(read_delivery(a_token(key=OTHER_KEY), keys, APP_ID), NewDelivery)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no key",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        base64.b64encode(b"x").decode(),
    ],
)
def test_key_that_is_none_is_refused_with_words(text: str) -> None:
    with pytest.raises(Misconfigured, match="WIX_PUBLIC_KEY"):
        load_public_keys(text)


# -- people and sites that change


def a_contact_event(slug: str, **parts: Any) -> bytes:
    event = {
        "id": "e-1",
        "entityFqdn": "wix.contacts.v4.contact",
        "slug": slug,
        "entityId": "contact-1",
        **parts,
    }
    return a_token(claims(an_envelope(event)))


MERGED = {
    "targetContactId": "contact-1",
    "sourceContactIds": ["contact-2"],
    "targetContact": {"id": "contact-1"},
}
CONTACT_EVENTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "created": ("created", {"createdEvent": {"entity": {"id": "contact-1"}}}, "contact_changed"),
    "updated": (
        "updated",
        {"updatedEvent": {"currentEntity": {"id": "contact-1"}}},
        "contact_changed",
    ),
    "deleted": ("deleted", {"deletedEvent": {}}, "contact_deleted"),
    "deleted, without a body": ("deleted", {}, "contact_deleted"),
    "merged": ("merged", {"actionEvent": {"body": MERGED}}, "contact_merged"),
    "merged, older form": (
        "merged",
        {"actionEvent": {"bodyAsJson": json.dumps(MERGED)}},
        "contact_merged",
    ),
    "merge, as one guide spells it": ("merge", {"actionEvent": {"body": MERGED}}, "contact_merged"),
}


@pytest.mark.parametrize("name", sorted(CONTACT_EVENTS))
def test_contact_event_becomes_a_delivery(name: str) -> None:
    slug, parts, change = CONTACT_EVENTS[name]
    delivery = accepted(a_contact_event(slug, **parts))
    assert (delivery.change, delivery.remote_id, delivery.privacy) == (change, "contact-1", False)
    if change == "contact_merged":
        assert merge_of_event(delivery.payload) == Merge(("contact-2",), "contact-1")


def test_contact_deletion_after_a_privacy_request_is_marked() -> None:
    assert accepted(a_contact_event("deleted", triggeredByAnonymizeRequest=True)).privacy


def test_merge_that_names_no_source_is_none() -> None:
    assert (
        merge_of_event(
            {"actionEvent": {"body": {"targetContactId": "a", "sourceContactIds": ["a", 5]}}}
        )
        is None
    )
    assert merge_of_event({"actionEvent": {"bodyAsJson": "{"}}) is None


def an_app_event(event_type: str, inner: Any = None, **changes: Any) -> bytes:
    inner = {"appId": APP_ID} if inner is None else inner
    envelope = {"eventType": event_type, "instanceId": "instance-1", "data": json.dumps(inner)}
    return a_token(claims(envelope, **changes))


@pytest.mark.parametrize(
    ("event_type", "change"), [("AppInstalled", "app_installed"), ("AppRemoved", "app_removed")]
)
def test_app_event_becomes_a_delivery_of_its_instance(event_type: str, change: str) -> None:
    delivery = accepted(an_app_event(event_type, iat=1_767_323_045))
    assert (delivery.change, delivery.source, delivery.remote_id) == (
        change,
        "instance-1",
        "instance-1",
    )
    assert delivery.event_time is not None
    assert delivery.event_time.timestamp() == 1_767_323_045


def test_second_installation_is_another_event_and_a_redelivery_is_not() -> None:
    first, again = (
        accepted(an_app_event("AppInstalled", iat=5)),
        accepted(an_app_event("AppInstalled", iat=5)),
    )
    second = accepted(an_app_event("AppInstalled", iat=6))
    assert first.dedupe_id == again.dedupe_id != second.dedupe_id


def test_event_of_another_app_is_ignored() -> None:
    assert isinstance(read(an_app_event("AppRemoved", {"appId": "somebody-else"})), Ignored)


@pytest.mark.parametrize(
    ("slug", "status", "change"),
    [
        ("created", "INSTALLED", "app_installed"),
        ("updated", "INSTALLED", "app_installed"),
        ("updated", "UNINSTALLED", "app_removed"),
        ("deleted", None, "app_removed"),
    ],
)
def test_newer_installation_event_says_the_same(slug: str, status: str | None, change: str) -> None:
    part = {"created": "createdEvent", "updated": "updatedEvent"}.get(slug, "deletedEvent")
    body = (
        {"entity" if slug == "created" else "currentEntity": {"status": status}} if status else {}
    )
    fqdn = "wix.app.installations.v1.app_installation"
    event = {
        "id": "e-1",
        "entityFqdn": fqdn,
        "slug": slug,
        "entityId": "installation-1",
        part: body,
    }
    delivery = accepted(a_token(claims(an_envelope(event))))
    assert (delivery.change, delivery.remote_id) == (change, "instance-1")


@pytest.mark.parametrize("entity_id", ["a\x00b", "\ud83d", "a" * 65, "a" * 5000])
def test_signed_id_that_can_name_nothing_is_stored_by_its_digest(entity_id: str) -> None:
    delivery = accepted(a_token(claims(an_envelope(an_event(entityId=entity_id)))))
    assert re.fullmatch("unusable:[0-9a-f]{32}", delivery.remote_id)
    assert is_storable(str(delivery.payload))


@pytest.mark.parametrize("event_id", ["a\x00b", "\ud83d", "e" * 5000, 5, ["e"]])
def test_event_of_an_odd_id_is_known_by_its_content(event_id: object) -> None:
    dedupe_id = accepted(a_token(claims(an_envelope(an_event(id=event_id))))).dedupe_id
    assert dedupe_id is not None
    assert dedupe_id.startswith("sha256:")


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ("20260101T000000.123456+235959.999999", "2025-12-31T00:00:00.123457+00:00"),
        ("2026-01-02T03:04:05.678901234Z", "2026-01-02T03:04:05.678901+00:00"),
        ("2026-01-02", "2026-01-02T00:00:00+00:00"),
        ("0001-01-01T00:00:00+23:59", None),
        ("9" * 100_000, None),
    ],
)
def test_time_of_an_event_fits_its_column_or_is_none(told: str, text: str | None) -> None:
    time_ = accepted(a_token(claims(an_envelope(an_event(eventTime=told))))).event_time
    assert (time_.isoformat() if time_ else None) == text
    assert time_ is None or len(time_.isoformat()) <= 40


@pytest.mark.parametrize("word", ["a\x00", "\ud83d"])
def test_words_of_an_event_that_is_an_object_are_guarded(word: str) -> None:
    event = an_event() | {"more": word, word: 1}
    assert is_storable(str(accepted(a_token(claims(an_envelope() | {"data": event}))).payload))


def test_event_that_is_an_object_and_no_json_is_malformed() -> None:
    event = an_event() | {"more": float("nan")}
    rejected = read(a_token(claims(None, data=an_envelope() | {"data": event})))
    assert isinstance(rejected, Rejected)
    assert rejected.reason.endswith("_is_no_json")
