"""Sessions of the console: table ``console_session``, by the hash of what the browser holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, or_, select, update

from sync_worker.core.values import SiteState
from sync_worker.ledger.access.tables import person, session
from sync_worker.ledger.tables import site
from sync_worker.ledger.transactions import Transactions, ledger_now

IDLE_SECONDS = 1800.0
MAX_SECONDS = 43_200.0
NOTE_SECONDS = 60.0  # between two notes that a session is in use


@dataclass(frozen=True, slots=True)
class OwnerOf:
    """Somebody who came by the signed instance of a site."""

    site_id: int
    instance_id: str
    uid: str
    locale: str = ""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session that counts. ``role`` is the person's role of now; ``None``: a site's owner.

    ``fresh_seconds``: since a password was last given.
    """

    hash: str
    name: str
    role: str | None
    person_id: int | None
    site_id: int | None
    uid: str
    locale: str
    fresh_seconds: float


class SqlSessions:
    """Begins, finds and ends sessions. Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def begin_for_person(self, hash_: str, person_id: int) -> None:
        self._begin(hash_, person_id=person_id)

    def site_of_instance(self, instance_id: str) -> int | None:
        """The site where the app is installed under this id."""
        is_it = (site.c.instance_id == instance_id) & (site.c.state != SiteState.REMOVED)
        with self._transactions.read() as connection:
            return connection.execute(select(site.c.id).where(is_it)).scalar_one_or_none()

    def rename(self, hash_: str, new_hash: str, seconds: float) -> bool:
        """Whether there was one of that hash that began so many seconds ago at most."""
        is_it = (session.c.hash == hash_) & (session.c.begun_at > ledger_now() - seconds)
        with self._transactions.write() as connection:
            done = connection.execute(update(session).where(is_it).values(hash=new_hash))
            return done.rowcount == 1

    def begin_for_owner(self, hash_: str, of: OwnerOf) -> None:
        self._begin(
            hash_, site_id=of.site_id, instance_id=of.instance_id, uid=of.uid, locale=of.locale
        )

    def _begin(self, hash_: str, **values: Any) -> None:
        now = ledger_now()
        times = {"begun_at": now, "seen_at": now, "fresh_at": now}
        with self._transactions.write() as connection:
            connection.execute(insert(session).values(hash=hash_, **times, **values))

    def find(self, hash_: str) -> SessionRow | None:
        """The session if it counts still; notes now and then that it is in use."""
        with self._transactions.read() as connection:
            row = connection.execute(_found().where(session.c.hash == hash_)).one_or_none()
        if row is None:
            return None
        if row.idle > NOTE_SECONDS:
            self._note(hash_, seen_at=ledger_now())
        return SessionRow(
            hash_,
            row.name or "",
            row.role,
            row.person_id,
            row.site_id,
            row.uid or "",
            row.locale,
            row.fresh_seconds,
        )

    def note_password(self, hash_: str) -> None:
        """The password was given again."""
        self._note(hash_, fresh_at=ledger_now(), seen_at=ledger_now())

    def note_locale(self, hash_: str, locale: str) -> None:
        """The language of its pages from now on."""
        self._note(hash_, locale=locale)

    def _note(self, hash_: str, **values: Any) -> None:
        with self._transactions.write() as connection:
            connection.execute(update(session).where(session.c.hash == hash_).values(**values))

    def end(self, hash_: str) -> None:
        with self._transactions.write() as connection:
            connection.execute(delete(session).where(session.c.hash == hash_))

    def end_of_person(self, person_id: int) -> int:
        """How many there were."""
        with self._transactions.write() as connection:
            ended = delete(session).where(session.c.person_id == person_id)
            return connection.execute(ended).rowcount

    def forget_old(self) -> int:
        """Those that do not count any more."""
        is_old = or_(
            session.c.seen_at < ledger_now() - IDLE_SECONDS,
            session.c.begun_at < ledger_now() - MAX_SECONDS,
        )
        with self._transactions.write() as connection:
            return connection.execute(delete(session).where(is_old)).rowcount


def _found() -> Any:
    """A session counts as long as its person or its site is there."""
    whose = session.outerjoin(person, person.c.id == session.c.person_id).outerjoin(
        site, site.c.id == session.c.site_id
    )
    is_somebodys = or_(
        person.c.id.is_not(None) & person.c.removed_at.is_(None),
        session.c.person_id.is_(None) & (site.c.state != SiteState.REMOVED),
    )
    return (
        select(
            session,
            person.c.name,
            person.c.role,
            (ledger_now() - session.c.seen_at).label("idle"),
            (ledger_now() - session.c.fresh_at).label("fresh_seconds"),
        )
        .select_from(whose)
        .where(
            is_somebodys,
            session.c.seen_at > ledger_now() - IDLE_SECONDS,
            session.c.begun_at > ledger_now() - MAX_SECONDS,
        )
    )
