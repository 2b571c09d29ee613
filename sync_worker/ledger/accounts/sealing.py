"""Secrets of accounts as they lie in the ledger: whoever seals them can't open them.

A data key, agreed on by X25519 between a key pair of this one text and our public key, seals it
with Fernet; the account's public id and the secret's name go into that key, so that a text copied
to another row does not open. Sealing needs the public key alone; several keys open.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sync_worker.core.errors import Misconfigured, SyncError

FORM = "x1"  # the first part of each sealed text
KEY_BYTES = 32
ID_CHARACTERS = 8  # of a key's id, the second part
NEXT_STEP = "`ratings-sync secrets new-key` prints a key"


class CannotOpen(SyncError):
    """A sealed secret does not open: another key, another account, or it was damaged."""


def new_key() -> str:
    """A key that opens, as a line of SECRETS_KEY."""
    return _text_of(X25519PrivateKey.generate().private_bytes_raw())


def public_of(key: str) -> str:
    """The key that only seals, of one that opens. Raises Misconfigured."""
    return _text_of(_private(key, "SECRETS_KEY").public_key().public_bytes_raw())


class Sealer:
    """Seals with a public key; opens nothing."""

    def __init__(self, public: str) -> None:
        """Raises Misconfigured."""
        raw = _key_bytes(public, "SECRETS_SEALING_KEY")
        self._public, self._id = X25519PublicKey.from_public_bytes(raw), _id_of(raw)

    def sealed(self, text: str, *, account: str, name: str) -> str:
        """The sealed text, for this account and secret only."""
        once = X25519PrivateKey.generate()
        public = once.public_key().public_bytes_raw()
        fernet = _fernet(once.exchange(self._public), public, account, name)
        token = fernet.encrypt(text.encode()).decode()
        return ".".join((FORM, self._id, _text_of(public), token))


class Opener:
    """Opens what was sealed for any of its keys; the first is the one that seals now."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Raises Misconfigured."""
        if not keys:
            raise Misconfigured(f"SECRETS_KEY has no key; {NEXT_STEP}")
        private = [_private(key, "SECRETS_KEY") for key in keys]
        ids = [_id_of(key.public_key().public_bytes_raw()) for key in private]
        self._current, self._keys = ids[0], dict(zip(ids, private, strict=True))

    @property
    def key_ids(self) -> frozenset[str]:
        """Of its keys, as sealed texts name them."""
        return frozenset(self._keys)

    @property
    def current_id(self) -> str:
        """Of the key that seals."""
        return self._current

    def opened(self, sealed: str, *, account: str, name: str) -> str:
        """The secret. Raises CannotOpen."""
        key_id, public, token = _parts(sealed)
        key = self._keys.get(key_id)
        if key is None:
            raise CannotOpen(
                f"secret {name} of account {account} was sealed for key {key_id}, which"
                " SECRETS_KEY does not hold: add that key after the first, or give the secret anew"
            )
        try:
            shared = key.exchange(X25519PublicKey.from_public_bytes(public))
            return _fernet(shared, public, account, name).decrypt(token).decode()
        except (InvalidToken, ValueError) as error:
            raise CannotOpen(
                f"secret {name} of account {account} does not open: it was damaged, or is another"
                " account's; give the secret anew"
            ) from error

    def is_current(self, sealed: str) -> bool:
        """Whether it was sealed for the first key."""
        return sealed.startswith(f"{FORM}.{self._current}.")


def keys_in(text: str) -> list[str]:
    """The keys of a setting: separated by commas or lines."""
    return [key for line in text.splitlines() for key in map(str.strip, line.split(",")) if key]


def _parts(sealed: str) -> tuple[str, bytes, bytes]:
    """The id of the key, the public key and the token. Raises CannotOpen."""
    parts = sealed.split(".")
    try:
        form, key_id, public, token = parts
        raw = _raw_of(public)
        _raw_of(token)
    except ValueError as error:
        raise CannotOpen("a sealed secret was damaged: give the secret anew") from error
    if form != FORM or len(raw) != KEY_BYTES:
        raise CannotOpen("a sealed secret was damaged: give the secret anew")
    return key_id, raw, token.encode()


def _raw_of(text: str) -> bytes:
    """Bytes of their base64, and of that text alone. Raises ValueError."""
    # Strictly: a character that is no part of base64 would be left out unseen.
    raw = base64.b64decode(text.encode(), altchars=b"-_", validate=True)
    if _text_of(raw) != text:
        raise ValueError("bits are set that stand for no byte")
    return raw


def _fernet(shared: bytes, public: bytes, account: str, name: str) -> Fernet:
    info = b"ratings-sync account " + account.encode() + b"\0" + name.encode()
    key = HKDF(SHA256(), KEY_BYTES, salt=public, info=info).derive(shared)
    return Fernet(base64.urlsafe_b64encode(key))


def _id_of(public: bytes) -> str:
    """A short name of a key, which tells nothing of what opens."""
    return hashlib.sha256(public).hexdigest()[:ID_CHARACTERS]


def _private(key: str, setting: str) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(_key_bytes(key, setting))


def _key_bytes(key: str, setting: str) -> bytes:
    """Raises Misconfigured, without a character of the key."""
    try:
        raw = _raw_of(key)
    except ValueError:
        raw = b""
    if len(raw) != KEY_BYTES:
        raise Misconfigured(
            f"{setting} holds {len(key)} characters that are no key: each is {KEY_BYTES} bytes in"
            f" base64, 44 characters; {NEXT_STEP}"
        )
    return raw


def _text_of(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()
