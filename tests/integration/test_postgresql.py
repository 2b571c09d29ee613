"""PostgreSQL as the fleet's store: the pool when server, lock or process go wrong; and the
commands.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from sync_worker.core.errors import Transient
from sync_worker.core.ports.inbox import Closing
from sync_worker.core.values import InboxState
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.sql_ledger import sql_ledger
from sync_worker.ledger.sql_text import SqlText, batch
from sync_worker.ledger.transactions import Transactions
from sync_worker.runtime.local.embedded_redis import EmbeddedRedis
from tests.commands import run_command
from tests.factories import a_named_delivery
from tests.unit.signed import OWN_SERVICE

pytestmark = pytest.mark.any_redis

OURS = (
    "FROM pg_stat_activity WHERE application_name = 'ratings-sync' AND datname = current_database()"
)
ENTITIES = (
    "wix_namespace,wix_group,wix_entity_id,external_group,external_entity_id\n"
    "reviews,stores,beans,,SKU-1\n"
)
CONTACTS = "wix_contact_id,email,external_author_id\nc-1,ada@example.com,\n"


@pytest.fixture
def engine(fresh_postgres_url: str) -> Iterator[Engine]:
    engine = open_engine(fresh_postgres_url, busy_seconds=1.0, pool_size=4)
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def other(fresh_postgres_url: str) -> Iterator[Engine]:
    """Somebody else on the same database."""
    engine = create_engine(fresh_postgres_url)
    yield engine
    engine.dispose()


def test_connections_that_the_server_has_closed_are_replaced_unnoticed(
    engine: Engine, other: Engine
) -> None:
    ledger = sql_ledger(engine)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: ledger.inbox.store(a_named_delivery(f"before-{n}")), range(8)))
    with other.connect() as connection:
        assert (
            connection.execute(
                text(f"SELECT count(pg_terminate_backend(pid, 5000)) {OURS}")
            ).scalar_one()
            >= 1
        )
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: ledger.inbox.store(a_named_delivery(f"after-{n}")), range(8)))
    assert ledger.inbox.count_open() == 16


def test_statement_behind_a_lock_ends_as_transient_within_its_time(
    engine: Engine, other: Engine
) -> None:
    """A statement behind a lock ends as transient within its time and works afterwards."""
    ledger = sql_ledger(engine)
    with other.begin() as connection:
        connection.execute(text("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE"))
        started = time.monotonic()
        with pytest.raises(Transient):
            ledger.inbox.store(a_named_delivery("behind"))
        assert time.monotonic() - started < 8
    assert not ledger.inbox.store(a_named_delivery("behind")).is_duplicate


def test_used_up_pool_ends_as_transient_within_its_share(engine: Engine, other: Engine) -> None:
    """A pool that is used up ends as transient and never takes more connections than its share.

    4 and 2 more: docs/scaling.md counts on it.
    """
    ledger, is_over = sql_ledger(engine), threading.Event()
    failures: list[Transient] = []

    def hold() -> None:
        try:
            with ledger.transactions.write() as connection:
                connection.execute(text("SELECT 1"))
                is_over.wait(60)
        except Transient as error:
            failures.append(error)

    with ThreadPoolExecutor(9) as pool:
        holders = [pool.submit(hold) for _ in range(9)]
        until = time.monotonic() + 30
        while len(failures) < 3 and time.monotonic() < until:
            time.sleep(0.05)
        with other.connect() as connection:
            connections = connection.execute(text(f"SELECT count(*) {OURS}")).scalar_one()
        is_over.set()
    for holder in holders:
        holder.result()
    assert (connections, len(failures)) == (6, 3)


def test_server_ends_the_transaction_of_a_process_that_has_frozen(engine: Engine) -> None:
    with engine.connect() as connection:
        asked = (
            "SELECT current_setting('idle_in_transaction_session_timeout'),"
            " current_setting('statement_timeout')"
        )
        assert tuple(connection.execute(text(asked)).one()) == ("15s", "1s")


def ask_plainly(connection: Connection) -> None:
    connection.execute(text("SELECT 1"))


def ask_by_the_driver(connection: Connection) -> None:
    SqlText("SELECT 1").ask(connection)


def ask_in_a_batch(connection: Connection) -> None:
    with batch(connection):
        SqlText("SELECT 1").ask(connection)


@pytest.mark.parametrize("ask", [ask_plainly, ask_by_the_driver, ask_in_a_batch])
def test_statement_to_a_frozen_server_fails_and_its_thread_comes_free(
    ask: Callable[[Connection], None], fresh_postgres_url: str
) -> None:
    """Nobody says that it takes too long; the session is not used again, whatever it still says."""
    engine = open_engine(fresh_postgres_url, pool_size=1, silent_seconds=1.0)
    transactions, who = Transactions(engine), SqlText("SELECT pg_backend_pid()")
    with transactions.read() as connection:
        frozen = who.scalar(connection)
        os.kill(frozen, signal.SIGSTOP)
        try:
            with pytest.raises(SQLAlchemyError):
                ask(connection)
        finally:
            os.kill(frozen, signal.SIGCONT)
    with transactions.read() as connection:
        assert who.scalar(connection) != frozen
    engine.dispose()


# -- the commands, and the task that prunes


@pytest.fixture
def environ(tmp_path: Path, fresh_postgres_url: str, redis_server: EmbeddedRedis) -> dict[str, str]:
    least = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    more = {
        "DATABASE_URL": fresh_postgres_url,
        "REDIS_URL": redis_server.url,
        "RATINGS_SYNC_HOME": str(tmp_path / "home"),
    }
    return {**least, **OWN_SERVICE, **more, "COLUMNS": "200"}


@pytest.mark.full
def test_commands_of_a_whole_life_on_postgresql(
    tmp_path: Path, environ: dict[str, str], fresh_postgres_url: str, redis: Redis
) -> None:
    def run(*words: str, fails: bool = False) -> str:
        done = run_command(words, tmp_path, environ)
        assert "Traceback" not in done.stderr
        assert (done.returncode != 0) is fails, done.stderr
        return done.stderr if fails else done.stdout

    def how() -> dict[str, Any]:
        """That nothing runs here makes it end with 1."""
        told = run_command(["status", "--json", "--offline"], tmp_path, environ)
        found: dict[str, Any] = json.loads(told.stdout)
        return found

    assert "newest schema" in run("migrate")
    # The oldest schema knows no other API.
    add = ("site", "add", "instance-1", "--connector", "own-service", "--wix-api", "ratings")
    assert "site 1" in run(*add)
    (tmp_path / "e.csv").write_text(ENTITIES)
    (tmp_path / "c.csv").write_text(CONTACTS)
    assert "1 added" in run("map", "entities", "import", "e.csv")
    assert "1 added" in run("map", "contacts", "import", "c.csv")
    assert run("map", "entities", "list") == ENTITIES

    engine = open_engine(fresh_postgres_url)
    ledger = sql_ledger(engine)
    held = ledger.inbox.store(a_named_delivery("held")).inbox_id
    ledger.inbox.hold([held], "refused")
    old = ledger.inbox.store(a_named_delivery("old")).inbox_id
    ledger.inbox.close(old, Closing(InboxState.DONE, "synced"))
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE inbox SET closed_at = closed_at - 40 * 86400 WHERE id = :id"), {"id": old}
        )

    assert json.loads(run("held", "--json"))[0]["inbox_id"] == held
    assert "1 deliveries are on their way" in run("replay", str(held))
    assert "would be forgotten: 1 payloads, 1 deliveries" in run("prune", "--dry-run")
    task = "from sync_worker import tasks; tasks.prune()"
    done = subprocess.run(
        [sys.executable, "-c", task],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert run("prune") == "forgotten: nothing\n"
    assert how()["deliveries"] == {"new": 1}

    assert "cannot go back to '4711'" in run("migrate", "--to", "4711", fails=True)
    assert "has the schema 0001" in run("migrate", "--to", "0001", "--yes")
    assert "newest schema" in run("migrate")
    assert how()["deliveries"] == {"new": 1}
    engine.dispose()
