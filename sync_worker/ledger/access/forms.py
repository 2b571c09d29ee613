"""Forms that were sent: table ``console_form``. One that comes twice is done once."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from sync_worker.ledger.access.tables import sent_form
from sync_worker.ledger.transactions import Transactions, ledger_now

KEPT_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class SentForm:
    """``result``: ``None`` while it is under way."""

    result: str | None


class SqlForms:
    """Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def claim(self, hash_: str, session_hash: str) -> bool:
        """Whether this is the first time that the form came."""
        values = {"hash": hash_, "session_hash": session_hash, "sent_at": ledger_now()}
        try:
            with self._transactions.write() as connection:
                connection.execute(insert(sent_form).values(values))
        except IntegrityError:
            return False
        return True

    def note_result(self, hash_: str, result: str) -> None:
        with self._transactions.write() as connection:
            is_it = sent_form.c.hash == hash_
            connection.execute(update(sent_form).where(is_it).values(result=result))

    def let_go(self, hash_: str) -> None:
        """Nothing came of it: it may be sent again."""
        with self._transactions.write() as connection:
            connection.execute(delete(sent_form).where(sent_form.c.hash == hash_))

    def find(self, hash_: str, session_hash: str) -> SentForm | None:
        """Of this session only: what one did is nobody else's to read."""
        is_it = (sent_form.c.hash == hash_) & (sent_form.c.session_hash == session_hash)
        with self._transactions.read() as connection:
            row = connection.execute(select(sent_form.c.result).where(is_it)).one_or_none()
        return None if row is None else SentForm(row.result)

    def forget_old(self) -> int:
        is_old = sent_form.c.sent_at < ledger_now() - KEPT_SECONDS
        with self._transactions.write() as connection:
            return connection.execute(delete(sent_form).where(is_old)).rowcount
