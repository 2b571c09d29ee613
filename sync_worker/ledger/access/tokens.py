"""Tokens of programs: table ``console_token``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select, update

from sync_worker.ledger.access.tables import token
from sync_worker.ledger.transactions import Transactions, ledger_now

PAGE = 50
NOTE_SECONDS = 60.0  # between two notes that a token is in use


@dataclass(frozen=True, slots=True)
class NewToken:
    """``scopes``: rights by their words. ``site_id``: ``None`` for all sites."""

    name: str
    scopes: Sequence[str]
    site_id: int | None
    made_by: str
    valid_seconds: float


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; the token itself is not."""

    id: int
    name: str
    scopes: Sequence[str]
    site_id: int | None
    made_by: str
    created_at: datetime
    valid_until: datetime
    used_at: datetime | None
    revoked_at: datetime | None
    is_valid: bool


class SqlTokens:
    """Raises Transient."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def add(self, hash_: str, of: NewToken) -> int:
        values = {
            "name": of.name,
            "hash": hash_,
            "scopes": list(of.scopes),
            "site_id": of.site_id,
            "made_by": of.made_by,
            "created_at": ledger_now(),
            "valid_until": ledger_now() + of.valid_seconds,
        }
        with self._transactions.write() as connection:
            (made,) = connection.execute(insert(token).values(values)).inserted_primary_key or (0,)
            return int(made)

    def find(self, hash_: str) -> Token | None:
        """The token if it counts; notes now and then that it is in use."""
        with self._transactions.read() as connection:
            row = connection.execute(_tokens().where(token.c.hash == hash_)).one_or_none()
        if row is None or not row.is_valid:
            return None
        if row.unused is None or row.unused > NOTE_SECONDS:
            self._change(row.id, used_at=ledger_now())
        return _token(row)

    def by_id(self, token_id: int) -> Token | None:
        with self._transactions.read() as connection:
            row = connection.execute(_tokens().where(token.c.id == token_id)).one_or_none()
        return None if row is None else _token(row)

    def page(self, after: int = 0, limit: int = PAGE) -> Sequence[Token]:
        """In the order of their ids, those that have ended, too."""
        found = _tokens().where(token.c.id > after).order_by(token.c.id).limit(limit)
        with self._transactions.read() as connection:
            return [_token(row) for row in connection.execute(found)]

    def revoke(self, token_id: int) -> None:
        self._change(token_id, revoked_at=ledger_now())

    def _change(self, token_id: int, **values: Any) -> None:
        with self._transactions.write() as connection:
            connection.execute(update(token).where(token.c.id == token_id).values(**values))


def _tokens() -> Any:
    is_valid = token.c.revoked_at.is_(None) & (token.c.valid_until > ledger_now())
    unused = ledger_now() - token.c.used_at
    return select(token, is_valid.label("is_valid"), unused.label("unused"))


def _token(row: Any) -> Token:
    return Token(
        row.id,
        row.name,
        tuple(row.scopes),
        row.site_id,
        row.made_by,
        datetime.fromtimestamp(row.created_at, UTC),
        datetime.fromtimestamp(row.valid_until, UTC),
        _moment(row.used_at),
        _moment(row.revoked_at),
        bool(row.is_valid),
    )


def _moment(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at, UTC)
