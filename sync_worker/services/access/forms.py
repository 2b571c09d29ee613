"""Actions of people: done once, however often their form comes, and on what they had seen."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread

from sync_worker.core.errors import SyncError
from sync_worker.ledger.access.forms import SqlForms
from sync_worker.services.access.secrets import hash_of
from sync_worker.services.access.sessions import Session

# Often enough that a few in a row may fail.
RENEW_SECONDS = 60.0


class ChangedMeanwhile(SyncError):
    """Somebody else has changed it since it was shown. The message says who, and what."""


class UnderWay(SyncError):
    """The same form came a moment ago, and what it asks for is being done."""


class OutcomeUnknown(SyncError):
    """It was begun, and who did it is gone: it may be done, or not. Look, then send it again."""


class KeyUsed(SyncError):
    """The key came with another request in the last 24 hours; take a new key for a new request."""


class Claim:
    """Renewed for as long as its action is being done, however long that takes."""

    def __init__(
        self, store: SqlForms, hash_: str, claimed_at: float, renew_seconds: float
    ) -> None:
        self._store, self._hash, self.claimed_at = store, hash_, claimed_at
        self._renew_seconds = renew_seconds
        self._is_over = Event()
        self._keeper = Thread(target=self._keep, name="form lease", daemon=True)

    def __enter__(self) -> None:
        self._keeper.start()

    def __exit__(self, *_: object) -> None:
        # Joined: a renewal on its way would change the moment that names the claim.
        self._is_over.set()
        self._keeper.join()

    def _keep(self) -> None:
        while not self._is_over.wait(self._renew_seconds):
            # What fails is tried again; meanwhile the claim counts on.
            with suppress(SyncError):
                moment = self._store.renew(self._hash, self.claimed_at)
                if moment is None:
                    return
                self.claimed_at = moment


class Forms:
    """By the token that each form has; the results are those of one session."""

    def __init__(self, store: SqlForms, renew_seconds: float = RENEW_SECONDS) -> None:
        self._store, self._renew_seconds = store, renew_seconds

    def once(self, token: str, session: Session, act: Callable[[], str]) -> str:
        """What came of it, in a sentence: of now, or of the first time.

        Raises UnderWay, OutcomeUnknown, and what ``act`` raises: then the form can be sent again.
        """
        hash_ = hash_of(token)
        claimed_at = self._store.claim(hash_, session.hash)
        if claimed_at is not None:
            return self._done(hash_, claimed_at, act)
        result = self.result_of(token, session)
        if result is None:
            raise self._unended(hash_, session.hash)
        return result

    def once_by_key(self, key: str, secret: str, asked: str, act: Callable[[], str]) -> str:
        """The same for what a program asks by a key of its own; ``secret``: of its token.

        Raises UnderWay, OutcomeUnknown; KeyUsed where the key came with something else than
        ``asked``.
        """
        hash_, of = hash_of(f"{secret} {key}"), hash_of(f"{secret} {asked}")
        self._store.forget_old()
        claimed_at = self._store.claim(hash_, of)
        if claimed_at is not None:
            return self._done(hash_, claimed_at, act)
        found = self._store.find(hash_, of)
        if found is None:
            raise KeyUsed
        if found.result is None:
            raise self._unended(hash_, of)
        return found.result

    def _done(self, hash_: str, claimed_at: float, act: Callable[[], str]) -> str:
        claim = Claim(self._store, hash_, claimed_at, self._renew_seconds)
        try:
            with claim:
                result = act()
        except BaseException:
            self._store.let_go(hash_, claim.claimed_at)
            raise
        self._store.note_result(hash_, claim.claimed_at, result)
        return result

    def _unended(self, hash_: str, of: str) -> UnderWay | OutcomeUnknown:
        """What is to be said of one that has no result yet."""
        return OutcomeUnknown() if self._store.give_up(hash_, of) else UnderWay()

    def forget_old(self) -> None:
        self._store.forget_old()

    def result_of(self, token: str, session: Session) -> str | None:
        """What came of a form of this session; ``None``: nothing yet, or no such form."""
        found = self._store.find(hash_of(token), session.hash)
        return None if found is None else found.result
