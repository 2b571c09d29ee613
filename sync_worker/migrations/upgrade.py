"""Brings a database to the newest schema; safe when several processes start at once."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

LOCK = 0x7261_7469  # PostgreSQL advisory lock: "rati"


def alembic_config() -> Config:
    """Alembic's settings, without a file: the scripts lie beside this module."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def is_current(connection: Connection) -> bool:
    """Whether the database has the newest schema."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    return MigrationContext.configure(connection).get_current_revision() == head


def upgrade(engine: Engine) -> None:
    """Run what is missing, under a lock: PostgreSQL's advisory lock, or SQLite's BEGIN IMMEDIATE."""
    with engine.execution_options(ledger_reads=True).connect() as connection:
        if is_current(connection):
            return
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        if not is_current(connection):
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
