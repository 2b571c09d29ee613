"""Brings a database to the newest schema; safe when several processes start at once, and under running traffic."""

from __future__ import annotations

from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

LOCK = 0x7261_7469  # PostgreSQL advisory lock: "rati"
TURN_SECONDS = 600  # another process may be migrating a large table
TABLE_LOCK_SECONDS = 4  # while we wait for a table all who come later wait behind us

log = structlog.get_logger(__name__)


def alembic_config() -> Config:
    """Alembic's settings, without a file: the scripts lie beside this module."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def is_current(connection: Connection) -> bool:
    """Whether nothing is to do: the newest schema, or one that a newer version has made.

    Migrations only add within a major version, so that the old processes of a rolling upgrade go on working.
    """
    scripts = ScriptDirectory.from_config(alembic_config())
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in {one.revision for one in scripts.walk_revisions()}:
        log.warning("schema_is_newer", revision=found)
        return True
    return found == scripts.get_current_head()


def upgrade(engine: Engine) -> None:
    """Run what is missing, under a lock: PostgreSQL's advisory lock, or SQLite's BEGIN IMMEDIATE."""
    with engine.execution_options(ledger_reads=True).connect() as connection:
        if is_current(connection):
            return
    with engine.begin() as connection:
        _take_turn(connection)
        if not is_current(connection):
            command.upgrade(_config_on(connection), "head")


def downgrade(engine: Engine, revision: str) -> None:
    """Back to an earlier schema, whose version of the program must be the only one that runs."""
    with engine.begin() as connection:
        _take_turn(connection)
        command.downgrade(_config_on(connection), revision)


def _config_on(connection: Connection) -> Config:
    config = alembic_config()
    config.attributes["connection"] = connection
    return config


def _take_turn(connection: Connection) -> None:
    """The time-outs of the process's own statements are too short for an index on a large table."""
    if connection.dialect.name != "postgresql":
        return
    connection.execute(text(f"SET LOCAL statement_timeout = '{TURN_SECONDS}s'"))
    connection.execute(text(f"SET LOCAL lock_timeout = '{TURN_SECONDS}s'"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text(f"SET LOCAL lock_timeout = '{TABLE_LOCK_SECONDS}s'"))
