"""Opens the ledger's database with the schema that this version of the program needs."""

from __future__ import annotations

from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from sync_worker.core.errors import Misconfigured
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import downgrade, revisions, upgrade
from sync_worker.ledger.statements import clock

# A process that starts while another one makes the tables waits at least so long for it.
UPGRADE_SECONDS = 5.0


def open_with_newest_schema(url: str, *, busy_seconds: float, pool_size: int) -> Engine:
    """An engine whose database has the newest schema.

    ``busy_seconds``: how long a statement may wait. Raises Misconfigured.
    """
    try:
        told = _upgrade(url, max(busy_seconds, UPGRADE_SECONDS))
        engine = open_engine(url, busy_seconds=busy_seconds, pool_size=pool_size)
        # A clock that jumps ahead from here on is noticed by this process, too.
        clock.bound(engine.dialect, told)
        return engine
    except (SQLAlchemyError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise Misconfigured(
            f"DATABASE_URL: the ledger's database cannot be opened: {reason}"
        ) from error


def place_of(url: str) -> str:
    """Where the ledger is, for people: the file, or host and name without the password."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        return address.database or "in memory"
    return f"{address.host or 'localhost'}/{address.database}"


def refuse_unknown(revision: str) -> None:
    """Raises Misconfigured if there is no such schema to go back to."""
    if revision not in ("base", *revisions()):
        known = ", ".join(revisions())
        raise Misconfigured(f"cannot go back to {revision!r}: there are base, {known}")


def step_back(url: str, revision: str) -> None:
    """Bring the schema back to an earlier revision. Raises Misconfigured."""
    refuse_unknown(revision)
    engine = open_engine(url, busy_seconds=UPGRADE_SECONDS)
    try:
        downgrade(engine, revision)
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
