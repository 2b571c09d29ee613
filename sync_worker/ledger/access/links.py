"""One-time links: table ``console_link``; and signed instances that were used."""

from __future__ import annotations

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from sync_worker.ledger.access.tables import one_time_link, person, used_instance
from sync_worker.ledger.transactions import Transactions, ledger_now

VALID_SECONDS = 900.0


class SqlLinks:
    """Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def add(self, hash_: str, person_id: int) -> None:
        """Valid for 15 minutes; those of before end."""
        until = ledger_now() + VALID_SECONDS
        with self._transactions.write() as connection:
            of_theirs = one_time_link.c.person_id == person_id
            connection.execute(delete(one_time_link).where(of_theirs))
            made = insert(one_time_link).values(hash=hash_, person_id=person_id, valid_until=until)
            connection.execute(made)

    def whose(self, hash_: str) -> tuple[int, str] | None:
        """Id and name of the person of a link that counts; it is not used up."""
        whose = one_time_link.join(person, person.c.id == one_time_link.c.person_id)
        found = select(person.c.id, person.c.name).select_from(whose).where(_counts(hash_))
        with self._transactions.read() as connection:
            row = connection.execute(found.where(person.c.removed_at.is_(None))).one_or_none()
        return None if row is None else (row.id, row.name)

    def use(self, hash_: str) -> bool:
        """Whether it counted; of two at once, one."""
        with self._transactions.write() as connection:
            used = update(one_time_link).where(_counts(hash_)).values(used_at=ledger_now())
            return connection.execute(used).rowcount == 1

    def use_instance(self, hash_: str, seconds: float) -> bool:
        """Whether this signed instance came for the first time; ``seconds``: how long it counts."""
        until = ledger_now() + seconds
        try:
            with self._transactions.write() as connection:
                made = insert(used_instance).values(hash=hash_, valid_until=until)
                connection.execute(made)
        except IntegrityError:
            return False
        return True

    def forget_old(self) -> None:
        with self._transactions.write() as connection:
            for table in (one_time_link, used_instance):
                is_over = table.c.valid_until < ledger_now()
                connection.execute(delete(table).where(is_over))


def _counts(hash_: str) -> ColumnElement[bool]:
    return (
        (one_time_link.c.hash == hash_)
        & one_time_link.c.used_at.is_(None)
        & (one_time_link.c.valid_until > ledger_now())
    )
