"""Opens the ledger's database with the schema that this version of the program needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from sync_worker.core.errors import LedgerAway, Misconfigured, NoLedger
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import downgrade, refuse_downgrade, revisions, upgrade
from sync_worker.ledger.statements import clock

# A process that starts while another one makes the tables waits at least so long for it.
UPGRADE_SECONDS = 5.0


def open_with_newest_schema(
    url: str,
    *,
    busy_seconds: float,
    pool_size: int,
    makes: bool = True,
    silent_seconds: float | None = None,
) -> Engine:
    """An engine whose database has the newest schema.

    ``busy_seconds``: how long a statement may wait; ``makes``: whether a ledger that is not there
    is begun; ``silent_seconds``: as ``open_engine`` has it. Raises NoLedger, LedgerAway,
    Misconfigured.
    """
    try:
        if not makes:
            _refuse_missing(url, max(busy_seconds, UPGRADE_SECONDS))
        told = _upgrade(url, max(busy_seconds, UPGRADE_SECONDS))
        engine = open_engine(
            url, busy_seconds=busy_seconds, pool_size=pool_size, silent_seconds=silent_seconds
        )
        # A clock that jumps ahead from here on is noticed by this process, too.
        clock.bound(engine.dialect, told)
        return engine
    except (SQLAlchemyError, ImportError) as error:
        reason = str(error).splitlines()[0]
        kind = LedgerAway if isinstance(error, OperationalError) else Misconfigured
        raise kind(f"DATABASE_URL: the ledger's database cannot be opened: {reason}") from error


def place_of(url: str) -> str:
    """Where the ledger is, for people: the file, or host and name without the password."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        return address.database or "in memory"
    return f"{address.host or 'localhost'}/{address.database}"


def refuse_step_back(url: str, revision: str) -> None:
    """Whatever stands against it, before anybody is asked. Raises Misconfigured, NoLedger."""
    if revision not in ("base", *revisions()):
        known = ", ".join(revisions())
        raise Misconfigured(f"cannot go back to {revision!r}: there are base, {known}")
    with _to_go_back(url, revision) as engine:
        _refuse_missing(url, UPGRADE_SECONDS)
        refuse_downgrade(engine, revision)


def step_back(url: str, revision: str) -> None:
    """Bring the schema back to an earlier revision. Raises Misconfigured, NoLedger."""
    refuse_step_back(url, revision)
    with _to_go_back(url, revision) as engine:
        downgrade(engine, revision)


@contextmanager
def _to_go_back(url: str, revision: str) -> Iterator[Engine]:
    """Raises Misconfigured for what the database says against it."""
    engine = open_engine(url, busy_seconds=UPGRADE_SECONDS)
    try:
        yield engine
    except SQLAlchemyError as error:
        reason = str(error).splitlines()[0]
        raise Misconfigured(f"cannot go back to {revision!r}: {reason}") from error
    finally:
        engine.dispose()


def _upgrade(url: str, busy_seconds: float) -> float:
    """Returns the ledger's time."""
    engine = open_engine(url, busy_seconds=busy_seconds)
    try:
        upgrade(engine)
        with engine.connect() as connection:
            return clock.seen_times(connection).told
    finally:
        engine.dispose()


def file_of(url: str) -> Path | None:
    """The file of a SQLite database; ``None`` of any other."""
    address = make_url(url)
    is_file = address.get_backend_name() == "sqlite" and address.database not in (None, ":memory:")
    return Path(str(address.database)) if is_file else None


def _refuse_missing(url: str, busy_seconds: float) -> None:
    """An empty ledger, begun by a question, would hide the one with all links. Raises NoLedger."""
    file = file_of(url)
    is_there = file is None or (file.exists() and file.stat().st_size > 0)
    if is_there and _has_tables(url, busy_seconds):
        return
    if file is not None:
        raise NoLedger(
            f"there is no ledger at {file}: run this in the folder of your installation, or set"
            " RATINGS_SYNC_HOME or DATABASE_URL; `ratings-sync setup` begins a new one"
        )
    raise NoLedger(
        f"there is no ledger in {place_of(url)}: it has none of our tables; is"
        " DATABASE_URL the right one? `ratings-sync migrate` makes them"
    )


def _has_tables(url: str, busy_seconds: float) -> bool:
    engine = open_engine(url, busy_seconds=busy_seconds)
    try:
        with engine.execution_options(ledger_reads=True).connect() as connection:
            return inspect(connection).has_table("alembic_version")
    finally:
        engine.dispose()
