"""Failed logins: table ``console_attempt``, by a hash of the name or of the address."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import case, delete, func, select

from sync_worker.ledger.access.tables import attempt
from sync_worker.ledger.transactions import Transactions, insert_into, ledger_now

WINDOW_SECONDS = 900.0


class SqlAttempts:
    """Counts in windows of 15 minutes, each from its first attempt on. Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def note(self, hashes: Sequence[str]) -> None:
        """One more of each."""
        is_over = attempt.c.since < ledger_now() - WINDOW_SECONDS
        changed = {
            "count": case((is_over, 1), else_=attempt.c.count + 1),
            "since": case((is_over, ledger_now()), else_=attempt.c.since),
        }
        with self._transactions.write() as connection:
            for hash_ in sorted(hashes):
                made = insert_into(connection, attempt).values(
                    hash=hash_, count=1, since=ledger_now()
                )
                connection.execute(
                    made.on_conflict_do_update(index_elements=["hash"], set_=changed)
                )

    def count(self, hash_: str) -> int:
        """Of the last window."""
        is_it = (attempt.c.hash == hash_) & (attempt.c.since >= ledger_now() - WINDOW_SECONDS)
        found = select(func.coalesce(func.max(attempt.c.count), 0)).where(is_it)
        with self._transactions.read() as connection:
            return int(connection.execute(found).scalar_one())

    def forget(self, hash_: str) -> None:
        """Somebody has logged in."""
        with self._transactions.write() as connection:
            connection.execute(delete(attempt).where(attempt.c.hash == hash_))

    def forget_old(self) -> None:
        is_over = attempt.c.since < ledger_now() - WINDOW_SECONDS
        with self._transactions.write() as connection:
            connection.execute(delete(attempt).where(is_over))
