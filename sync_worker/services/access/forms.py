"""Actions of people: done once, however often their form comes, and on what they had seen."""

from __future__ import annotations

from collections.abc import Callable

from sync_worker.core.errors import SyncError
from sync_worker.ledger.access.forms import SqlForms
from sync_worker.services.access.secrets import hash_of
from sync_worker.services.access.sessions import Session


class ChangedMeanwhile(SyncError):
    """Somebody else has changed it since it was shown. The message says who, and what."""


class UnderWay(SyncError):
    """The same form came a moment ago, and what it asks for is being done."""


class KeyUsed(SyncError):
    """The key came with another request in the last 24 hours; take a new key for a new request."""


class Forms:
    """By the token that each form has; the results are those of one session."""

    def __init__(self, store: SqlForms) -> None:
        self._store = store

    def once(self, token: str, session: Session, act: Callable[[], str]) -> str:
        """What came of it, in a sentence: of now, or of the first time.

        Raises UnderWay, and what ``act`` raises: then the form can be sent again.
        """
        hash_ = hash_of(token)
        if not self._store.claim(hash_, session.hash):
            return self._first_result(token, session)
        try:
            result = act()
        except BaseException:
            self._store.let_go(hash_)
            raise
        self._store.note_result(hash_, result)
        return result

    def once_by_key(self, key: str, secret: str, asked: str, act: Callable[[], str]) -> str:
        """The same for what a program asks by a key of its own; ``secret``: of its token.

        Raises KeyUsed where the key came with something else than ``asked``.
        """
        hash_, of = hash_of(f"{secret} {key}"), hash_of(f"{secret} {asked}")
        self._store.forget_old()
        if not self._store.claim(hash_, of):
            found = self._store.find(hash_, of)
            if found is None:
                raise KeyUsed
            if found.result is None:
                raise UnderWay
            return found.result
        try:
            result = act()
        except BaseException:
            self._store.let_go(hash_)
            raise
        self._store.note_result(hash_, result)
        return result

    def forget_old(self) -> None:
        self._store.forget_old()

    def _first_result(self, token: str, session: Session) -> str:
        result = self.result_of(token, session)
        if result is None:
            raise UnderWay
        return result

    def result_of(self, token: str, session: Session) -> str | None:
        """What came of a form of this session; ``None``: nothing yet, or no such form."""
        found = self._store.find(hash_of(token), session.hash)
        return None if found is None else found.result
