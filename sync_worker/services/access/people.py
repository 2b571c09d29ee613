"""People who use the console: who invites them, their roles, the end of their sessions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError

from sync_worker.core.errors import Misconfigured
from sync_worker.core.said import said
from sync_worker.ledger.access.links import SqlLinks
from sync_worker.ledger.access.people import PAGE, Person, SqlPeople
from sync_worker.ledger.access.sessions import SqlSessions
from sync_worker.ledger.accounts.audit import SqlAudit
from sync_worker.ledger.transactions import Transactions
from sync_worker.services.access.forms import ChangedMeanwhile
from sync_worker.services.access.links import Links
from sync_worker.services.access.sessions import Sessions
from sync_worker.services.access.who import NotThere, Right, Role, Who

__all__ = ["NAME", "OF_PEOPLE", "Invitation", "People", "PeoplePage", "Person", "people_over"]

NAME = re.compile(r"[\w.@+-][\w.@+ -]{0,127}")
OF_PEOPLE = (Role.VIEWER, Role.SUPPORT, Role.ADMIN)  # an owner comes from Wix


@dataclass(frozen=True, slots=True)
class Invitation:
    """``secret``: the last part of a link that lets the person in once, within 15 minutes."""

    person: Person
    secret: str


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """``next_after``: begin the next page behind it; ``None``: there is none."""

    people: Sequence[Person]
    next_after: int | None


class People:
    """Raises Forbidden, NotThere, Misconfigured (in words), Transient."""

    def __init__(self, store: SqlPeople, links: Links, sessions: Sessions, audit: SqlAudit) -> None:
        self._store, self._links, self._sessions, self._audit = store, links, sessions, audit

    def page(self, who: Who, after: int = 0, limit: int = PAGE) -> PeoplePage:
        who.check(Right.USERS)
        found = self._store.page(after, limit)
        return PeoplePage(found, found[-1].id if len(found) == limit else None)

    def find(self, who: Who, name: str) -> Person:
        """Raises NotThere."""
        who.check(Right.USERS)
        found = self._store.named(name.strip().casefold())
        if found is None:
            raise NotThere(
                said("there is nobody called %(name)s; `ratings-sync console user list`", name=name)
            )
        return found

    def invite(self, who: Who, name: str, role: Role) -> Invitation:
        """Somebody new, or a new link for somebody who is there in that role."""
        who.check(Right.USERS)
        name = name.strip().casefold()
        _refuse_odd(name, role)
        found = self._store.named(name)
        if found is not None and found.role != role:
            raise Misconfigured(
                said(
                    "%(name)s is there already, as %(role)s; change the role first, or keep it",
                    name=name,
                    role=found.role,
                )
            )
        if found is None:
            found = self._add(who, name, role)
        secret = self._links.make(found.id)
        self._audit.add(who.name, "user link", after={"user": name})
        return Invitation(found, secret)

    def _add(self, who: Who, name: str, role: Role) -> Person:
        try:
            person = self._store.by_id(self._store.add(name, role))
        except IntegrityError:
            raise Misconfigured(
                said(
                    "%(name)s was a user once, and the name stays theirs; choose another one",
                    name=name,
                )
            ) from None
        if person is None:
            raise ChangedMeanwhile(said("%(name)s was removed again", name=name))
        self._audit.add(who.name, "user add", after={"user": name, "role": str(role)})
        return person

    def set_role(self, who: Who, name: str, role: Role, version: int | None = None) -> Person:
        """From their next click on. Raises ChangedMeanwhile."""
        found = self.find(who, name)
        _refuse_odd(found.name, role)
        self._refuse_changed(found, version)
        self._keep_an_admin(found, role)
        self._store.set_role(found.id, role)
        words = {"user": found.name}
        self._audit.add(
            who.name,
            "user role",
            before=words | {"role": found.role},
            after=words | {"role": str(role)},
        )
        return self.find(who, found.name)

    def end_sessions(self, who: Who, name: str) -> int:
        """How many there were."""
        found = self.find(who, name)
        ended = self._sessions.end_of_person(found.id)
        after = {"user": found.name, "sessions": ended}
        self._audit.add(who.name, "user end-sessions", after=after)
        return ended

    def remove(self, who: Who, name: str, version: int | None = None) -> None:
        """They are out at once, and come in no more. Raises ChangedMeanwhile."""
        found = self.find(who, name)
        self._refuse_changed(found, version)
        self._keep_an_admin(found, None)
        self._store.remove(found.id)
        self._sessions.end_of_person(found.id)
        self._audit.add(who.name, "user remove", before={"user": found.name, "role": found.role})

    def _keep_an_admin(self, found: Person, role: Role | None) -> None:
        """Else nobody could invite anybody from the console any more."""
        if found.role == Role.ADMIN and role is not Role.ADMIN and self._store.admins() < 2:
            raise Misconfigured(
                said("%(name)s is the only admin; make somebody else one first", name=found.name)
            )

    def _refuse_changed(self, found: Person, version: int | None) -> None:
        if version is not None and version != found.version:
            raise ChangedMeanwhile(
                said(
                    "%(name)s was changed since you opened the page, and is %(role)s now.",
                    name=found.name,
                    role=found.role,
                )
            )


def people_over(transactions: Transactions) -> People:
    """Over one database."""
    links, sessions = Links(SqlLinks(transactions)), Sessions(SqlSessions(transactions))
    return People(SqlPeople(transactions), links, sessions, SqlAudit(transactions))


def _refuse_odd(name: str, role: Role) -> None:
    if role not in OF_PEOPLE:
        raise Misconfigured(
            said("nobody is made %(role)s: an owner comes from the dashboard of Wix", role=role)
        )
    if not NAME.fullmatch(name):
        raise Misconfigured(
            said(
                "%(name)s is no name: use letters, digits, blanks and . @ + - _ only",
                name=repr(name),
            )
        )
