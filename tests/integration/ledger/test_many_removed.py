"""What waits for ten thousand sites without our app: counted in statements, on PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from sync_worker.ledger.accounts.removal import AT_ONCE
from sync_worker.ledger.accounts.upkeep import SqlAccountUpkeep
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.transactions import Transactions
from tests.integration.console.test_search_plans import plans

REMOVED, AT_WORK, OTHERS = 10_000, 10_000, 60_000
# Of each side: held, late, and late for a budget.
QUESTIONS = 6
SMALL = {"site", "ledger_clock"}  # the sites that are removed, and one row
FILL = f"""
INSERT INTO site (id, instance_id, connector, external_source, policy, state, created_at)
  SELECT n, 'instance-' || n, 'shop', 'shop/' || n, '{{}}',
    CASE WHEN n <= {REMOVED} THEN 'removed' ELSE 'active' END, 0
  FROM generate_series(1, {REMOVED + AT_WORK}) n;
INSERT INTO inbox (side, source, dedupe_id, change, remote_id, payload, state, reason,
    received_at, next_attempt_at, is_restore, is_ours, privacy, must_read, attempts)
  SELECT 'external', 'shop/' || {REMOVED} + 1 + n % {AT_WORK}, 'd' || n, 'upsert', md5('x' || n),
    '{{}}', CASE WHEN n % 10 = 0 THEN 'held' WHEN n % 10 = 1 THEN 'new' ELSE 'done' END,
    CASE WHEN n % 100 = 0 THEN 'no_account' ELSE 'unknown_entity' END,
    n, 4000000000, false, false, false, false, 0
  FROM generate_series(1, {OTHERS}) n;
"""  # noqa: S608 - constants of this file
WAITS = """
INSERT INTO inbox (side, source, dedupe_id, change, remote_id, payload, state, reason,
    received_at, next_attempt_at, is_restore, is_ours, privacy, must_read, attempts)
  SELECT 'wix', 'instance-' || 1 + n % 10, 'w' || n, 'upsert', md5('x' || n), '{}',
    CASE WHEN n % 2 = 0 THEN 'held' ELSE 'new' END, 'site_paused', n, 4000000000,
    false, false, false, false, 0
  FROM generate_series(1, :count) n
"""


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    engine = open_engine(postgres_url)
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        for statement in FILL.split(";\n"):
            if statement.strip():
                connection.execute(text(statement))
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("ANALYZE"))
    yield engine
    engine.dispose()


@contextmanager
def counted(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    asked: list[tuple[str, Any]] = []

    def note(*told: Any) -> None:
        asked.append((told[2], told[3]))

    event.listen(engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine, "before_cursor_execute", note)


@pytest.mark.full
def test_ten_thousand_removed_sites_cost_a_few_questions_by_index(engine: Engine) -> None:
    """Nothing waits for them, nearly always: then nothing is written, nor is a table read whole.

    What waits for one ends some at a time, however much that is.
    """
    upkeep = SqlAccountUpkeep(Transactions(engine))
    with counted(engine) as asked:
        assert upkeep.end_for_removed(time.monotonic() + 60.0) == 0
    assert len(asked) == QUESTIONS
    assert all(statement.lstrip().startswith("SELECT") for statement, _ in asked)
    for statement, nodes in plans(engine, asked):
        read_whole = [node for node in nodes if node["Node Type"] == "Seq Scan"]
        assert {node["Relation Name"] for node in read_whole} <= SMALL, statement
    batches = 3
    with engine.begin() as connection:
        connection.execute(text(WAITS), {"count": 2 * (batches * AT_ONCE - 1)})
    with counted(engine) as asked:
        assert upkeep.end_for_removed(time.monotonic() + 60.0) == batches * AT_ONCE - 1
    # A batch is a question, its end, and what people find it by; or a question and its new time.
    writes = [statement for statement, _ in asked if not statement.lstrip().startswith("SELECT")]
    assert len(writes) == batches * 2 + batches
    assert len(asked) - len(writes) == QUESTIONS + 2 * (batches - 1)
    due = "SELECT count(*) FROM inbox WHERE side = 'wix' AND next_attempt_at < 4000000000"
    with engine.connect() as connection:
        assert connection.execute(text(due)).scalar_one() == batches * AT_ONCE - 1
