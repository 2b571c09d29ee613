"""Webhook signatures as data.

Pure: what was received and the time in, a verdict out; nothing from outside raises.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

import jwt

from sync_worker.core import exact_json
from sync_worker.manifest.schema.verify import (
    BasicVerify,
    HmacVerify,
    JwtVerify,
    StandardWebhooksVerify,
    StaticHeaderVerify,
    UrlTokenVerify,
    Verify,
)

MAX_SIGNATURES = 16
MAX_HEADER = 4096
# What a sender claims besides the time is the manifest's to check (`claims_equal`).
JWT_OPTIONS = {
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


@dataclass(frozen=True, slots=True)
class Received:
    """A request: header names in lower case; ``now``: when it came, seconds since 1970."""

    body: bytes
    headers: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class Verified:
    """Who sent it is known. ``covers_body``: so is that nobody changed it. ``claims``: of a JWT."""

    covers_body: bool
    claims: Mapping[str, Any] = field(default_factory=dict)


def verified(scheme: Verify, request: Received) -> Verified | None:
    """Whether one of the scheme's secrets vouches for this request."""
    match scheme:
        case HmacVerify():
            is_good = _is_hmac_signed(scheme, request)
        case StandardWebhooksVerify():
            is_good = _is_standard_signed(scheme, request)
        case StaticHeaderVerify():
            is_good = _is_one_of(request.headers.get(scheme.header.lower()), scheme.secrets)
        case UrlTokenVerify():
            is_good = _is_one_of(request.query.get(scheme.name), scheme.secrets)
        case BasicVerify():
            is_good = _is_one_of(
                _basic_pair(request.headers.get("authorization", "")), scheme.secrets
            )
        case JwtVerify():
            return _jwt_verified(scheme, request)
        case _:
            assert_never(scheme)
    return Verified(scheme.covers_body) if is_good else None


# -- plain secrets


def _is_one_of(given: str | None, secrets: Iterator[str]) -> bool:
    """Compared in constant time."""
    if not given or len(given) > MAX_HEADER:
        return False
    text = given.encode("utf-8", "surrogateescape")
    return any(hmac.compare_digest(text, secret.encode()) for secret in secrets)


def _basic_pair(header: str) -> str | None:
    kind, _, value = header.partition(" ")
    if kind.lower() != "basic" or len(value) > MAX_HEADER:
        return None
    try:
        return base64.b64decode(value.strip(), validate=True).decode()
    except (ValueError, binascii.Error):
        return None


# -- HMAC


def _is_hmac_signed(scheme: HmacVerify, request: Received) -> bool:
    header = request.headers.get(scheme.header.lower(), "")
    if not header or len(header) > MAX_HEADER:
        return False
    signatures, timestamp = _signatures_in(scheme, header)
    if scheme.timestamp is not None:
        timestamp = request.headers.get(scheme.timestamp.header.lower(), "")
    unit = 1000 if scheme.timestamp is not None and scheme.timestamp.unit == "ms" else 1
    if scheme.has_timestamp and not _is_fresh(timestamp, scheme.tolerance_s, request.now, unit):
        return False
    text = _signed_text(scheme, request, timestamp)
    if text is None or not signatures:
        return False
    return any(
        _is_equal(signature, hmac.new(key, text, scheme.algorithm).digest(), scheme.encoding)
        for secret in scheme.secrets
        if (key := secret_bytes(secret, scheme.secret_encoding)) is not None
        for signature in signatures
    )


def _signatures_in(scheme: HmacVerify, header: str) -> tuple[list[str], str]:
    """The signatures of a header, and its timestamp if it has one."""
    if scheme.pairs is None:
        has_prefix = header.startswith(scheme.prefix)
        return ([header[len(scheme.prefix) :].strip()] if has_prefix else []), ""
    pairs = [part.strip().partition("=") for part in header.split(",")]
    signatures = [value for name, _, value in pairs if name == scheme.pairs.signature]
    timestamps = [value for name, _, value in pairs if name == scheme.pairs.timestamp]
    return signatures[:MAX_SIGNATURES], timestamps[0] if len(timestamps) == 1 else ""


def _is_fresh(timestamp: str, tolerance_s: int, now: float, unit: int = 1) -> bool:
    is_plain = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 15
    return is_plain and abs(now - int(timestamp) / unit) <= tolerance_s


def _signed_text(scheme: HmacVerify, request: Received, timestamp: str) -> bytes | None:
    parts: list[bytes] = []
    for part in scheme.signed:
        if part.body:
            parts.append(request.body)
        elif part.text is not None:
            parts.append(part.text.encode())
        else:
            value = (
                _in_body(part.path, request)
                if part.path
                else _in_headers(part.header or "", request, timestamp)
            )
            if value is None:
                return None
            parts.append(value.encode("utf-8", "surrogateescape"))
    return b"".join(parts)


def _in_headers(name: str, request: Received, timestamp: str) -> str | None:
    return timestamp if name == "*timestamp" else request.headers.get(name.lower())


def _in_body(path: Any, request: Received) -> str | None:
    """A text or whole number at a path of the body, as it is written there."""
    try:
        value = path.search(exact_json.loads(request.body))
        text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
        return (
            text if text is None or text.isascii() else text.encode().decode()
        )  # lone surrogates: no text
    except ValueError:  # no JSON; JMESPath's errors are ValueErrors too
        return None


def secret_bytes(secret: str, encoding: str) -> bytes | None:
    """A secret as the key that it stands for; ``None`` if it is not in its encoding."""
    try:
        match encoding:
            case "hex":
                return bytes.fromhex(secret)
            case "base64":
                return base64.b64decode(secret, validate=True)
            case _:
                return secret.encode()
    except (ValueError, binascii.Error):
        return None


def _is_equal(given: str, right: bytes, encoding: str) -> bool:
    if not given.isascii():
        return False
    try:
        match encoding:
            case "hex":
                decoded = bytes.fromhex(given)
            case "base64":
                decoded = base64.b64decode(given, validate=True)
            case _:
                decoded = base64.b64decode(
                    given + "=" * (-len(given) % 4), altchars=b"-_", validate=True
                )
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(decoded, right)


# -- Standard Webhooks, Svix


def _is_standard_signed(scheme: StandardWebhooksVerify, request: Received) -> bool:
    """Signed text is ``id.timestamp.body``.

    The header lists ``v1,<base64>``, separated by blanks.
    """
    message_id, timestamp, header = (
        request.headers.get(scheme.header_prefix + name, "")
        for name in ("id", "timestamp", "signature")
    )
    if (
        not message_id
        or len(header) > MAX_HEADER
        or not _is_fresh(timestamp, scheme.tolerance_s, request.now)
    ):
        return False
    text = f"{message_id}.{timestamp}.".encode("utf-8", "surrogateescape") + request.body
    signatures = [part[3:] for part in header.split(" ") if part.startswith("v1,")][:MAX_SIGNATURES]
    return any(
        _is_equal(signature, hmac.new(key, text, hashlib.sha256).digest(), "base64")
        for secret in scheme.secrets
        if (key := _standard_key(secret, scheme.secret_is)) is not None
        for signature in signatures
    )


def _standard_key(secret: str, form: str) -> bytes | None:
    """``whsec_`` and base64, or the raw text."""
    is_base64 = form == "whsec" or (form == "auto" and secret.startswith("whsec_"))
    return secret_bytes(secret.removeprefix("whsec_"), "base64") if is_base64 else secret.encode()


# -- JWT


def _jwt_verified(scheme: JwtVerify, request: Received) -> Verified | None:
    place = (
        request.query.get(scheme.name)
        if scheme.source == "query"
        else request.headers.get(scheme.name.lower())
    )
    token = (place or "").removeprefix("Bearer ").strip()
    if not token or len(token) > MAX_HEADER:
        return None
    found = [
        claims
        for key in scheme.secrets
        if (claims := _claims(scheme, token, key, request.now)) is not None
    ]
    return Verified(scheme.covers_body, found[0]) if found else None


def _claims(scheme: JwtVerify, token: str, key: str, now: float) -> Mapping[str, Any] | None:
    # The time is the request's own, so that samples hold for ever: exp and nbf are compared here.
    options = JWT_OPTIONS | {
        "require": list(scheme.require),
        "verify_exp": False,
        "verify_nbf": False,
    }
    try:
        claims = jwt.decode(token, key, algorithms=list(scheme.algorithms), options=options)  # type: ignore[arg-type]  # options is a TypedDict of every name
        is_alive = now < float(claims.get("exp", math.inf)) + scheme.tolerance_s
        is_born = float(claims.get("nbf", -math.inf)) <= now + scheme.tolerance_s
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
        return None
    has_claims = all(
        str(claims.get(name)) == wanted for name, wanted in scheme.claims_equal.items()
    )
    return claims if is_alive and is_born and has_claims else None
