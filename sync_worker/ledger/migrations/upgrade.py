"""Brings a database to the newest schema; safe when several processes start at once, and under
running traffic.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import Connection, Engine, inspect, text

from sync_worker.core.errors import Misconfigured
from sync_worker.ledger.migrations import large_indexes

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

# Alembic is imported only when there is something to migrate: it takes a third of a command's
# start.

LOCK = 0x7261_7469  # PostgreSQL advisory lock: "rati"
TURN_SECONDS = 600  # another process may be migrating a large table
TABLE_LOCK_SECONDS = 4  # while we wait for a table all who come later wait behind us

log = structlog.get_logger(__name__)


def alembic_config() -> Config:
    """Alembic's settings, without a file: the scripts lie beside this module."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("recursive_version_locations", "true")
    return config


def revisions() -> list[str]:
    """All revisions, oldest first: each script's name begins with its own."""
    scripts = (Path(__file__).parent / "versions").rglob("[0-9]*_*.py")
    return sorted(script.name.partition("_")[0] for script in scripts)


def is_current(connection: Connection) -> bool:
    """Whether nothing is to do: the newest schema, or one that a newer version has made.

    Migrations only add within a major version, so that the old processes of a rolling upgrade go on
    working.
    """
    found = _revision_of(connection)
    known = revisions()
    if found is not None and found not in known:
        log.warning("schema_is_newer", revision=found)
        return True
    return bool(found == known[-1])


def upgrade(engine: Engine) -> None:
    """Run what is missing, under a lock: PostgreSQL's advisory lock, or SQLite's BEGIN IMMEDIATE.

    Each migration in a transaction of its own: one that held a busy table while it waited for the
    next migration's could wait for a worker that holds the two in the other order.
    """
    with engine.execution_options(ledger_reads=True).connect() as connection:
        if is_current(connection):
            return
    while True:
        with engine.execution_options(ledger_reads=True).connect() as connection:
            found = _revision_of(connection)
        _build_large_indexes(engine, found)
        with engine.begin() as connection:
            _take_turn(connection)
            if is_current(connection):
                return
            # Another process has gone a step since, and what the next one needs may be missing.
            if _revision_of(connection) != found:
                continue
            # Nobody can be at work in a new database: all at once.
            reached = "head" if found is None else "+1"
            _climb(connection, reached)


def _climb(connection: Connection, reached: str) -> None:
    """As Alembic's own command does, but that one reads all scripts anew for each step."""
    from alembic.runtime.environment import EnvironmentContext

    scripts = _scripts()

    def steps(found: Any, _context: object) -> Any:
        return scripts._upgrade_revs(reached, found)

    with EnvironmentContext(_config_on(connection), scripts, fn=steps, destination_rev=reached):
        scripts.run_env()


@cache
def _scripts() -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(alembic_config())


def _revision_of(connection: Connection) -> str | None:
    """``None``: a new database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _build_large_indexes(engine: Engine, found: str | None) -> None:
    """Those of the migration after this one: without them it would make all writes wait."""
    known = revisions()
    # A new database has no rows, and one at the newest schema has no next migration.
    if engine.dialect.name != "postgresql" or found is None or found not in known[:-1]:
        return
    script = _scripts().get_revision(known[known.index(found) + 1])
    indexes = getattr(script.module, "BUILT_BEFORE", {})
    if indexes:
        large_indexes.build(engine, indexes)


def refuse_downgrade(engine: Engine, revision: str) -> None:
    """What would stop the way back, found before anything is changed. Raises Misconfigured."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    with engine.execution_options(ledger_reads=True).connect() as connection:
        found = _revision_of(connection)
        if found not in revisions():
            raise Misconfigured(
                f"cannot go back to {revision!r}: the ledger has the schema {found}, which another"
                " version of the program has made; go back with that version"
            )
        if revision != "base" and revision > found:
            raise Misconfigured(
                f"cannot go back to {revision!r}: the ledger has the schema {found}, which is older"
            )
        # Each later step says itself what it would lose.
        with Operations.context(MigrationContext.configure(connection)):
            for script in _scripts().iterate_revisions(found, revision):
                refuse = getattr(script.module, "refuse_what_would_be_lost", None)
                if refuse is not None:
                    refuse()


def downgrade(engine: Engine, revision: str) -> None:
    """Back to an earlier schema, whose version of the program must be the only one that runs."""
    from alembic import command

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
