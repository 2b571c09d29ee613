"""Steps of the schema, for tests that stop on their way up."""

from __future__ import annotations

from alembic import command
from sqlalchemy import Engine

from sync_worker.ledger.migrations.upgrade import alembic_config


def step_up(engine: Engine, revision: str) -> None:
    config = alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
