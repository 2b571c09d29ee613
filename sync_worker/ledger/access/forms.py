"""Forms that were sent: table ``console_form``. One that comes twice is done once."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from sync_worker.ledger.access.tables import sent_form
from sync_worker.ledger.transactions import Transactions, ledger_now

KEPT_SECONDS = 86_400.0
# How long a claim counts that nobody renews.
LEASE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class SentForm:
    """``result``: ``None`` while it is under way."""

    result: str | None


class SqlForms:
    """Raises Transient."""

    def __init__(self, transactions: Transactions, lease_seconds: float = LEASE_SECONDS) -> None:
        self._transactions, self._lease_seconds = transactions, lease_seconds

    def claim(self, hash_: str, session_hash: str) -> float | None:
        """When the form came, for the first time; ``None``: it was here before.

        That moment names the claim: its end changes no later one.
        """
        values = {"hash": hash_, "session_hash": session_hash, "sent_at": ledger_now()}
        claimed = insert(sent_form).values(values).returning(sent_form.c.sent_at)
        try:
            with self._transactions.write() as connection:
                return float(connection.execute(claimed).scalar_one())
        except IntegrityError:
            return None

    def renew(self, hash_: str, claimed_at: float) -> float | None:
        """Say that it is still being done. The moment that names the claim from now on.

        ``None``: somebody has given it up.
        """
        later = update(sent_form).where(_claim(hash_, claimed_at)).values(sent_at=ledger_now())
        with self._transactions.write() as connection:
            moment = connection.execute(later.returning(sent_form.c.sent_at)).scalar()
        return None if moment is None else float(moment)

    def note_result(self, hash_: str, claimed_at: float, result: str) -> None:
        is_it = _claim(hash_, claimed_at)
        with self._transactions.write() as connection:
            connection.execute(update(sent_form).where(is_it).values(result=result))

    def let_go(self, hash_: str, claimed_at: float) -> None:
        """Nothing came of it: it may be sent again."""
        with self._transactions.write() as connection:
            connection.execute(delete(sent_form).where(_claim(hash_, claimed_at)))

    def give_up(self, hash_: str, session_hash: str) -> bool:
        """Whether who claimed it is gone without an end; it may be sent again from now on."""
        is_it = (sent_form.c.hash == hash_) & (sent_form.c.session_hash == session_hash)
        is_over = sent_form.c.sent_at < ledger_now() - self._lease_seconds
        lost = delete(sent_form).where(is_it, is_over, sent_form.c.result.is_(None))
        with self._transactions.write() as connection:
            return connection.execute(lost).rowcount > 0

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


def _claim(hash_: str, claimed_at: float) -> ColumnElement[bool]:
    return (sent_form.c.hash == hash_) & (sent_form.c.sent_at == claimed_at)
