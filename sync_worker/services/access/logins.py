"""Logins with a password, or by a one-time link; too many that fail are refused unseen."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from sync_worker.core.said import said
from sync_worker.ledger.access.attempts import SqlAttempts
from sync_worker.ledger.access.people import SqlPeople
from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.services.access.forms import Forms
from sync_worker.services.access.links import Links
from sync_worker.services.access.passwords import hashed, is_outdated, is_right
from sync_worker.services.access.secrets import hash_of
from sync_worker.services.access.sessions import Session, Sessions

MAX_BY_NAME, MAX_BY_ADDRESS = 10, 50  # failures within 15 minutes
log = structlog.get_logger(__name__)


class LoginRefused(Exception):
    """Name and password do not fit, or the link does not count. ``words``: for people."""

    def __init__(self, words: str) -> None:
        self.words = words
        super().__init__(words)


class TooMany(LoginRefused):
    """So many failed that nothing is looked at for a while."""


@dataclass(frozen=True, slots=True)
class Logins:
    """Raises Transient."""

    people: SqlPeople
    links: Links
    sessions: Sessions
    forms: Forms
    attempts: SqlAttempts
    audit: SqlAudit

    def log_in(self, name: str, password: str, address: str) -> str:
        """The secret of a new session. Raises LoginRefused."""
        name = name.strip().casefold()
        person_id = self._checked(name, password, address)
        self._forget_old()
        return self._begin(person_id, name, "login", address)

    def confirm(self, session: Session, password: str, address: str) -> None:
        """The password once more, of somebody who is in. Raises LoginRefused."""
        self._checked(session.who.name, password, address)
        self.sessions.note_password(session)

    def come_in(self, secret: str, password: str, address: str) -> str:
        """By a one-time link; ``password``: a new one, or empty.

        The secret of a new session. Raises LoginRefused, Misconfigured.
        """
        found = self.links.whose(secret)
        # Before the link is used up: a password that is too short can be chosen anew.
        kept = hashed(password, found[1]) if found is not None and password else ""
        found = self.links.use(secret)
        if found is None:
            raise LoginRefused(said("This link was used already, or is older than 15 minutes."))
        person_id, name = found
        if kept:
            self.people.set_password(person_id, kept)
            self.sessions.end_of_person(person_id)
        return self._begin(person_id, name, "login by link", address)

    def log_out(self, session: Session) -> None:
        self.sessions.end(session)
        self.audit.add(session.who.name, "logout", site_id=session.who.site_id)

    def _checked(self, name: str, password: str, address: str) -> int:
        """The person's id. Raises LoginRefused."""
        by_name, by_address = hash_of(f"name {name}"), hash_of(f"address {address}")
        is_name_tried = self.attempts.count(by_name) >= MAX_BY_NAME
        if is_name_tried or self.attempts.count(by_address) >= MAX_BY_ADDRESS:
            raise TooMany(
                said("Too many logins have failed. Wait 15 minutes, or ask for a new link.")
            )
        found = self.people.password_of(name)
        kept = None if found is None else found[1]
        if not is_right(password, kept) or found is None or kept is None:
            self.attempts.note([by_name, by_address])
            log.warning("login_refused", address=address)
            raise LoginRefused(said("Name and password do not fit."))
        self.attempts.forget(by_name)
        if is_outdated(kept):
            self.people.set_password(found[0], hashed(password, name))
        return found[0]

    def _begin(self, person_id: int, name: str, what: str, address: str) -> str:
        secret = self.sessions.begin(person_id)
        self.audit.add(name, what, after={"address": address})
        return secret

    def _forget_old(self) -> None:
        """Now and then is often enough: what is too old counts nowhere."""
        self.sessions.forget_old()
        self.forms.forget_old()
        self.links.forget_old()
        self.attempts.forget_old()
