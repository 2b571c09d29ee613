"""The keys that Wix signs webhooks with, as people copy them from the app's dashboard."""

from __future__ import annotations

import base64
import binascii
import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from sync_worker.core.errors import Misconfigured

PEM = re.compile(r"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


def load_public_keys(text: str) -> tuple[RSAPublicKey, ...]:
    """Keys from a setting; several at once for a rotation.

    Each is PEM, base64 of a PEM, or PEM with ``\\n`` escapes. Raises Misconfigured.
    """
    keys = [_load(pem) for pem in _pems(text)]
    if not keys:
        raise Misconfigured(
            "WIX_PUBLIC_KEY holds no public key; copy it from your app's dashboard (Webhooks,"
            " Public Key), whole, with its BEGIN PUBLIC KEY and END PUBLIC KEY lines, or as base64"
            " of all that"
        )
    return tuple(keys)


def _pems(text: str) -> list[str]:
    plain = text.replace("\\n", "\n")
    # PEM, its line breaks written as `\n` where a setting has to fit on one line.
    if "-----BEGIN" in plain:
        return PEM.findall(plain)
    # Base64 of a whole PEM; several stand apart by blanks or commas.
    pems: list[str] = []
    for part in re.split(r"[\s,]+", plain.strip()):
        try:
            pems += PEM.findall(base64.b64decode(part, validate=True).decode())
        except (binascii.Error, ValueError):
            continue
    return pems


def _load(pem: str) -> RSAPublicKey:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Misconfigured(
            f"WIX_PUBLIC_KEY cannot be read: {str(error).splitlines()[0][:120]}"
        ) from None
    if not isinstance(key, RSAPublicKey):
        raise Misconfigured("WIX_PUBLIC_KEY is not an RSA key; Wix signs with RS256")
    return key
