"""Statements of the hot path: SQL text, run by the database's driver.

SQLAlchemy looks up, checks and wraps at each execution, which takes two to three times what the
driver itself needs (docs/benchmarks.md). A text runs in the connection's transaction like any other
statement, and its errors are SQLAlchemy's.
"""

from __future__ import annotations

import json
import re
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, Connection, Table
from sqlalchemy.exc import DBAPIError

from sync_worker.core import exact_json
from sync_worker.ledger.access.tables import person
from sync_worker.ledger.accounts.tables import account
from sync_worker.ledger.column_types import ExactJSON
from sync_worker.ledger.console.tables import unlinked
from sync_worker.ledger.imports.tables import import_file
from sync_worker.ledger.onboarding.tables import onboarding
from sync_worker.ledger.process_tables import listed
from sync_worker.ledger.transactions import (
    LATEST_TIME,
    POSTGRESQL_CLOCK,
    POSTGRESQL_RAW_CLOCK,
    SQLITE_CLOCK,
)

Conversion = Callable[[Any], Any]
# What makes a named tuple of a row, and the columns to convert before, by their place.
Shape = tuple[Callable[[Iterable[Any]], Any], list[tuple[int, Conversion]]]

# SQLite has one writer: no row is locked by another one.
SKIP_LOCKED = "FOR UPDATE SKIP LOCKED"
# https://www.postgresql.org/docs/current/errcodes-appendix.html
DIVISION_BY_ZERO = "22012"
_PARAMETER = re.compile(r"(?<!:):([a-z]\w*)")
_CAST = re.compile(r"::[a-z0-9]+(\[\])?")
_ANY = re.compile(r"= ANY\(:([a-z]\w*)\)")


# Whichever is imported first: each adds its tables to one and the same metadata.
ALL_TABLES = tuple(
    one.metadata for one in (account, import_file, listed, onboarding, person, unlinked)
)


def _names_of(column_type: type[Any]) -> frozenset[str]:
    columns = [column for table in ALL_TABLES[0].tables.values() for column in table.c]
    return frozenset(column.name for column in columns if isinstance(column.type, column_type))


# A column's name tells its type: no table gives it to anything else.
JSON_NAMES = _names_of(ExactJSON)
BOOLEAN_NAMES = _names_of(Boolean)
FROM_JSON: dict[str, Conversion] = dict.fromkeys(JSON_NAMES, exact_json.loads_own)
# SQLite has no booleans: they come as 0 and 1.
FROM_NUMBERS: dict[str, Conversion] = dict.fromkeys(BOOLEAN_NAMES, bool)


def columns_of(table: Table) -> str:
    """All columns of a table, in its order, for a select list."""
    return ", ".join(f"{table.name}.{column.name}" for column in table.c)


class SqlText:
    """One statement, in PostgreSQL's SQL with parameters as ``:name``.

    ``ledger_now()`` is the ledger's clock, ``ledger_raw()`` the database's. SQLite gets the text
    without its casts and locks, and ``= ANY(:ids)`` as the members of a JSON list. A parameter or
    column with the name of a JSON column of the ledger (``payload``, ``writes``) holds JSON with
    exact decimals. ``sqlite``: the text for SQLite, where it says the same in other words.
    """

    def __init__(self, text: str, *, sqlite: str | None = None) -> None:
        self._by_dialect = {
            "sqlite": _for_sqlite(sqlite or text),
            "postgresql": _for_postgresql(text),
        }

    def sql_for(self, connection: Connection) -> str:
        """As the driver of this connection gets it: to look at, or to have explained."""
        return self._by_dialect[connection.dialect.name].sql

    def ask(self, connection: Connection, **values: Any) -> Answer:
        """Run it with these parameters.

        Raises SQLAlchemyError; in a batch that may come with its end.
        """
        statement = self._by_dialect[connection.dialect.name]
        for name in statement.as_json:
            # None is SQL's NULL, not JSON's null.
            if values[name] is not None:
                values[name] = exact_json.dumps(values[name])
        for name in statement.lists:
            values[name] = json.dumps(values[name])
        if statement.asks_for_time:
            dialect: Any = connection.dialect
            bound = dialect.time_bound
            values[LATEST_TIME] = bound.ahead + bound.monotonic()
        driver: Any = connection.connection.driver_connection
        try:
            cursor = driver.execute(statement.sql, values)
        except connection.dialect.loaded_dbapi.Error as error:
            raise _as_sqlalchemy(connection, error, statement.sql) from error
        found = cursor.fetchall() if statement.reads_at_once else None
        return Answer(cursor, statement, found)

    def all(self, connection: Connection, **values: Any) -> list[Any]:
        """The rows, as named tuples."""
        return self.ask(connection, **values).all()

    def first(self, connection: Connection, **values: Any) -> Any:
        """The first row, ``None`` if there is none."""
        rows = self.ask(connection, **values).all()
        return rows[0] if rows else None

    def scalar(self, connection: Connection, **values: Any) -> Any:
        """The first column of the first row, ``None`` if there is none."""
        rows = self.ask(connection, **values).all()
        return rows[0][0] if rows else None

    def run(self, connection: Connection, **values: Any) -> int:
        """How many rows it changed."""
        return self.ask(connection, **values).count


@dataclass(slots=True)
class Answer:
    """What a statement brings. One asked in a batch is read after the batch."""

    _cursor: Any
    _statement: _DriverText
    _found: list[Any] | None  # the driver's rows where they are read already

    def all(self) -> list[Any]:
        """The rows, as named tuples; to be called once."""
        found = self._cursor.fetchall() if self._found is None else self._found
        if not found:
            return []
        shape = self._statement.shape or self._statement.shape_of(self._cursor.description)
        to_row, conversions = shape
        if not conversions:
            return list(map(to_row, found))
        rows = [list(values) for values in found]
        for values in rows:
            for place, convert in conversions:
                if values[place] is not None:
                    values[place] = convert(values[place])
        return list(map(to_row, rows))

    def first(self) -> Any:
        """The first row, ``None`` if there is none."""
        rows = self.all()
        return rows[0] if rows else None

    @property
    def count(self) -> int:
        """How many rows it changed."""
        return int(self._cursor.rowcount)


class Refused(Exception):
    """A batch would have gone on from what is not so; nothing of it stays.

    PostgreSQL only: a text that is to end its batch divides by the number of rows that it found.
    """


@contextmanager
def batch(connection: Connection) -> Iterator[None]:
    """Texts asked for in here go to PostgreSQL in one round trip; their answers are read after it.

    Outside of a transaction they are one of their own: all or none. Not for statements that
    SQLAlchemy runs, which looks at an answer at once. SQLite has no way to go.
    https://www.psycopg.org/psycopg3/docs/advanced/pipeline.html
    """
    if connection.dialect.name == "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    try:
        with driver.pipeline():
            yield
    except connection.dialect.loaded_dbapi.Error as error:
        raise _as_sqlalchemy(connection, error, "a batch") from error


class _DriverText:
    """A text as one driver takes it, and the shape of its rows as we take them.

    ``as_json``: parameters that the driver gets as exact JSON; ``lists``: ids, as plain JSON.
    ``conversions``: by column name, from the driver's value to ours. ``reads_at_once``: the rows
    are read as soon as they are asked for.
    """

    def __init__(
        self,
        sql: str,
        names: Iterable[str],
        conversions: Mapping[str, Conversion],
        *,
        lists: Set[str] = frozenset(),
        reads_at_once: bool = False,
    ) -> None:
        self.sql = sql
        self.as_json, self.lists = JSON_NAMES.intersection(names), lists
        self.reads_at_once = reads_at_once
        self.asks_for_time = LATEST_TIME in sql
        self._conversions = conversions
        self.shape: Shape | None = None  # known with its first row

    def shape_of(self, description: Sequence[Any]) -> Shape:
        """The columns are the same each time. Of two with one name the second has only a place."""
        names = [column[0] for column in description]
        conversions = [
            (place, self._conversions[name])
            for place, name in enumerate(names)
            if name in self._conversions
        ]
        self.shape = _row_of(names)._make, conversions
        return self.shape


def _row_of(names: Sequence[str]) -> Any:
    return namedtuple("Row", names, rename=True)


def _for_postgresql(text: str) -> _DriverText:
    sql = _PARAMETER.sub(r"%(\1)s", text).replace("ledger_now()", POSTGRESQL_CLOCK)
    sql = sql.replace("ledger_raw()", POSTGRESQL_RAW_CLOCK)
    return _DriverText(sql, _PARAMETER.findall(text), FROM_JSON)


def _for_sqlite(text: str) -> _DriverText:
    bare = _CAST.sub("", text).replace(SKIP_LOCKED, "")
    sql = _ANY.sub(r"IN (SELECT value FROM json_each(:\1))", bare)
    sql = sql.replace("ledger_now()", SQLITE_CLOCK)
    # No transaction ends there while a statement has more to say.
    return _DriverText(
        sql,
        _PARAMETER.findall(bare),
        FROM_JSON | FROM_NUMBERS,
        lists=frozenset(_ANY.findall(bare)),  # each once, however often it is used
        reads_at_once=True,
    )


def _as_sqlalchemy(connection: Connection, error: Any, sql: str) -> BaseException:
    """The error that SQLAlchemy would have raised; a connection that is gone is not used again.

    ``Refused`` where a text has ended its batch.
    """
    if getattr(error, "sqlstate", None) == DIVISION_BY_ZERO:
        return Refused()
    dialect, driver = connection.dialect, connection.connection.driver_connection
    is_gone = dialect.is_disconnect(error, driver, None)
    # The pool must not hand it out again.
    if is_gone:
        connection.invalidate(error)
    raised: BaseException = DBAPIError.instance(
        sql,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,  # they may be personal
        connection_invalidated=is_gone,
        dialect=dialect,
    )
    return raised
