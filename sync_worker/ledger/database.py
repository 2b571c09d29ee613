"""Opens the ledger's database: SQLite for one machine, PostgreSQL for a fleet.

Its clock is the ledger's clock, but never goes back: one that is set back would leave everything
undue, and every lease held, for as long as it was set back by. So the ledger notes its time
(``statements/clock.py``) and from there it goes on, at the speed of the database's clock. Nor does
it jump ahead by more than ten minutes: a process knows from its own machine how much time went by.
"""

from __future__ import annotations

import select
import sqlite3
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.pool import StaticPool

from sync_worker.ledger.transactions import (
    MAX_JUMP_SECONDS,
    TimeBound,
    bound_time,
    running_seconds,
)

BUSY_SECONDS = 5.0
# A process that has frozen within a transaction must not keep its locks.
IDLE_SECONDS = 15
RECYCLE_SECONDS = 1800
# Of each SQLite connection: the system keeps the pages too, and 32 threads hold many connections.
CACHE_KIB = 500
# The session answers, but the server is not (or no longer) the one that takes our writes: a standby
# after a failover, one that shuts down, a proxy that has lost it. A new session may reach another.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
WRONG_SERVER = frozenset({"25006", "57P01", "57P02", "57P03", "57P04", "57P05"})
CONNECTION_FAILED = "08"  # the class of all states that say so
# SQLite opens what it may not write for reading only, and stays with that.
READ_ONLY_FILE = "SQLITE_READONLY"
# A connection that has rested longer is asked whether it lives before it is used.
PING_SECONDS = 1.0
# Between two tries for SQLite's lock.
ASK_SECONDS = 0.001


def open_engine(
    database_url: str,
    *,
    busy_seconds: float = BUSY_SECONDS,
    pool_size: int = 8,
    silent_seconds: float | None = None,
    clock: Callable[[], float] | None = None,
    monotonic: Callable[[], float] | None = None,
) -> Engine:
    """An engine for the ledger.

    ``busy_seconds``: how long a statement may wait for a lock (SQLite) or run (PostgreSQL) before
    it fails. ``silent_seconds``: how long PostgreSQL may say nothing at all to a statement, as when
    it is frozen; ``None``: for ever. ``clock`` replaces SQLite's clock, for the simulator; it may
    be set back or ahead. ``monotonic``: what tells that it was; without one, a clock that is given
    is believed.
    """
    url = _normalised(make_url(database_url))
    if url.get_backend_name() == "sqlite":
        steady = SteadyClock(clock or time.time, monotonic or clock or running_seconds)
        return _open_sqlite(url, busy_seconds, steady)
    engine = _open_postgresql(url, busy_seconds, pool_size)
    if silent_seconds is not None:
        _give_up_the_silent(engine, silent_seconds)
    bound_time(engine, TimeBound(monotonic or running_seconds))
    return engine


def _normalised(url: URL) -> URL:
    # SQLAlchemy 2.0 takes psycopg2 for a bare `postgresql`, and no release takes `postgres`.
    if url.drivername in ("postgres", "postgresql"):
        return url.set(drivername="postgresql+psycopg")
    return url


def _open_postgresql(url: URL, busy_seconds: float, pool_size: int) -> Engine:
    milliseconds = int(busy_seconds * 1000)
    server = {
        "statement_timeout": milliseconds,
        "lock_timeout": milliseconds,
        "idle_in_transaction_session_timeout": IDLE_SECONDS * 1000,
        "timezone": "UTC",
    }
    engine = create_engine(
        url,
        pool_size=pool_size,
        # The server has few connections for the whole fleet: docs/scaling.md counts them.
        max_overflow=2,
        pool_timeout=busy_seconds,
        pool_recycle=RECYCLE_SECONDS,
        connect_args={
            "connect_timeout": max(2, int(busy_seconds)),  # libpq takes whole seconds, 2 at least
            "application_name": "ratings-sync",
            # A server that has vanished without a word is noticed after about a minute, sooner
            # while we send.
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,
            "options": " ".join(f"-c {name}={value}" for name, value in server.items()),
        },
    )
    _leave_wrong_servers(engine)
    _replace_dead_connections(engine)
    return engine


def _give_up_the_silent(engine: Engine, seconds: float) -> None:
    """Fail, and close the connection, where the server says nothing to a statement for so long.

    One that is frozen does not say either that the statement has taken too long.
    """
    from psycopg import Connection as Driver
    from psycopg import OperationalError as Failure

    class ImpatientDriver(Driver[Any]):
        def wait(self, gen: Any, *more: Any, **named: Any) -> Any:
            return super().wait(self._in_time(gen), *more, **named)

        def _in_time(self, steps: Any) -> Generator[Any, Any, Any]:
            """The same steps; the driver takes one at least every 0.1 s, ready or not."""
            until = time.monotonic() + seconds
            try:
                wanted = next(steps)
                while True:
                    is_ready = yield wanted
                    if not is_ready and time.monotonic() > until:
                        # What it may still say is about this statement: nobody else reads it.
                        self.close()
                        raise Failure(f"the server has said nothing for {seconds:g} s")
                    wanted = steps.send(is_ready)
            except StopIteration as end:
                return end.value

    @event.listens_for(engine, "do_connect")
    def _connect(dialect: Any, record: Any, words: Any, named: Any) -> Driver[Any]:
        return ImpatientDriver.connect(*words, **named)


def is_wrong_server(error: BaseException) -> bool:
    """Whether the session is of no use, though it may still answer: another one may be."""
    state = str(getattr(error, "sqlstate", None) or "")
    name = str(getattr(error, "sqlite_errorname", ""))
    is_elsewhere = state in WRONG_SERVER or state.startswith(CONNECTION_FAILED)
    return is_elsewhere or name.startswith(READ_ONLY_FILE)


def _leave_wrong_servers(engine: Engine) -> None:
    """Throw all sessions of the pool away when one of them is at the wrong server.

    SQLAlchemy asks its dialect with each error whether the connection is gone; such a one is not
    used again. Those that were opened before it share its server: none of them is handed out.
    """
    dialect: Any = engine.dialect  # this engine's own: a method of it may be replaced
    is_gone, wrong_since = dialect.is_disconnect, [float("-inf")]

    def is_disconnect(error: Any, connection: Any, cursor: Any) -> bool:
        if is_wrong_server(error):
            wrong_since[0] = time.monotonic()
            return True
        return bool(is_gone(error, connection, cursor))

    # From the start: other threads go through the listeners when there is trouble.
    @event.listens_for(engine, "checkout")
    def _check_server(driver: Any, record: Any, fairy: Any) -> None:
        if record.info["opened_at"] < wrong_since[0]:
            raise DisconnectionError  # the pool opens another one

    dialect.is_disconnect = is_disconnect

    @event.listens_for(engine, "connect")
    def _open(driver: Any, record: Any) -> None:
        record.info["opened_at"] = time.monotonic()


def _replace_dead_connections(engine: Engine) -> None:
    """After a failover the first statement finds the new server.

    ``pool_pre_ping`` would ask at every use, which is a round trip for each transaction. A server
    that goes tells its connections: they are readable then. Only one that has rested may have been
    lost without a word.
    """

    error: type[Exception] = engine.dialect.loaded_dbapi.Error

    @event.listens_for(engine, "checkin")
    def _rest(driver: Any, record: Any) -> None:
        record.info["rests_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _check(driver: Any, record: Any, fairy: Any) -> None:
        now = time.monotonic()
        has_rested = now - record.info.get("rests_since", now) > PING_SECONDS
        poll = select.poll()
        try:
            # Readable: the server has said something that nobody asked for, or is gone.
            poll.register(driver.fileno(), select.POLLIN)
            if has_rested or poll.poll(0):
                engine.dialect.do_ping(driver)
        except error as failure:
            raise DisconnectionError from failure  # the pool opens another one


def _open_sqlite(url: URL, busy_seconds: float, steady: SteadyClock) -> Engine:
    # A database in memory belongs to one connection: all threads share it.
    pool: dict[str, Any] = {"poolclass": StaticPool} if _is_in_memory(url) else {}
    # With a write-ahead log only `BEGIN IMMEDIATE` waits for anybody, and it waits here
    # (`_begin_when_free`).
    engine = create_engine(
        url, connect_args={"check_same_thread": False, "timeout": ASK_SECONDS}, **pool
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        give_clock(connection, steady)
        _go_to_wal(connection, busy_seconds)
        # FULL: a commit that the gateway answered 200 for survives a power cut. SQLite checks
        # foreign keys only on connections that ask for it.
        # What is deleted is overwritten: an erased address must not stay in the file.
        pragmas = ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")
        for pragma in (*pragmas, f"cache_size=-{CACHE_KIB}"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        if connection.get_execution_options().get("ledger_reads", False):
            # A reader needs no lock: the write-ahead log gives it its own view.
            driver.execute("BEGIN")
        else:
            # The lock is taken before the first read: a reader that begins to write later may be
            # refused at once, however long it would wait.
            try:
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                _begin_when_free(connection, error, busy_seconds)

    # A database in memory is gone with its connection.
    if not pool:
        _leave_wrong_servers(engine)
    return engine


def _is_in_memory(url: URL) -> bool:
    return url.database in (None, "", ":memory:")


def _begin_when_free(
    connection: Connection, error: sqlite3.OperationalError, busy_seconds: float
) -> None:
    """Ask for the lock every millisecond, after the first refusal.

    SQLite's own pauses grow up to 100 ms, so that it would lose to a busy worker each time. Raises
    OperationalError; a file that may no longer be written is not used again.
    """
    driver: Any = connection.connection.driver_connection
    until = time.monotonic() + busy_seconds
    while _is_busy(error) and time.monotonic() <= until:
        time.sleep(ASK_SECONDS)
        try:
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as refusal:
            error = refusal
        else:
            return
    # SQLAlchemy does not see what is raised here.
    if is_wrong_server(error):
        connection.invalidate(error)
    raise OperationalError("BEGIN IMMEDIATE", None, error) from error


def _go_to_wal(connection: Any, busy_seconds: float) -> None:
    """Switch to a write-ahead log; two processes may start on a new file at once.

    SQLite's busy timeout does not hold for this switch.
    """
    until = time.monotonic() + busy_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as error:
            if time.monotonic() > until or not _is_busy(error):
                raise
            time.sleep(0.01)
        else:
            return


def _is_busy(error: sqlite3.OperationalError) -> bool:
    """Whether somebody else has the lock: all else is the same a moment later."""
    return error.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def give_clock(connection: Any, steady: SteadyClock) -> None:
    """SQLite has no clock of its own: statements ask this one."""
    connection.create_function("ledger_raw", 0, steady.raw)
    connection.create_function("ledger_steady", 2, steady.now)


class SteadyClock:
    """SQLite's clock in one process; PostgreSQL does the same in its own statement.

    ``raw`` may be set back, or jump ahead of what ``monotonic`` tells to have gone by; what ``now``
    tells goes on.
    """

    def __init__(self, raw: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self.raw = raw
        self._shift: float | None = None  # known with the first look
        self._told = 0.0
        self._monotonic, self._ahead = monotonic, float("inf")  # as TimeBound has them
        self._turn = threading.Lock()

    def now(self, shift: float | None = 0.0, latest: float | None = 0.0) -> float:
        """The ledger's time in seconds since 1970.

        ``shift`` and ``latest``: as the ledger has them on file; ``None`` where it has none yet.
        """
        # One at a time: who read the clock first and asks later would seem to be set back.
        with self._turn:
            raw, told = self.raw(), max(self._told, latest or 0.0)
            bound = self._ahead + self._monotonic()
            if self._shift is None:
                self._shift = _shift_at_start(raw, told, shift or 0.0)
            # The clock jumped ahead: time follows it by so much, and goes on from there.
            if raw + self._shift > bound:
                self._shift = bound - raw
            # The clock was set back: time goes on from where it was.
            if raw + self._shift < told:
                self._shift = told - raw
            self._told = raw + self._shift
            self._ahead = self._told - self._monotonic() + MAX_JUMP_SECONDS
            return self._told


def _shift_at_start(raw: float, latest: float, shift: float) -> float:
    """What an earlier process added or took off, unless the clock has been put right since."""
    is_still_ahead = shift < 0 and raw + shift >= latest
    return shift if is_still_ahead or raw < latest else 0.0
