"""Checks of the ledger's database: its schema, its workers and its clock."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sqlalchemy import select

from sync_worker.doctor.check import Check, bad, clock, ok
from sync_worker.ledger.transactions import ledger_now
from sync_worker.wiring import Wiring


def check_sql(wiring: Wiring) -> Iterator[Check]:
    settings = wiring.settings
    engine = wiring.admin.engine  # opens it and brings it to the newest schema
    kind = "SQLite" if settings.is_sqlite else "PostgreSQL"
    yield ok("sql", f"{kind} answers and has the newest schema")
    if settings.is_sqlite and settings.budget_processes > 1:
        yield bad(
            "sql workers",
            "SQLite serves one worker process, and BUDGET_PROCESSES is"
            f" {settings.budget_processes}",
            "set DATABASE_URL to a PostgreSQL, or run one worker and BUDGET_PROCESSES=1",
        )
    with engine.connect() as connection:
        there = float(connection.execute(select(ledger_now())).scalar_one())
    yield clock("clock of the database", there - time.time())
