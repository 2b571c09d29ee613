"""Webhook signatures as data. Pure: bytes, headers and the time in, a verdict out; nothing from outside raises."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import assert_never

from pydantic import SecretStr

from sync_worker.connector.manifest import HmacVerify, StandardWebhooksVerify, Verify

MAX_SIGNATURES = 16
MAX_HEADER = 4096


def is_signed(scheme: Verify, body: bytes, headers: Mapping[str, str], now: float) -> bool:
    """Whether one of the scheme's secrets signed this body. Header names in lower case."""
    match scheme:
        case HmacVerify():
            return _is_hmac_signed(scheme, body, headers, now)
        case StandardWebhooksVerify():
            return _is_standard_signed(scheme, body, headers, now)
        case _:
            assert_never(scheme)


def _secrets(scheme: Verify) -> Iterator[str]:
    both: tuple[SecretStr | None, ...] = (scheme.secret, scheme.previous_secret)
    return (secret.get_secret_value() for secret in both if secret is not None)


def _is_hmac_signed(scheme: HmacVerify, body: bytes, headers: Mapping[str, str], now: float) -> bool:
    header = headers.get(scheme.header.lower(), "")
    if not header or len(header) > MAX_HEADER:
        return False
    signatures, timestamp = _signatures_in(scheme, header)
    if scheme.pairs is not None and scheme.pairs.timestamp is not None and not _is_fresh(timestamp, scheme, now):
        return False
    text = _signed_text(scheme, body, headers, timestamp)
    if text is None or not signatures:
        return False
    return any(
        _is_equal(signature, hmac.new(secret.encode(), text, scheme.algorithm).digest(), scheme.encoding)
        for secret in _secrets(scheme)
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


def _is_fresh(timestamp: str, scheme: Verify, now: float) -> bool:
    is_plain = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12
    return is_plain and abs(now - int(timestamp)) <= scheme.tolerance_s


def _signed_text(scheme: HmacVerify, body: bytes, headers: Mapping[str, str], timestamp: str) -> bytes | None:
    parts: list[bytes] = []
    for part in scheme.signed:
        if part.body:
            parts.append(body)
        elif part.text is not None:
            parts.append(part.text.encode())
        else:
            name = part.header or ""
            value = timestamp if name == "*timestamp" else headers.get(name.lower())
            if value is None:
                return None
            parts.append(value.encode("utf-8", "surrogateescape"))
    return b"".join(parts)


def _is_equal(given: str, right: bytes, encoding: str) -> bool:
    if not given.isascii():
        return False
    try:
        decoded = bytes.fromhex(given) if encoding == "hex" else base64.b64decode(given, validate=True)
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(decoded, right)


def _is_standard_signed(scheme: StandardWebhooksVerify, body: bytes, headers: Mapping[str, str], now: float) -> bool:
    """Signed text is ``id.timestamp.body``; the header lists ``v1,<base64>``, separated by blanks."""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    header = headers.get("webhook-signature", "")
    if not message_id or len(header) > MAX_HEADER or not _is_fresh(timestamp, scheme, now):
        return False
    text = f"{message_id}.{timestamp}.".encode("utf-8", "surrogateescape") + body
    signatures = [part[3:] for part in header.split(" ") if part.startswith("v1,")][:MAX_SIGNATURES]
    return any(
        _is_equal(signature, hmac.new(key, text, hashlib.sha256).digest(), "base64")
        for secret in _secrets(scheme)
        if (key := _standard_key(secret)) is not None
        for signature in signatures
    )


def _standard_key(secret: str) -> bytes | None:
    """``whsec_`` and base64, or the raw text."""
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (ValueError, binascii.Error):
        return None
