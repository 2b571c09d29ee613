"""What only its holder has: random, and kept by its hash alone."""

from __future__ import annotations

import hashlib
import secrets

BITS = 256


def new_secret() -> str:
    """As many random bits as nobody guesses; fit for an address, a cookie, a header."""
    return secrets.token_urlsafe(BITS // 8)


def hash_of(secret: str) -> str:
    """Plain SHA-256 is enough: nobody can try all secrets of 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
