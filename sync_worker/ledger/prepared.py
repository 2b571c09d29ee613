"""Statements of the hot path: built by SQLAlchemy, compiled once, run by the driver.

SQLAlchemy looks up, checks and wraps at each execution, which takes two to three times what the
driver itself needs (docs/benchmarks.md). A prepared statement runs in the connection's transaction
like any other, and its errors are SQLAlchemy's; its rows are named tuples.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError

Values = Mapping[str, Any]
Change = Callable[[Any], Any]


@dataclass(slots=True)
class Compiled:
    """SQL for one set of names.

    ``fixed``: values that stand in the statement; ``defaults``: of columns that get one made each
    time; ``order``: the names by place, for drivers that take a tuple; ``to_driver``: what values
    go through; ``types``: of the columns that it returns. ``from_driver``: what columns go through,
    by place, known from the first result on.
    """

    sql: str
    fixed: Values
    defaults: Mapping[str, Change]
    order: Sequence[str] | None
    to_driver: Mapping[str, Change]
    types: Sequence[Any]
    to_row: Callable[[Iterable[Any]], Any]
    from_driver: Sequence[tuple[int, Change]] | None = None

    def bound(self, values: Values) -> Any:
        """What the driver takes."""
        named = {**self.fixed, **values}
        for name, make in self.defaults.items():
            if name not in values:
                named[name] = make(None)
        for name, change in self.to_driver.items():
            named[name] = change(named[name])
        return named if self.order is None else tuple(named[name] for name in self.order)

    def rows(self, cursor: Any, dialect: Dialect) -> list[Any]:
        """All that the driver has brought."""
        if self.from_driver is None:
            codes = [column[1] for column in cursor.description]
            processors = [
                one.dialect_impl(dialect).result_processor(dialect, code)
                for one, code in zip(self.types, codes, strict=True)
            ]
            self.from_driver = [
                (place, change) for place, change in enumerate(processors) if change is not None
            ]
        if not self.from_driver:
            return [self.to_row(told) for told in cursor.fetchall()]
        rows = [list(told) for told in cursor.fetchall()]
        for row in rows:
            for place, change in self.from_driver:
                row[place] = change(row[place])
        return [self.to_row(row) for row in rows]


class Answer:
    """What a statement brings. One asked in a batch is read after the batch."""

    __slots__ = ("_cursor", "_rows")

    def __init__(self, compiled: Compiled, cursor: Any, dialect: Dialect) -> None:
        self._cursor = cursor
        self._rows: Callable[[], list[Any]] = lambda: compiled.rows(cursor, dialect)
        if dialect.name == "sqlite":  # no transaction ends there while a statement has more to say
            rows = self._rows() if cursor.description is not None else []
            self._rows = lambda: rows

    def all(self) -> list[Any]:
        """The rows; to be called once."""
        return self._rows()

    def first(self) -> Any:
        """The first row, ``None`` if there is none."""
        rows = self.all()
        return rows[0] if rows else None

    @property
    def count(self) -> int:
        """How many rows it changed."""
        return int(self._cursor.rowcount)


class Prepared:
    """One statement. Values are those of its parameters; an insert or update also sets the columns
    that they name.

    Not for ``in_`` with values of any number: those are written into the SQL at each execution.
    """

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        self._statement, self._dialect = statement, dialect
        self._compiled: dict[tuple[str, ...], Compiled] = {}

    def ask(self, connection: Connection, values: Values) -> Answer:
        """Raises SQLAlchemyError, as all the others; in a batch (:func:`batch`) that may come with
        its end.
        """
        compiled = self._for(values)
        driver: Any = connection.connection.driver_connection
        try:
            cursor = driver.execute(compiled.sql, compiled.bound(values))
        except self._dialect.loaded_dbapi.Error as error:
            raise _as_sqlalchemy(connection, error, compiled.sql) from error
        return Answer(compiled, cursor, self._dialect)

    def all(self, connection: Connection, values: Values) -> list[Any]:
        return self.ask(connection, values).all()

    def first(self, connection: Connection, values: Values) -> Any:
        """The first row, ``None`` if there is none."""
        return self.ask(connection, values).first()

    def scalar(self, connection: Connection, values: Values) -> Any:
        """The first column of the first row, ``None`` if there is none."""
        row = self.first(connection, values)
        return None if row is None else row[0]

    def run(self, connection: Connection, values: Values) -> int:
        """How many rows it changed."""
        return self.ask(connection, values).count

    def _for(self, values: Values) -> Compiled:
        names = tuple(values)
        if names not in self._compiled:
            self._compiled[names] = _compile(self._statement, self._dialect, names)
        return self._compiled[names]


@contextmanager
def batch(connection: Connection) -> Iterator[None]:
    """Prepared statements asked for in here go to PostgreSQL in one round trip; their answers are
    read after it.

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


def _as_sqlalchemy(connection: Connection, error: Any, sql: str) -> BaseException:
    """The error that SQLAlchemy would have raised; a connection that is gone is not used again."""
    dialect, driver = connection.dialect, connection.connection.driver_connection
    is_gone = dialect.is_disconnect(error, driver, None)
    if is_gone:
        connection.invalidate(error)
    told: BaseException = DBAPIError.instance(
        sql,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,  # they may be personal
        connection_invalidated=is_gone,
        dialect=dialect,
    )
    return told


def _compile(statement: Any, dialect: Dialect, names: Sequence[str]) -> Compiled:
    columns = (
        [name for name in names if name in statement.table.c]
        if hasattr(statement, "table")
        else None
    )
    compiled = statement.compile(dialect=dialect, column_keys=columns)
    processors = {
        name: one.type.dialect_impl(dialect).bind_processor(dialect)
        for one, name in compiled.bind_names.items()
    }
    defaults = {column.key: column.default for column in compiled.insert_prefetch}
    told = list(statement.exported_columns)
    return Compiled(
        sql=str(compiled),
        fixed={
            **compiled.params,
            **{name: one.arg for name, one in defaults.items() if one.is_scalar},
        },
        defaults={name: one.arg for name, one in defaults.items() if one.is_callable},
        order=compiled.positiontup,
        to_driver={name: change for name, change in processors.items() if change is not None},
        types=[column.type for column in told],
        to_row=_row_of([column.key for column in told])._make,
    )


def _row_of(names: Sequence[str]) -> Any:
    """Names that come twice are reached by their place."""
    return namedtuple("Row", names, rename=True)
