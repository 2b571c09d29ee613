"""A rating that Wix tells of: verified, then read; whatever else comes is ignored or refused."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_worker.core.values import Side
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
from tests.unit.webhook_gateway.wix_door import accepted, read
from webhook_gateway.wix import Ignored, Rejected

NOW = int(time.time())


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
