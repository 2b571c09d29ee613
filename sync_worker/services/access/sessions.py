"""Sessions: who the holder of a secret is, from login to logout."""

from __future__ import annotations

from dataclasses import dataclass

from sync_worker.ledger.access.sessions import OwnerOf, SessionRow, SqlSessions
from sync_worker.services.access.secrets import hash_of, new_secret
from sync_worker.services.access.who import Role, Who

CODE_SECONDS = 60.0
FRESH_SECONDS = 300.0  # so long a password that was given counts for what cannot be undone


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is in. ``locale``: which Wix shows its owner, or which was chosen since."""

    hash: str
    who: Who
    locale: str = ""
    is_fresh: bool = False
    person_id: int | None = None

    @property
    def is_owner(self) -> bool:
        return self.who.role is Role.OWNER


class Sessions:
    """Begins, finds and ends sessions; 30 minutes idle, 12 hours at most. Raises Transient."""

    def __init__(self, store: SqlSessions) -> None:
        self._store = store

    def begin(self, person_id: int) -> str:
        """The secret of a new session, for its browser alone."""
        secret = new_secret()
        self._store.begin_for_person(hash_of(secret), person_id)
        return secret

    def begin_for_owner(self, of: OwnerOf) -> str:
        """A code for a session of one site; ``take_over`` gives its secret, once, in a minute.

        The code stands in an address, the secret never does.
        """
        code = new_secret()
        self._store.begin_for_owner(_hash_of_code(code), of)
        return code

    def take_over(self, code: str) -> str | None:
        """The secret of the session that was begun with this code."""
        secret = new_secret()
        is_there = self._store.rename(_hash_of_code(code), hash_of(secret), CODE_SECONDS)
        return secret if is_there else None

    def find(self, secret: str) -> Session | None:
        """Whose session it is; ``None``: nobody's, or not any more."""
        row = self._store.find(hash_of(secret))
        return None if row is None else _session(row)

    def note_password(self, session: Session) -> None:
        """The password was given again: what cannot be undone may be done for a while."""
        self._store.note_password(session.hash)

    def choose_language(self, session: Session, language: str) -> None:
        """Until its end the pages are in this language."""
        self._store.note_locale(session.hash, language)

    def end(self, session: Session) -> None:
        self._store.end(session.hash)

    def end_of_person(self, person_id: int) -> int:
        """How many there were."""
        return self._store.end_of_person(person_id)

    def forget_old(self) -> None:
        self._store.forget_old()


def _hash_of_code(code: str) -> str:
    return hash_of(f"code {code}")


def _session(row: SessionRow) -> Session:
    if row.role is None:
        who = Who(f"owner:{row.uid}", Role.OWNER, row.site_id)
        return Session(row.hash, who, row.locale)
    is_fresh = row.fresh_seconds < FRESH_SECONDS
    return Session(row.hash, Who(row.name, Role(row.role)), row.locale, is_fresh, row.person_id)
