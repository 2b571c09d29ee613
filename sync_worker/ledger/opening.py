"""Opens the ledger's database with the schema that this version of the program needs."""

from __future__ import annotations

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from sync_worker.core.errors import Misconfigured
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import downgrade, upgrade

# A process that starts while another one makes the tables waits at least so long for it.
UPGRADE_SECONDS = 5.0


def open_with_newest_schema(url: str, *, busy_seconds: float, pool_size: int) -> Engine:
    """An engine whose database has the newest schema.

    ``busy_seconds``: how long a statement may wait. Raises Misconfigured.
    """
    try:
        _upgrade(url, max(busy_seconds, UPGRADE_SECONDS))
        return open_engine(url, busy_seconds=busy_seconds, pool_size=pool_size)
    except (SQLAlchemyError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise Misconfigured(
            f"DATABASE_URL: the ledger's database cannot be opened: {reason}"
        ) from error


def step_back(url: str, revision: str) -> None:
    """Bring the schema back to an earlier revision. Raises Misconfigured."""
    engine = open_engine(url, busy_seconds=UPGRADE_SECONDS)
    try:
        downgrade(engine, revision)
    except (SQLAlchemyError, LookupError) as error:
        reason = str(error).splitlines()[0]
        raise Misconfigured(f"cannot go back to {revision!r}: {reason}") from error
    finally:
        engine.dispose()


def _upgrade(url: str, busy_seconds: float) -> None:
    engine = open_engine(url, busy_seconds=busy_seconds)
    try:
        upgrade(engine)
    finally:
        engine.dispose()
