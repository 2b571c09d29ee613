"""Green means that a rating would cross now: who says "up" has written, and wrong servers are left.

Real PostgreSQL and real SQLite files, which turn read-only or full.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import make_url

from sync_worker.core.errors import Transient
from sync_worker.ledger.database import is_wrong_server, open_engine
from sync_worker.ledger.migrations.upgrade import upgrade
from sync_worker.ledger.sql_ledger import sql_ledger
from sync_worker.ledger.transactions import Transactions
from sync_worker.ledger.up_check import UpCheck
from sync_worker.runtime.waiting import wait_until
from tests.commands import run_command
from tests.factories import a_named_delivery
from tests.unit.signed import OWN_SERVICE


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine = open_engine(request.getfixturevalue(request.param), busy_seconds=1.0, pool_size=4)
    upgrade(engine)
    yield engine
    engine.dispose()


def writes_of(engine: Engine) -> list[str]:
    """What is written through an engine, from now on."""
    written: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _note(_: Any, cursor: Any, statement: str, *more: Any) -> None:
        if not statement.startswith("SELECT"):
            written.append(statement)

    return written


def test_all_who_ask_within_five_seconds_share_one_write(engine: Engine) -> None:
    now = [0.0]
    check, written = UpCheck(Transactions(engine), lambda: now[0]), writes_of(engine)
    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(lambda _: check.is_up(), range(200)))
    assert len(written) == 1
    now[0] = 4.9
    assert check.is_up()
    assert len(written) == 1
    now[0] = 5.0
    assert check.is_up()
    assert [statement.split()[0] for statement in written] == ["UPDATE", "UPDATE"]


def test_asking_adds_no_row_and_a_lost_row_is_no_up(engine: Engine) -> None:
    now = [0.0]
    check = UpCheck(Transactions(engine), lambda: now[0])
    for now[0] in (0.0, 10.0, 20.0):
        assert check.is_up()
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM up_check")).scalar_one() == 1
        connection.execute(text("DELETE FROM up_check"))
    now[0] = 30.0
    assert "lost its row" in check.reason()


def test_who_tells_of_a_failure_waits_for_no_write_that_hangs(postgres_url: str) -> None:
    """Else each thread of the door that a database sends back would hang with the check."""
    engine = open_engine(postgres_url, busy_seconds=30.0, pool_size=4)
    upgrade(engine)
    check = UpCheck(Transactions(engine))
    with ThreadPoolExecutor(1) as pool, engine.connect() as other:
        other.execute(text("LOCK TABLE up_check IN ACCESS EXCLUSIVE MODE"))
        asked = pool.submit(check.is_up)
        waiting = text(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'up_check'::regclass"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        assert wait_until(lambda: other.execute(waiting).scalar_one() > 0, 20.0)
        check.note_failure(Transient("no answer"))
        assert not asked.done()
        other.rollback()
        assert asked.result(30.0)
    engine.dispose()


# -- PostgreSQL that turns read-only


@contextmanager
def failover(url: str) -> Iterator[None]:
    """All sessions of now are at a server that has become read-only; new ones are not."""
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    name = make_url(url).database
    with admin.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = off"))
        connection.execute(text("ALTER SYSTEM SET default_transaction_read_only = on"))
        connection.execute(text("SELECT pg_reload_conf(), pg_sleep(0.3)"))
    try:
        yield
    finally:
        with admin.connect() as connection:
            connection.execute(text("ALTER SYSTEM RESET default_transaction_read_only"))
            connection.execute(text("SELECT pg_reload_conf(), pg_sleep(0.3)"))
        admin.dispose()


def stores(engine: Engine, name: str) -> bool:
    """Whether a delivery could be stored."""
    try:
        sql_ledger(engine).inbox.store(a_named_delivery(name))
    except Transient:
        return False
    return True


def test_sessions_at_a_server_that_became_read_only_are_left(postgres_url: str) -> None:
    """One failure throws all of them away: no session stays at the old server."""
    engine = open_engine(postgres_url, busy_seconds=2.0, pool_size=4)
    upgrade(engine)
    together = threading.Barrier(4)

    def hold(_: int) -> None:
        with engine.connect():
            together.wait(10)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(hold, range(4)))
    with failover(postgres_url):
        # The statements of the hot path go by the driver, all others by SQLAlchemy.
        ends = [stores(engine, f"event-{number}") for number in range(10)]
        check = UpCheck(Transactions(engine))
        assert check.is_up(), check.reason()
    assert ends == [False] + [True] * 9
    engine.dispose()


def test_statement_of_sqlalchemy_leaves_a_read_only_server_as_well(postgres_url: str) -> None:
    engine = open_engine(postgres_url, busy_seconds=2.0, pool_size=4)
    upgrade(engine)
    now = [0.0]
    check = UpCheck(Transactions(engine), lambda: now[0])
    assert check.is_up()
    with failover(postgres_url):
        now[0] = 5.0
        assert "read-only transaction" in check.reason()
        now[0] = 10.0
        assert check.is_up()
        assert stores(engine, "event")
    engine.dispose()


@pytest.mark.parametrize(
    ("state", "is_wrong"),
    [("25006", True), ("08006", True), ("08P01", True), ("57014", False), ("23505", False)]
    + [(f"57P0{number}", True) for number in range(1, 6)],
)
def test_states_that_say_wrong_server(state: str, is_wrong: bool) -> None:
    error = Exception()
    error.sqlstate = state  # type: ignore[attr-defined]  # as psycopg's errors have it
    assert is_wrong_server(error) is is_wrong


def test_read_only_postgresql_is_not_up_for_doctor_and_status(
    tmp_path: Path, postgres_url: str
) -> None:
    environ = {"PATH": os.environ["PATH"], "DATABASE_URL": postgres_url, "COLUMNS": "200"}
    environ |= OWN_SERVICE | {"RATINGS_SYNC_HOME": str(tmp_path)}
    assert run_command(["migrate"], tmp_path, environ).returncode == 0
    admin = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    name = make_url(postgres_url).database
    with admin.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    told = run_command(["doctor", "--offline", "--json"], tmp_path, environ)
    checks = {one["name"]: one for one in json.loads(told.stdout)["checks"]}
    assert checks["sql"]["verdict"] == "bad"
    assert "cannot execute UPDATE in a read-only transaction" in checks["sql"]["what"]
    status = run_command(["status"], tmp_path, environ)
    assert status.returncode == 1
    assert "✗ The ledger cannot be written: cannot execute UPDATE" in " ".join(
        status.stdout.split()
    )
    with admin.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} RESET default_transaction_read_only"))
    admin.dispose()
    told = run_command(["status", "--json"], tmp_path, environ)
    assert json.loads(told.stdout)["ledger"] == {"is_up": True, "reason": ""}


# -- SQLite whose disk is full, or whose file may not be written

LIMITED = """
import json, os, resource, sys
from sync_worker.ledger.database import open_engine
from sync_worker.ledger.transactions import Transactions
from sync_worker.ledger.up_check import UpCheck

url, strike = sys.argv[1], sys.argv[2]
path = url.removeprefix("sqlite:///")
if strike == "read_only":
    os.setuid(65534)
engine = open_engine(url, busy_seconds=1.0)
now = [0.0]
check = UpCheck(Transactions(engine), lambda: now[0])
def ask():
    now[0] += 5.0
    return check.reason()
told = [ask()]
if strike == "full_disk":
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    told.append(ask())
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
else:
    for file in (path, path + "-shm", path + "-wal"):
        os.chmod(file, 0o644)
told += [ask(), ask()]
print(json.dumps(told))
"""


def struck(folder: Path, url: str, strike: str) -> list[str]:
    """What a process of its own is told before, during and after."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, url, strike], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    told: list[str] = json.loads(done.stdout)
    return told


@pytest.mark.full
def test_full_disk_under_sqlite_is_not_up_until_there_is_room(
    tmp_path: Path, sqlite_url: str
) -> None:
    engine = open_engine(sqlite_url)
    upgrade(engine)
    engine.dispose()
    before, full, after, later = struck(tmp_path, sqlite_url, "full_disk")
    assert (before, after, later) == ("", "", "")
    assert full in ("disk I/O error", "database or disk is full")


@pytest.mark.full
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_read_only_file_under_sqlite_is_not_up_until_it_may_be_written() -> None:
    """A connection that was opened for reading only is left when the file may be written again."""
    folder = Path("/tmp") / f"read-only-{os.getpid()}"  # noqa: S108 - nobody may enter pytest's
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    path = folder / "ledger.db"
    engine = open_engine(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    os.chown(path, 65534, 65534)
    path.chmod(0o444)
    try:
        before, first, second = struck(folder, f"sqlite:///{path}", "read_only")
    finally:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    assert before == "attempt to write a readonly database"
    assert (first, second) == ("", "")
