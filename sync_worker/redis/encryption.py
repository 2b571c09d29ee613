"""Seals what is shared through Redis but must not be readable there: access tokens.

The key comes from the app secret, which every process of the fleet has and Redis has not. A new app
secret makes the old seals unreadable: then a token is fetched anew.
"""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class Seal:
    """Authenticated encryption under a key for each name.

    A sealed text moved to another name does not open. Without a secret the key is this process's
    own, and nobody else reads what it sealed.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode() or Fernet.generate_key()

    def _fernet(self, name: str) -> Fernet:
        key = HKDF(SHA256(), 32, salt=None, info=b"ratings-sync " + name.encode()).derive(
            self._secret
        )
        return Fernet(base64.urlsafe_b64encode(key))

    def close(self, name: str, text: str) -> str:
        """The sealed text."""
        return self._fernet(name).encrypt(text.encode()).decode()

    def open(self, name: str, sealed: str) -> str | None:
        """The text; ``None`` for what was sealed under another secret or name, or by nobody."""
        try:
            return self._fernet(name).decrypt(sealed.encode()).decode()
        except InvalidToken:
            return None
