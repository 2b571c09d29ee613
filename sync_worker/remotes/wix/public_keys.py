"""The keys that Wix signs webhooks with, as people copy them from the app's dashboard."""

from __future__ import annotations

import base64
import binascii
import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_public_key,
)

from sync_worker.core.errors import Misconfigured
from sync_worker.core.pasted import bare

PEM = re.compile(
    r"-----BEGIN (?:RSA )?PUBLIC KEY-----.+?-----END (?:RSA )?PUBLIC KEY-----", re.DOTALL
)
WRITTEN_BREAK = re.compile(r"(?:\\+r)?\\+n")
COPY = (
    "copy it from your app's dashboard (Webhooks, Public Key), whole, with its BEGIN PUBLIC KEY and"
    " END PUBLIC KEY lines: in quotes, or on one line with \\n for its line ends, or as base64"
)


def load_public_keys(text: str) -> tuple[RSAPublicKey, ...]:
    """Keys from a setting; several at once for a rotation.

    Each is PEM (its line breaks may be lost or written as ``\\n``), base64 of a PEM, or the lines
    between BEGIN and END alone. Raises Misconfigured, without a part of the text.
    """
    plain = WRITTEN_BREAK.sub("\n", bare(text))
    keys = _keys_in(plain)
    if not keys:
        raise Misconfigured(f"WIX_PUBLIC_KEY {_what_it_is(plain)}; {COPY}")
    if not all(isinstance(key, RSAPublicKey) for key in keys):
        raise Misconfigured("WIX_PUBLIC_KEY is not an RSA key; Wix signs with RS256")
    return tuple(key for key in keys if isinstance(key, RSAPublicKey))


def _keys_in(text: str) -> list[PublicKeyTypes]:
    if "-----BEGIN" in text:
        return _keys_of_pems(text)
    # One key over several lines, or several keys apart from each other by blanks or commas.
    whole = _keys_of_base64("".join(text.split()))
    if whole:
        return whole
    return [key for part in re.split(r"[\s,]+", text) for key in _keys_of_base64(part)]


def _keys_of_pems(text: str) -> list[PublicKeyTypes]:
    # What else stands in it tells that the wrong thing was copied.
    if "PRIVATE KEY" in text or text.startswith("{"):
        return []
    try:
        return [load_pem_public_key(pem.encode()) for pem in PEM.findall(text)]
    except (ValueError, UnsupportedAlgorithm):
        raise Misconfigured(f"WIX_PUBLIC_KEY is cut or damaged; {COPY}") from None


def _keys_of_base64(text: str) -> list[PublicKeyTypes]:
    """Keys of the base64 of a PEM, or of what stands between its first and last line."""
    content = _decoded(text)
    if b"-----BEGIN" in content:
        return _keys_of_pems(content.decode(errors="replace"))
    try:
        return [load_der_public_key(content)] if content else []
    except (ValueError, UnsupportedAlgorithm):
        return []


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _what_it_is(text: str) -> str:
    """What was pasted in the place of a public key."""
    if not text:
        return "is not set"
    if "PRIVATE KEY" in text or _is_private_body(text):
        return "holds a private key, which must stay where it is"
    if text.startswith(("{", "[")):
        return "holds JSON; it takes the key alone"
    if "BEGIN CERTIFICATE" in text:
        return "holds a certificate"
    if text.startswith("ssh-"):
        return "holds a key of ssh"
    if "-----BEGIN" in text and len(text.strip().splitlines()) == 1 and "-----END" not in text:
        return "ends after its BEGIN line, as an unquoted value of several lines does"
    if "-----BEGIN" in text and "-----END" not in text:
        return "has no END PUBLIC KEY line: its end is missing"
    if "BEGIN" in text:
        return "has other dashes than the five hyphens (-----) before and after BEGIN and END"
    return "holds no public key"


def _is_private_body(text: str) -> bool:
    try:
        load_der_private_key(_decoded("".join(text.split())), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True
