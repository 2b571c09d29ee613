"""People who use the console: who invites them, their roles, their passwords."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError

from sync_worker.core.errors import Misconfigured
from sync_worker.ledger.access.people import SqlPeople
from sync_worker.services.access.who import Right, Role, Who


class People:
    """Raises Forbidden, Misconfigured (in words), Transient."""

    def __init__(self, store: SqlPeople) -> None:
        self._store = store

    def add(self, who: Who, name: str, role: Role) -> int:
        """The id of a new person."""
        who.check(Right.USERS)
        try:
            return self._store.add(name.strip().casefold(), role)
        except IntegrityError:
            raise Misconfigured(f"there is a person called {name} already") from None
