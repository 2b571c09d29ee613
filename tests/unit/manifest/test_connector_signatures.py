"""Signatures as data: what each kind accepts, and everything near it that it must not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, TypeAdapter

from sync_worker.manifest.schema.verify import Verify
from sync_worker.manifest.signatures import Received, Verified, verified

NOW = 1_700_000_000
SECRET, OLD = "a-secret-of-thirty-two-letters-xx", "last-year-of-thirty-two-letters-x"
BODY = b'{"id":"7","at":1700000000}'
SCHEMES: TypeAdapter[Verify] = TypeAdapter(Verify)


def scheme(kind: str, **keys: Any) -> Verify:
    secrets = {"jwt": {"key": SecretStr(SECRET), "previous_key": SecretStr(OLD)}, "basic": {}}
    usual = {"secret": SecretStr(SECRET), "previous_secret": SecretStr(OLD)}
    return SCHEMES.validate_python({"type": kind, **secrets.get(kind, usual), **keys})


def look(
    one: Verify,
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    now: float = NOW,
) -> Verified | None:
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    return verified(one, Received(BODY, lower, query or {}, now))


def mac(text: bytes = BODY, secret: str = SECRET, algorithm: str = "sha256") -> bytes:
    return hmac.new(secret.encode(), text, algorithm).digest()


ENCODED: dict[str, Callable[[bytes], str]] = {
    "hex": bytes.hex,
    "base64": lambda raw: base64.b64encode(raw).decode(),
    "base64url": lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("="),
}


@pytest.mark.parametrize("secret", [SECRET, OLD])
@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("encoding", sorted(ENCODED))
def test_hmac_over_the_body_holds_in_every_encoding_and_with_both_secrets(
    encoding: str, algorithm: str, secret: str
) -> None:
    one = scheme("hmac", header="X-Sig", encoding=encoding, algorithm=algorithm, prefix="sig=")
    good = "sig=" + ENCODED[encoding](mac(secret=secret, algorithm=algorithm))
    assert look(one, {"X-Sig": good}) == Verified(covers_body=True)
    assert look(one, {"X-Sig": good.removeprefix("sig=")}) is None
    assert (
        look(one, {"X-Sig": "sig=" + ENCODED[encoding](mac(b"other", secret, algorithm))}) is None
    )


def test_hmac_with_its_time_in_a_header_holds_for_the_tolerance_only() -> None:
    """An HMAC with its time in a header of its own holds for the tolerance only."""
    one = scheme(
        "hmac",
        header="X-Sig",
        timestamp={"header": "X-Time", "unit": "ms"},
        signed=[{"header": "*timestamp"}, {"text": ":"}, {"body": True}],
        tolerance_s=60,
    )
    stamp = f"{NOW}123"
    headers = {"X-Sig": mac(f"{stamp}:".encode() + BODY).hex(), "X-Time": stamp}
    assert look(one, headers)
    assert look(one, headers, now=NOW + 59)
    assert look(one, headers, now=NOW + 61) is None
    assert look(one, headers, now=NOW - 61) is None
    assert look(one, {**headers, "X-Time": f"{NOW}124"}) is None


def test_hmac_over_paths_of_the_body_says_that_the_body_is_not_covered() -> None:
    one = scheme("hmac", header="X-Sig", signed=[{"path": "at"}, {"text": "."}, {"path": "id"}])
    proof = look(one, {"X-Sig": mac(b"1700000000.7").hex()})
    assert proof is not None
    assert not proof.covers_body


@pytest.mark.parametrize("form", ["hex", "base64"])
def test_secret_may_be_kept_in_an_encoding(form: str) -> None:
    key = b"\x00\x01\xff raw bytes"
    kept = key.hex() if form == "hex" else base64.b64encode(key).decode()
    one = scheme(
        "hmac", header="X-Sig", secret=SecretStr(kept), previous_secret=None, secret_encoding=form
    )
    assert look(one, {"X-Sig": hmac.new(key, BODY, hashlib.sha256).hexdigest()})
    broken = scheme(
        "hmac", header="X-Sig", secret=SecretStr("zz"), previous_secret=None, secret_encoding="hex"
    )
    assert look(broken, {"X-Sig": mac().hex()}) is None


def test_empty_secret_verifies_nothing() -> None:
    empty = {"secret": SecretStr(""), "previous_secret": SecretStr("")}
    assert look(scheme("hmac", header="X-Sig", **empty), {"X-Sig": mac(secret="").hex()}) is None
    assert look(scheme("static_header", header="X-Sig", **empty), {"X-Sig": ""}) is None
    assert look(scheme("url_token", **empty), query={"token": ""}) is None


# -- Standard Webhooks


def standard(secret: bytes, prefix: str = "webhook-", at: int = NOW) -> dict[str, str]:
    digest = hmac.new(secret, f"m1.{at}.".encode() + BODY, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(digest).decode()
    return {f"{prefix}id": "m1", f"{prefix}timestamp": str(at), f"{prefix}signature": signature}


def test_svix_headers_and_an_encoded_secret_hold() -> None:
    key = b"0123456789abcdef"
    one = scheme(
        "standard_webhooks",
        secret=SecretStr("whsec_" + base64.b64encode(key).decode()),
        header_prefix="svix-",
        secret_is="whsec",
    )
    assert look(one, standard(key, "svix-"))
    assert look(one, standard(key)) is None


def test_raw_secret_is_never_decoded() -> None:
    text = "whsec_" + base64.b64encode(b"0123456789abcdef").decode()
    one = scheme("standard_webhooks", secret=SecretStr(text), secret_is="raw_text")
    assert look(one, standard(text.encode()))
    assert look(one, standard(b"0123456789abcdef")) is None


@pytest.mark.parametrize("signature", ["v1", "v1,a,b", "v1,", "v2,xx", "", "v1,\xff"])
def test_broken_standard_signature_is_no_error(signature: str) -> None:
    assert (
        look(
            scheme("standard_webhooks"),
            {**standard(SECRET.encode()), "webhook-signature": signature},
        )
        is None
    )


# -- JWT


def token(secret: str = SECRET, **claims: Any) -> str:
    return jwt.encode(
        {"exp": NOW + 3600, "event_name": "review_update", "store": "s1"} | claims, secret, "HS256"
    )


JWT = scheme("jwt", source="query", name="jwt", claims_equal={"store": "s1"})


@pytest.mark.parametrize("secret", [SECRET, OLD])
def test_jwt_gives_its_claims_and_does_not_cover_the_body(secret: str) -> None:
    proof = look(JWT, query={"jwt": token(secret)})
    assert proof is not None
    assert (proof.covers_body, proof.claims["event_name"]) == (False, "review_update")


def test_jwt_may_come_in_a_header() -> None:
    one = scheme("jwt", source="header", name="Authorization")
    assert look(one, {"Authorization": f"Bearer {token()}"})


def unsigned() -> str:
    head, body = ({"alg": "none", "typ": "JWT"}, {"exp": NOW + 60, "store": "s1"})
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in (head, body)
    ]
    return ".".join([*parts, ""])


FORGED: dict[str, Callable[[], str]] = {
    "other secret": lambda: token("another-secret-of-thirty-two-lettrs"),
    "expired": lambda: token(exp=NOW - 61),
    "not yet valid": lambda: token(nbf=NOW + 61),
    "without an end": lambda: jwt.encode({"store": "s1"}, SECRET, "HS256"),
    "end that is no time": lambda: token(exp="soon"),
    "of another store": lambda: token(store="s2"),
    "other algorithm": lambda: jwt.encode({"exp": NOW + 60, "store": "s1"}, SECRET * 2, "HS512"),
    "unsigned": unsigned,
    "no token": lambda: "x.y.z",
    "empty": lambda: "",
    "huge": lambda: "a" * 9000,
}


@pytest.mark.parametrize("case", sorted(FORGED))
def test_forged_jwt_is_refused(case: str) -> None:
    assert look(JWT, query={"jwt": FORGED[case]()}) is None


# -- plain secrets


@pytest.mark.parametrize("secret", [SECRET, OLD])
def test_static_header_and_url_token_take_the_secret_and_the_one_before(secret: str) -> None:
    assert look(scheme("static_header", header="X-Secret"), {"X-Secret": secret}) == Verified(
        covers_body=False
    )
    assert look(scheme("url_token"), query={"token": secret}) == Verified(covers_body=False)
    assert look(scheme("static_header", header="X-Secret"), {"X-Secret": secret + " "}) is None
    assert look(scheme("url_token"), query={"other": secret}) is None


def test_basic_takes_the_pair_only() -> None:
    one = scheme("basic", username=SecretStr("wix"), password=SecretStr(SECRET))
    pair = base64.b64encode(f"wix:{SECRET}".encode()).decode()
    assert look(one, {"Authorization": f"Basic {pair}"})
    for wrong in (
        f"Bearer {pair}",
        "Basic !!",
        "Basic",
        f"Basic {base64.b64encode(b'wix:').decode()}",
        "Basic \xff",
    ):
        assert look(one, {"Authorization": wrong}) is None


KINDS = [
    scheme("hmac", header="X-Sig"),
    scheme("hmac", header="X-Sig", pairs={"signature": "v1", "timestamp": "t"}, encoding="base64"),
    scheme(
        "hmac",
        header="X-Sig",
        signed=[{"path": "a.b"}, {"header": "X-Other"}, {"body": True}],
        encoding="base64url",
    ),
    scheme("standard_webhooks"),
    scheme("static_header", header="X-Sig"),
    scheme("basic", username=SecretStr("u"), password=SecretStr("p")),
    scheme("url_token", name="jwt"),
    JWT,
]
NAMES = [
    "x-sig",
    "x-other",
    "authorization",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
]


@given(
    st.sampled_from(KINDS),
    st.binary(max_size=60),
    st.dictionaries(st.sampled_from(NAMES), st.text(max_size=60)),
    st.dictionaries(st.just("jwt"), st.text(max_size=60)),
)
def test_no_bytes_headers_and_query_verify_or_raise(
    one: Verify, body: bytes, headers: dict[str, str], query: dict[str, str]
) -> None:
    assert verified(one, Received(body, headers, query, NOW)) is None
