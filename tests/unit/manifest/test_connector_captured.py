"""A captured delivery that is refused: the command says which known way of signing fits."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import jwt
import pytest

from sync_worker.core.errors import Misconfigured
from sync_worker.manifest.loader import load_manifest, shipped_manifest
from sync_worker.manifest.manifest import Manifest
from sync_worker.manifest.signature_diagnosis import at_its_time, captured, diagnose, is_verified
from sync_worker.manifest.signatures import Received

BODY = b'{"review":{"id":900}}'
NOW = 1_795_000_000.0
JUDGEME = {
    "JUDGEME_SHOP_DOMAIN": "s",
    "JUDGEME_PRIVATE_TOKEN": "private-token",
    "JUDGEME_WEBHOOK_SECRET": "oauth-secret",
}


def judgeme(**environ: str) -> Manifest:
    return load_manifest(shipped_manifest("judgeme"), JUDGEME | environ)


def sent(body: bytes = BODY, **headers: str) -> Received:
    return Received(
        body, {name.lower().replace("_", "-"): value for name, value in headers.items()}, {}, NOW
    )


def mac(secret: bytes, text: bytes = BODY, algorithm: str = "sha256") -> bytes:
    return hmac.new(secret, text, algorithm).digest()


FITTING: dict[str, tuple[Received, str]] = {
    "the other secret": (
        sent(judgeme_hmac_sha256=mac(b"private-token").hex()),
        "with auth.headers.X-Api-Token",
    ),
    "another encoding": (
        sent(judgeme_hmac_sha256=base64.b64encode(mac(b"oauth-secret")).decode()),
        "encoding base64",
    ),
    "another algorithm": (
        sent(judgeme_hmac_sha256=mac(b"oauth-secret", algorithm="sha512").hex()),
        "algorithm sha512",
    ),
    "another header": (
        sent(x_signature=f"sha256={mac(b'oauth-secret').hex()}"),
        "header x-signature",
    ),
    "a line break that an editor added": (
        sent(BODY + b"\n", judgeme_hmac_sha256=mac(b"oauth-secret").hex()),
        "the body without the white space at its end",
    ),
    "a timestamp before the body": (
        sent(x_time="1700000000", x_sig=mac(b"oauth-secret", b"1700000000." + BODY).hex()),
        "timestamp '.' body",
    ),
    "the secret in base64": (
        sent(judgeme_hmac_sha256=mac(base64.b64encode(b"oauth-secret")).hex()),
        ", its base64",
    ),
    "no signature, the secret itself": (
        sent(x_secret="oauth-secret"),
        "static_header: header x-secret",
    ),
    "a JWT": (
        sent(authorization=f"Bearer {jwt.encode({'exp': 1}, 'oauth-secret' * 3, 'HS256')}"),
        "jwt: source header, name authorization, algorithms [HS256]",
    ),
}


@pytest.mark.parametrize("case", sorted(FITTING))
def test_known_variant_that_fits_is_named_and_no_secret_is(case: str) -> None:
    request, words = FITTING[case]
    manifest = judgeme(JUDGEME_WEBHOOK_SECRET="oauth-secret" * 3) if case == "a JWT" else judgeme()
    assert not is_verified(manifest, request)
    told = " ".join(diagnose(manifest, request))
    assert words in told
    assert "oauth-secret" not in told
    assert "private-token" not in told


@pytest.mark.parametrize("end", [b"\n", b" \r\n"])
def test_body_changed_in_the_file_is_no_reason_to_change_the_manifest(end: bytes) -> None:
    """A body that was changed in the file is no reason to change the manifest."""
    told = diagnose(judgeme(), sent(BODY + end, judgeme_hmac_sha256=mac(b"oauth-secret").hex()))
    advice = {one.rpartition("; ")[2] for one in told}
    assert advice == {
        "something changed its end on the way into the file: capture the body to the last byte"
    }


def test_delivery_that_nothing_fits_is_told_what_is_missing() -> None:
    told = diagnose(judgeme(), sent(x_other="1"))
    assert (
        "the delivery has no header JUDGEME-HMAC-SHA256, which the manifest names; it has: x-other"
        in told
    )
    assert "no known way of signing fits" in told[-1]


def test_delivery_with_one_of_several_ways_in_is_not_told_of_the_others() -> None:
    told = diagnose(judgeme(), sent(x_judgeme_hmac_sha256="00"))
    assert len(told) == 1, told
    assert "no known way of signing fits" in told[0]


def test_bigcommerce_secret_that_was_encoded_is_found() -> None:
    environ = {"BC_STORE_HASH": "s", "BC_ACCESS_TOKEN": "t", "BC_CLIENT_SECRET": "client-secret"}
    manifest = load_manifest(shipped_manifest("bigcommerce"), environ)
    encoded = base64.b64encode(b"client-secret")
    signature = "v1," + base64.b64encode(mac(encoded, b"m.1700000000." + BODY)).decode()
    request = sent(webhook_id="m", webhook_timestamp="1700000000", webhook_signature=signature)
    assert any(
        "id.timestamp.body, with webhook.verify.0.secret, its base64" in one
        for one in diagnose(manifest, request)
    )


def raw(signature: str, newline: str) -> bytes:
    lines = [
        "POST /webhooks/external/judgeme?a=b HTTP/1.1",
        "Host: x",
        f"JUDGEME-HMAC-SHA256: {signature}",
        "",
        "",
    ]
    return newline.join(lines).encode() + BODY


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_raw_http_is_read_with_its_body_to_the_last_byte(newline: str) -> None:
    request = captured(raw(mac(b"oauth-secret").hex(), newline))
    assert (request.body, request.query) == (BODY, {"a": "b"})
    assert is_verified(judgeme(), request)


def test_json_form_is_read_too() -> None:
    headers = {"JUDGEME-HMAC-SHA256": mac(b"oauth-secret").hex()}
    for body in ({"body": BODY.decode()}, {"body_base64": base64.b64encode(BODY).decode()}):
        assert is_verified(judgeme(), captured(json.dumps({"headers": headers, **body}).encode()))


@pytest.mark.parametrize(
    "content", [b"", b"hello", b'{"body": 1}', b"{", b"\xff\xfe\x00", b"POST / HTTP/1.1\n\nbody"]
)
def test_file_that_is_no_request_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(Misconfigured, match="the file is"):
        captured(content)


def test_age_of_a_captured_delivery_does_not_matter() -> None:
    environ = {"BC_STORE_HASH": "s", "BC_ACCESS_TOKEN": "t", "BC_CLIENT_SECRET": "client-secret"}
    manifest = load_manifest(shipped_manifest("bigcommerce"), environ)
    digest = hmac.new(b"client-secret", b"m.1700000000." + BODY, hashlib.sha256).digest()
    headers = {
        "webhook_id": "m",
        "webhook_timestamp": "1700000000",
        "webhook_signature": "v1," + base64.b64encode(digest).decode(),
    }
    assert not is_verified(manifest, sent(BODY, **headers))
    assert is_verified(manifest, at_its_time(sent(BODY, **headers), NOW))
