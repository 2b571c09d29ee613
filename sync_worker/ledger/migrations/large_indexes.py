"""Builds indexes of large tables on PostgreSQL before their migration, while writes go on.

Such a build can be no part of a transaction, and leaves an index of no use where it is interrupted:
https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text

LOCK = 0x7261_7470  # PostgreSQL advisory lock: "ratp"; not the one of the migrations
TURN_SECONDS = 600.0  # another process may be building them
ASK_SECONDS = 0.2

IS_USABLE = text(
    "SELECT indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
    " WHERE relname = :name AND pg_table_is_visible(pg_class.oid)"
)


def build(engine: Engine, indexes: Mapping[str, str]) -> None:
    """Build those that are missing, and those anew whose build was interrupted.

    ``indexes``: what follows the name in ``CREATE INDEX``, by name. Raises SQLAlchemyError.
    """
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        # The time-outs of the process's own statements are too short. No write waits behind this.
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("SET lock_timeout = 0"))
        try:
            with _turn(connection):
                for name, definition in indexes.items():
                    _build_one(connection, name, definition)
        finally:
            # The pool must not hand it out with these settings.
            connection.invalidate()


def _build_one(connection: Connection, name: str, definition: str) -> None:
    is_usable = connection.execute(IS_USABLE, {"name": name}).scalar()
    if is_usable:
        return
    # Its build was interrupted: it costs with each write, and serves no question.
    if is_usable is False:
        connection.execute(text(f"DROP INDEX CONCURRENTLY {name}"))
    connection.execute(text(f"CREATE INDEX CONCURRENTLY {name} {definition}"))


@contextmanager
def _turn(connection: Connection) -> Iterator[None]:
    """One process at a time. A build waits for all older transactions: nobody may wait in one."""
    until = time.monotonic() + TURN_SECONDS
    ask = text("SELECT pg_try_advisory_lock(:key)")
    while not connection.execute(ask, {"key": LOCK}).scalar() and time.monotonic() < until:
        time.sleep(ASK_SECONDS)
    # The lock ends with its session.
    yield
