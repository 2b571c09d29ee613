"""People who may use the console: table ``console_person``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, insert, select, update

from sync_worker.ledger.access.tables import person, session
from sync_worker.ledger.transactions import Transactions, ledger_now

PAGE = 50


@dataclass(frozen=True, slots=True)
class Person:
    """``has_password``: has come in by an invitation and chosen one."""

    id: int
    name: str
    role: str
    has_password: bool
    version: int
    created_at: datetime
    sessions: int = 0
    last_seen: datetime | None = None


class SqlPeople:
    """Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def add(self, name: str, role: str) -> int:
        """Raises IntegrityError if there is one of that name."""
        now = ledger_now()
        values = {"name": name, "role": role, "version": 1, "created_at": now, "updated_at": now}
        with self._transactions.write() as connection:
            done = connection.execute(insert(person).values(values))
            (made,) = done.inserted_primary_key or (0,)
            return int(made)

    def named(self, name: str) -> Person | None:
        return self._one(person.c.name == name)

    def by_id(self, person_id: int) -> Person | None:
        return self._one(person.c.id == person_id)

    def password_of(self, name: str) -> tuple[int, str] | None:
        """Their id and the hash of their password, if they have one."""
        found = select(person.c.id, person.c.password).where(
            person.c.name == name, person.c.removed_at.is_(None), person.c.password.is_not(None)
        )
        with self._transactions.read() as connection:
            row = connection.execute(found).one_or_none()
        return None if row is None else (row.id, row.password)

    def set_password(self, person_id: int, hashed: str) -> None:
        self._change(person_id, password=hashed)

    def set_role(self, person_id: int, role: str) -> None:
        self._change(person_id, role=role)

    def remove(self, person_id: int) -> None:
        """The row stays: its name is in audits, and nobody else gets it."""
        self._change(person_id, removed_at=ledger_now(), password=None)

    def _change(self, person_id: int, **values: Any) -> None:
        more = {"version": person.c.version + 1, "updated_at": ledger_now()}
        with self._transactions.write() as connection:
            changed = update(person).where(person.c.id == person_id).values(**values, **more)
            connection.execute(changed)

    def admins(self) -> int:
        """How many may invite others."""
        is_admin = (person.c.role == "admin") & person.c.removed_at.is_(None)
        with self._transactions.read() as connection:
            found = select(func.count()).select_from(person).where(is_admin)
            return int(connection.execute(found).scalar_one())

    def page(self, after: int = 0, limit: int = PAGE) -> Sequence[Person]:
        """In the order of their ids."""
        with self._transactions.read() as connection:
            found = _people().where(person.c.id > after).order_by(person.c.id).limit(limit)
            return [_person(row) for row in connection.execute(found)]

    def _one(self, which: Any) -> Person | None:
        with self._transactions.read() as connection:
            row = connection.execute(_people().where(which)).one_or_none()
        return None if row is None else _person(row)


def _people() -> Any:
    of_theirs = session.c.person_id == person.c.id
    sessions = select(func.count()).where(of_theirs).scalar_subquery()
    last_seen = select(func.max(session.c.seen_at)).where(of_theirs).scalar_subquery()
    return select(person, sessions.label("sessions"), last_seen.label("last_seen")).where(
        person.c.removed_at.is_(None)
    )


def _person(row: Any) -> Person:
    last_seen = None if row.last_seen is None else datetime.fromtimestamp(row.last_seen, UTC)
    return Person(
        row.id,
        row.name,
        row.role,
        row.password is not None,
        row.version,
        datetime.fromtimestamp(row.created_at, UTC),
        row.sessions,
        last_seen,
    )
