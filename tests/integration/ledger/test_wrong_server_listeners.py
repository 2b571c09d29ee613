"""What a pool is asked at each checkout is settled when its engine is opened."""

from __future__ import annotations

import sqlite3
from typing import Any

from sync_worker.ledger.database import open_engine


def test_trouble_registers_no_listener(
    database_url: str,
) -> None:
    engine = open_engine(database_url)
    before = list(engine.pool.dispatch.checkout)
    trouble = sqlite3.OperationalError("attempt to write a readonly database")
    trouble.sqlite_errorname = "SQLITE_READONLY"
    dialect: Any = engine.dialect
    assert dialect.is_disconnect(trouble, None, None)
    assert list(engine.pool.dispatch.checkout) == before != []
    engine.dispose()
