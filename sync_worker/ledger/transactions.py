"""Short transactions of the ledger, and its clock.

A port opens one transaction for each of its methods and calls statements in it.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, Float, Table, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import StaticPool
from sqlalchemy.sql.functions import FunctionElement

from sync_worker.core.errors import Facts, Permanent, Transient

# So much of writing, and a process rests, so that another one, the door, gets its turn.
WORK_SECONDS = 0.01
REST_SECONDS = 0.002  # longer than anybody who waits for the lock pauses between two tries
FORGET_SECONDS = 1.0  # for who reads the log to end

# In a transaction too, PostgreSQL tells the time of the statement and not of its beginning.
POSTGRESQL_RAW_CLOCK = "(extract(epoch from clock_timestamp())::double precision)"
# How far the ledger's time follows a clock that jumps ahead. A machine that was suspended may not
# have counted some minutes.
MAX_JUMP_SECONDS = 600.0
# The parameter of each statement that asks for the time: no later than that; none at first.
LATEST_TIME = "ledger_latest"
# Never before the time noted last, see ledger/database.py. A value of its own within its statement:
# only so can an index find what lies before it.
POSTGRESQL_CLOCK = (
    f"(SELECT greatest(least({POSTGRESQL_RAW_CLOCK} + coalesce(max(shift), 0),"  # noqa: S608 - a text of our own
    f" %({LATEST_TIME})s::double precision), max(latest)) FROM ledger_clock)"
)
# Functions that ledger/database.py gives to each connection.
SQLITE_RAW_CLOCK = "ledger_raw()"
SQLITE_CLOCK = "(SELECT ledger_steady(max(shift), max(latest)) FROM ledger_clock)"


# Goes on while the machine is suspended, where its system has such a clock.
running_seconds: Callable[[], float] = partial(
    time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
)


class TimeBound:
    """How late it can be at most, as one process knows from the clock of its own machine.

    ``monotonic``: seconds; nobody sets it.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.monotonic = monotonic
        self.ahead = float("inf")  # of the monotonic clock, at most; known with the first note

    def note(self, told: float) -> None:
        """The ledger's time was told by now."""
        self.ahead = told - self.monotonic() + MAX_JUMP_SECONDS

    def latest(self) -> float:
        """The ledger's time, at most."""
        return self.ahead + self.monotonic()


def bound_time(engine: Engine, bound: TimeBound) -> None:
    """PostgreSQL's clock is the server's: each statement that asks it for the time gets the bound.

    The dialect is this engine's own, so that ``SqlText`` finds the bound without a call.
    """
    dialect: Any = engine.dialect
    dialect.time_bound = bound

    @event.listens_for(engine, "before_cursor_execute")
    def _bind(
        connection: Any, cursor: Any, statement: str, values: Any, context: Any, is_many: bool
    ) -> None:
        if LATEST_TIME in statement:
            for each in values if is_many else (values,):
                each[LATEST_TIME] = bound.latest()


class ledger_now(FunctionElement[float]):  # noqa: N801 - it stands in SQL as a function does
    """The ledger's clock: the database's own, which never goes back; seconds since 1970."""

    type = Float()
    inherit_cache = True


class ledger_raw(FunctionElement[float]):  # noqa: N801 - it stands in SQL as a function does
    """The database's own clock, whatever it shows; seconds since 1970."""

    type = Float()
    inherit_cache = True


@compiles(ledger_raw, "sqlite")
def _sqlite_raw_clock(element: ledger_raw, compiler: Any, **more: Any) -> str:
    return SQLITE_RAW_CLOCK


@compiles(ledger_raw, "postgresql")
def _postgresql_raw_clock(element: ledger_raw, compiler: Any, **more: Any) -> str:
    return POSTGRESQL_RAW_CLOCK


@compiles(ledger_now, "sqlite")
def _sqlite_clock(element: ledger_now, compiler: Any, **more: Any) -> str:
    return SQLITE_CLOCK


@compiles(ledger_now, "postgresql")
def _postgresql_clock(element: ledger_now, compiler: Any, **more: Any) -> str:
    return POSTGRESQL_CLOCK


def is_sqlite(connection: Connection) -> bool:
    """Whether the connection speaks to SQLite; there are no others than it and PostgreSQL."""
    return connection.dialect.name == "sqlite"


def insert_into(connection: Connection, table: Table) -> Any:
    """An insert that knows ON CONFLICT, in the dialect of the database."""
    return sqlite.insert(table) if is_sqlite(connection) else postgresql.insert(table)


class Transactions:
    """Short transactions; database errors come out as Transient, refused values as Permanent.

    SQLite has one writer: the threads of a process queue for it here, in order, instead of spinning
    on its lock.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        # PostgreSQL shows each statement of a reader what was committed before it, in a transaction
        # or without one, and one has its price: two more round trips.
        reading: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"}
        if self.is_sqlite:
            reading = {"ledger_reads": True}
        self._reader = engine.execution_options(**reading)
        self._turn = threading.Lock()
        # Other processes may wait for a file; a database in memory is this one's.
        self._has_neighbours = not isinstance(engine.pool, StaticPool)
        self._worked_seconds = 0.0  # since the last rest; guarded by the turn

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that commits at the end.

        IntegrityError passes through: callers know what it means.
        """
        if not self.is_sqlite:
            with _translated(), self.engine.begin() as connection:
                yield connection
            return
        with self._turn:
            started = time.monotonic()
            with _translated(), self.engine.begin() as connection:
                yield connection
            self._rest(started)

    def _rest(self, started: float) -> None:
        """The lock is nobody's now: whoever waits for it in another process takes it."""
        self._worked_seconds += time.monotonic() - started
        if self._has_neighbours and self._worked_seconds > WORK_SECONDS:
            time.sleep(REST_SECONDS)
            self._worked_seconds = 0.0

    def single(self) -> AbstractContextManager[Connection]:
        """For one statement that writes, or one batch: PostgreSQL needs no transaction around it.

        As ``write``.
        """
        # SQLite's writers need the turn. On PostgreSQL the reader's autocommit makes a statement,
        # or a pipeline, its own transaction.
        return self.write() if self.is_sqlite else self.read()

    def forget_log(self) -> None:
        """Empty SQLite's write-ahead log, in which erased data may stand; after its transaction.

        Whoever reads meanwhile keeps it for a moment; what cannot be done now is done with the next
        ``prune``. PostgreSQL's log is the server's own matter.
        """
        # A database in memory has no log.
        if not self.is_sqlite or not self._has_neighbours:
            return
        # The erasure is committed: it has not failed.
        with suppress(Transient, sqlite3.Error):
            self._empty_log()

    def _empty_log(self) -> None:
        until = time.monotonic() + FORGET_SECONDS
        with _translated(), self.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            while True:
                is_busy = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                if not is_busy or time.monotonic() > until:
                    return
                time.sleep(REST_SECONDS)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A look at what is committed."""
        with _translated(), self._reader.connect() as connection:
            yield connection


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    # What the drivers refuse themselves: a number over 64 bits, a text that is none.
    except (OverflowError, UnicodeEncodeError) as error:
        raise _unstorable(error) from error
    except SQLAlchemyError as error:
        if _is_about_data(error):
            raise _unstorable(error) from error
        code = type(error.__cause__ or error).__name__
        raise Transient(
            "the ledger's database did not answer", facts=Facts("ledger", code=code)
        ) from error


def _is_about_data(error: SQLAlchemyError) -> bool:
    """The database works, and refuses a value: it would refuse it again.

    Class 22 is data exceptions, 54 limits of the program, such as the size of an index row:
    https://www.postgresql.org/docs/current/errcodes-appendix.html
    """
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    return isinstance(error, DataError) or state[:2] in ("22", "54")


def _unstorable(error: Exception) -> Permanent:
    code = type(error.__cause__ or error).__name__
    return Permanent(
        "the ledger cannot hold one of the values",
        reason="unstorable",
        facts=Facts("ledger", code=code),
    )
