"""Passwords: argon2id, and what one has to be like."""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from sync_worker.core.errors import Misconfigured
from sync_worker.core.said import said

MIN_LENGTH, MAX_LENGTH = 12, 1024
# https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# Each takes 19 MiB: many logins at once wait for each other.
_TURN = threading.Semaphore(2)
# Of nobody: to refuse an unknown name takes as long as a wrong password.
_NOBODYS = _HASHER.hash("nobody has this one")


def hashed(password: str, name: str) -> str:
    """What is kept of a password. Raises Misconfigured if it is too easy to guess."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise Misconfigured(
            said("a password has %(num)s characters or more; choose a longer one", num=MIN_LENGTH)
        )
    if password.casefold() == name.casefold() or len(set(password)) < MIN_LENGTH // 3:
        raise Misconfigured(said("this password is too easy to guess; choose another one"))
    with _TURN:
        return _HASHER.hash(password)


def is_right(password: str, kept: str | None) -> bool:
    """``kept``: ``None`` of somebody who has none, or is not there."""
    try:
        with _TURN:
            _HASHER.verify(kept or _NOBODYS, password[:MAX_LENGTH])
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None


def is_outdated(kept: str) -> bool:
    """Whether it was made with other costs than those of now."""
    return _HASHER.check_needs_rehash(kept)
